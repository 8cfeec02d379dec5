"""The NTK of a ReLU network by this package and by others: time, and errors against 50 digits.

The same points, type and number of threads for all; repetitions take turns, the best of each
counts, and compilation does not: neural-tangents is compiled once, for these shapes. Of packages
that have no network, what they are used for instead: kernels of scikit-learn, and NumPy's product.
Packages that are not here are named and left out; `make bench-others` installs them.

The table is printed, and written into the page of the documentation that explains it.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from harness import (
    add_threads,
    alternate,
    base_parser,
    load,
    machine,
    on_threads,
    positive,
    write_json,
)
from mpmath import mpf
from pages import fill, line
from peers import (
    DEPTH,
    INTERPRETER,
    Bias,
    FloatArray,
    installed,
    networks,
    neural_tangents,
    without_network,
)

import ntkfast as nk

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from reference.evaluator import every_pair

PAGE = Path(__file__).parents[1] / "docs" / "comparison.md"
BIASES: dict[str, Bias] = {"NTK with biases": 0.1, "NTK without biases": None}
OTHER = "other kernels"
PACKAGES = ("numpy", "scikit-learn", "scikit-ntk")
DTYPES = ("float64", "float32")
JUDGED = 20
"""Of how many points all pairs are computed to 50 digits."""


@dataclass(frozen=True)
class Result:
    """What a kernel took in a package, and how far it is from 50 digits where those are known."""

    kernel: str
    package: str
    dtype: str
    seconds: float
    error: float | None


def points(n: int, d: int) -> FloatArray:
    """Return Gaussian samples; half of those judged repeat others to seven digits, as data do."""
    rng = np.random.default_rng(0)
    x, half = rng.standard_normal((n, d)), JUDGED // 2
    x[half:JUDGED] = x[:half] * (1 + 1e-7 * rng.standard_normal((half, d)))
    return x


def exact(b_std: Bias, x: FloatArray) -> dict[tuple[int, int], Any]:
    """Return the NTK of the first points to 50 digits."""
    layers = [["dense", math.sqrt(2), b_std], ["relu"]] * DEPTH
    network = ["serial", *layers, ["dense", math.sqrt(2), b_std]]
    points = x[:JUDGED].astype(np.float64).tolist()
    return {pair: mpf(ntk) for pair, (_, ntk) in every_pair(network, points).items()}


def worst(values: FloatArray, references: Mapping[tuple[int, int], Any]) -> float:
    """Return the largest error relative to √(T_ii T_jj)."""
    return max(
        float(abs(mpf(float(values[i, j])) - value) / (references[i, i] * references[j, j]) ** 0.5)
        for (i, j), value in references.items()
    )


def measure(
    name: str, b_std: Bias, x: FloatArray, repetitions: int, threads: int
) -> tuple[list[Result], dict[str, str]]:
    """Time all that compute this NTK in turn, and judge them; also the versions of one of them."""
    kernels, references = networks(b_std, x), exact(b_std, x)
    values = {
        package: np.asarray(kernel())[:JUDGED, :JUDGED] for package, kernel in kernels.items()
    }
    versions: dict[str, str] = {}
    with ExitStack() as stack:
        if INTERPRETER.exists():
            started = stack.enter_context(neural_tangents(b_std, x, threads, JUDGED))
            worker, values["neural-tangents"], versions = started
            kernels["neural-tangents"] = worker.compute
        seconds = alternate(kernels, repetitions)
    dtype = x.dtype.name
    return [
        Result(name, package, dtype, min(times), worst(values[package], references))
        for package, times in seconds.items()
    ], versions


def measure_all(
    n: int, d: int, repetitions: int, threads: int
) -> tuple[list[Result], dict[str, str]]:
    """Measure all kernels in both types."""
    results: list[Result] = []
    versions: dict[str, str] = {}
    for dtype in DTYPES:
        x = points(n, d).astype(dtype)
        for name, b_std in BIASES.items():
            found, versions = measure(name, b_std, x, repetitions, threads)
            results += found
        seconds = alternate(without_network(x), repetitions)
        results += [Result(OTHER, name, dtype, min(times), None) for name, times in seconds.items()]
    return results, versions


def markdown(results: Sequence[Result]) -> str:
    """Lay the results out: a line for each kernel and package, the types side by side."""
    unit = {
        (result.kernel, result.dtype): result.seconds
        for result in results
        if result.package == "ntkfast"
    }
    found = {(result.kernel, result.package, result.dtype): result for result in results}

    def cells(kernel: str, package: str) -> Iterable[str]:
        for dtype in DTYPES:
            result = found[kernel, package, dtype]
            ratio = result.seconds / unit[next(iter(BIASES)) if kernel == OTHER else kernel, dtype]
            yield f"{result.seconds:.2f} s"
            yield f"{ratio:.2f}"
            yield "" if result.error is None else f"{result.error:.0e}"

    columns = [f"{column}, {dtype}" for dtype in DTYPES for column in ("time", "ratio", "error")]
    places = dict.fromkeys((result.kernel, result.package) for result in results)
    return "\n".join(
        [
            line(["kernel", "package", *columns]),
            line(["---", "---", *["---:"] * len(columns)]),
            *(line([kernel, package, *cells(kernel, package)]) for kernel, package in places),
        ]
    )


def caption(theirs: Mapping[str, str]) -> str:
    """Say which versions were measured, which packages were not, and on which machine."""
    versions = {name: version(name) for name in PACKAGES if installed(name)}
    missing = [name for name in PACKAGES if name not in versions]
    shown = [f"{name} {number}" for name, number in {"ntkfast": nk.__version__, **versions}.items()]
    apart = ", ".join(f"{name} {number}" for name, number in theirs.items())
    if theirs:
        shown.append(f"and in an environment of its own {apart}")
    else:
        missing.append("neural-tangents")
    text = (
        f"{machine()['processor']}, {nk.info()['simd']}, {platform.system()}.\n{', '.join(shown)}."
    )
    if missing:
        text += f"\nNot measured, because not installed: {', '.join(missing)}."
    return text


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the page anew and the record."""
    arguments = _parser().parse_args(argv)
    n, d, threads, repetitions = arguments.n, arguments.d, arguments.threads, arguments.repetitions
    before = load()
    with on_threads(threads):
        results, theirs = measure_all(n, d, repetitions, threads)
    measured = (
        f"{DEPTH} hidden ReLU layers, n = {n:,} Gaussian points, d = {d:,}; {threads} threads, "
        f"best of {repetitions}; load before: {before}.\n{caption(theirs)}\n\n{markdown(results)}"
    )
    print(measured)
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    settings = {"n": n, "d": d, "threads": threads, "load_before": before, "apart": theirs}
    rows = [asdict(result) for result in results]
    write_json(arguments.output, {"settings": settings, "rows": rows})
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "others", repetitions=3)
    add_threads(parser)
    parser.add_argument("-n", type=positive, default=5000, help="samples")
    parser.add_argument("-d", type=positive, default=784, help="features")
    return parser


if __name__ == "__main__":
    main()
