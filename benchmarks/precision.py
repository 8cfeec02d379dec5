"""Worst errors of the NNGP and the NTK against 50 digits, on every instruction set that is here.

The networks, points and values are those of tests/reference: points that are identical, parallel,
antipodal, 1e-12 to 0.1 apart, zero, tiny and huge. Each instruction set runs in a process of its
own. The table is printed, and written into the page of the documentation that explains it.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import machine
from pages import fill, line

import ntkfast as nk

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from catalogue import Description, build, kinds, kink_after_smooth
from contract import KERNELS
from processes import levels, python
from reference.cases import CASES, errors, read_points, references
from tolerances import CONTRACT

PAGE = Path(__file__).parents[1] / "docs" / "precision.md"

# The rows of the table: by activation, unless a network mixes or joins.
FAMILIES = {
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU, ABReLU",
    "abrelu": "leaky ReLU, ABReLU",
    "abs": "absolute value",
    "sign": "sign",
    "erf": "erf",
    "sigmoid_like": "erf",
    "gelu": "GELU",
    "sin": "sin",
    "cos": "cos",
    "rbf": "RBF",
    "exp": "exp",
    "exp_normalized": "normalised exp",
    "gaussian": "Gaussian",
    "gabor": "Gabor",
    "polynomial": "polynomials",
    "monomial": "polynomials",
    "hermite": "Hermite polynomials",
    "rectified_monomial": "powers of ReLU",
}
LINEAR = "linear, identity"
MIXED = "a kink after a smooth activation"
SEVERAL = "several activations"
# What a network has, whatever its activations.
FEATURES = {
    "residual": "residual, sum",
    "sum": "residual, sum",
    "product": "product, concatenate",
    "concatenate": "product, concatenate",
    "layer_norm": "layer norm, dropout",
    "dropout": "layer norm, dropout",
}
ROWS = [
    LINEAR,
    *dict.fromkeys(FAMILIES.values()),
    MIXED,
    SEVERAL,
    *dict.fromkeys(FEATURES.values()),
]

Errors = dict[str, float]  # by "family/dtype/kernel"


def family(description: Description) -> str:
    """Return the row of the table that a network belongs to."""
    layers = kinds(description)
    for layer in reversed(FEATURES):
        if layer in layers:
            return FEATURES[layer]
    if kink_after_smooth(description):
        return MIXED
    names = {FAMILIES[layer] for layer in layers if layer in FAMILIES} or {LINEAR}
    return names.pop() if len(names) == 1 else SEVERAL


def measure() -> Errors:
    """Return the worst errors of this process's instruction set."""
    points, worst = read_points(), defaultdict[str, float](float)
    for name, case in CASES.items():
        network, row = build(case["network"]), family(case["network"])
        for key in case["values"]:
            dtype, which = key.split("/")
            x = points[which].astype(dtype)
            for pair, error in errors(network, x, references(name, key, points)).items():
                cell = f"{row}/{dtype}/{pair.split()[0]}"
                worst[cell] = max(worst[cell], error)
    return worst


def measure_with(level: str) -> Errors:
    """Return the worst errors of an instruction set."""
    result = python(__file__, "--here", NTKFAST_SIMD=level)
    if result.returncode != 0:
        raise SystemExit(f"{level} failed:\n{result.stderr}")
    found: Errors = json.loads(result.stdout)
    return found


def markdown(worst: Mapping[str, Errors]) -> str:
    """Lay the errors out as one table for each type: families down, instruction sets across."""
    parts = [f"ntkfast {nk.__version__}, {machine()['processor']}, {platform.system()}:"]
    columns = [(kernel, level) for kernel in KERNELS for level in worst]
    for dtype in CONTRACT:
        lines = [
            line([dtype, *(f"{kernel.upper()}, {level}" for kernel, level in columns)]),
            line(["---", *["---:"] * len(columns)]),
        ]
        for name in ROWS:
            cells = [worst[level][f"{name}/{dtype}/{kernel}"] for kernel, level in columns]
            lines.append(line([name, *(f"{cell:.1e}" for cell in cells)]))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--here", action="store_true", help="measure with NTKFAST_SIMD as it is, and print JSON"
    )
    if parser.parse_args(argv).here:
        print(json.dumps(measure()))
        return
    table = markdown({level: measure_with(level) for level in levels()})
    print(table)
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
