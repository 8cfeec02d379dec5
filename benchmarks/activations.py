"""What each activation costs per pair and layer, relative to ReLU, in one run.

An NTK Gram matrix of a network of a few layers, less that of the same network with identities in
their place: inner products, dense layers and the writing of the matrix do not count. One thread and
its own processor time; repetitions take turns; the best of each counts. Weights keep variances near
1, and the points differ in their norms, as data do.

The costs are printed, and written into the table in the documentation.
"""

from __future__ import annotations

import argparse
import math
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import Work, alternate, base_parser, machine, positive, write_json
from numpy.typing import NDArray
from pages import fill, line

import ntkfast as nk
from ntkfast.networks import activations, elementwise, exponentials, polynomials

FloatArray = NDArray[np.floating[Any]]
Networks = Mapping[str, nk.Serial]

PAGE = Path(__file__).parents[1] / "docs" / "activations.md"
DTYPES = ("float64", "float32")

# A new activation in one of these modules is measured without a word here, if it has defaults.
FAMILIES = (activations, exponentials, polynomials, elementwise)
LINEAR, UNIT = "Identity", "Relu"
# Exp has them because the variance of a deep network of e^x leaves float32's range.
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "ABRelu": (-0.5, 1.5),
    "Exp": (1.0, 0.5),
    "Polynomial": ((0.0, 1.0, 0.0, -0.1),),
    "Monomial": (3,),
    "Hermite": (3,),
    "RectifiedMonomial": (2,),
    "Elementwise": (np.arctan,),
}


@dataclass(frozen=True)
class Cost:
    """What an activation costs per pair and layer, in units of ReLU's."""

    ratio: float


@dataclass(frozen=True)
class FittedCost(Cost):
    """The same of one that is known by its values, once it is fitted."""

    equal_norms: float
    """Where all points have one norm."""
    fit: float
    """What the fit of a layer costs: million pairs for which ReLU costs as much."""


def catalogue() -> dict[str, nk.Network]:
    """Return one of each activation of the package."""
    names = [name for family in FAMILIES for name in family.__all__ if name in nk.__all__]
    return {name: getattr(nk, name)(*PARAMETERS.get(name, ())) for name in names}


def network(activation: nk.Network, layers: int) -> nk.Serial:
    """`layers` times the activation, with weights that bring unit variance back."""
    variance = float(nk.Serial(nk.Dense(), activation).nngp([[1.0]])[0, 0])
    dense = nk.Dense(w_std=1 / math.sqrt(variance), b_std=0.1)
    return nk.Serial(nk.Dense(b_std=0.1), *(activation, dense) * layers)


def ratios(best: Mapping[str, float]) -> dict[str, float]:
    """Return what is beyond the linear network, in units of ReLU's."""
    unit = best[UNIT] - best[LINEAR]
    return {name: (seconds - best[LINEAR]) / unit for name, seconds in best.items()}


def again(net: nk.Serial, x: FloatArray) -> Work:
    """Compute with a network that keeps its program, and with it its fits."""
    return lambda: net.ntk(x)


def anew(net: nk.Serial, x: FloatArray) -> Work:
    """Compute with an equal network that has no program yet."""
    return lambda: nk.Serial(*net.layers).ntk(x)


def fastest(works: Mapping[str, Work], repetitions: int) -> dict[str, float]:
    """Time the works in turn, and return the best of each."""
    seconds = alternate(works, repetitions, time.process_time)
    return {name: min(times) for name, times in seconds.items()}


def measure(n: int, d: int, layers: int, dtype: str, repetitions: int) -> dict[str, Cost]:
    """Time all activations in turn."""
    x = np.random.default_rng(0).standard_normal((n, d))
    norms = np.linalg.norm(x, axis=1, keepdims=True) / math.sqrt(d)
    equal, x = (x / norms).astype(dtype), x.astype(dtype)
    activations = catalogue()
    networks = {name: network(activation, layers) for name, activation in activations.items()}
    best = fastest({name: again(net, x) for name, net in networks.items()}, repetitions)
    costs = {name: Cost(ratio) for name, ratio in ratios(best).items()}

    fitted = {name: networks[name] for name in elementwise.__all__ if name in networks}
    compared = {name: networks[name] for name in (LINEAR, UNIT)} | fitted
    at_equal = ratios(
        fastest({name: again(net, equal) for name, net in compared.items()}, repetitions)
    )
    # A fit takes so long that once is enough.
    first = fastest({name: anew(net, x) for name, net in fitted.items()}, 1)
    pairs = n * (n + 1) / 2e6 / (best[UNIT] - best[LINEAR])
    return costs | {
        name: FittedCost(
            costs[name].ratio,
            at_equal[name],
            (first[name] - best[name]) * pairs,
        )
        for name, net in fitted.items()
    }


def caption(settings: str) -> str:
    """Say what was measured, and where."""
    given = [repr(net) for name, net in catalogue().items() if name in PARAMETERS]
    shown = ", ".join(f"`{text}`" for text in given)
    return (
        f"ntkfast {nk.__version__}, {machine()['processor']}, {nk.info()['simd']}, "
        f"{platform.system()}; {settings}.\nParameters other than the defaults: {shown}."
    )


def fitted_table(costs: Mapping[str, Mapping[str, Cost]]) -> str:
    """Lay out what only fitted activations have: their first call."""
    columns: dict[str, Callable[[FittedCost], str]] = {
        "norms differ": lambda cost: f"{cost.ratio:.1f}",
        "one norm": lambda cost: f"{cost.equal_norms:.1f}",
        "a fit": lambda cost: f"{cost.fit:.0f}",
    }
    lines = [
        line(["fitted", *(f"{column}, {dtype}" for column in columns for dtype in costs)]),
        line(["---", *["---:"] * len(columns) * len(costs)]),
    ]
    for name in costs[DTYPES[0]]:
        both = [cost for each in costs.values() if isinstance(cost := each[name], FittedCost)]
        if both:
            cells = (text(cost) for text in columns.values() for cost in both)
            lines.append(line([f"`{name}`", *cells]))
    return "\n".join(lines)


def filled(page: str, costs: Mapping[str, Mapping[str, Cost]], measured: str) -> str:
    """Put costs into the last cells of the activations' rows, and the rest between the marks."""
    for name in costs[DTYPES[0]]:
        cells = " | ".join(f"{each[name].ratio:.1f}" for each in costs.values())
        row = re.compile(rf"^(\| `{name}\(.*\|) [^|]* \| [^|]* \|$", re.MULTILINE)
        page, found = row.subn(rf"\g<1> {cells} |", page)
        if found != 1:
            raise SystemExit(f"{PAGE} has {found} rows for `{name}(...)`; expected one")
    return fill(page, measured)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the page anew and the record."""
    arguments = _parser().parse_args(argv)
    n, d, layers = arguments.n, arguments.d, arguments.layers
    nk.set_num_threads(1)
    costs = {dtype: measure(n, d, layers, dtype, arguments.repetitions) for dtype in DTYPES}
    for name in costs[DTYPES[0]]:
        print(f"{name:<20}", *(f"{each[name].ratio:8.1f}" for each in costs.values()))
    settings = f"n = {n:,} Gaussian points, d = {d:,}, {layers} layers, one thread"
    measured = f"{caption(settings)}\n\n{fitted_table(costs)}"
    print(f"\n{measured}")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), costs, measured), encoding="utf-8")
    record = {
        dtype: {name: asdict(cost) for name, cost in each.items()} for dtype, each in costs.items()
    }
    write_json(arguments.output, {"settings": {"n": n, "d": d, "layers": layers}, "costs": record})
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "activations", repetitions=11)
    parser.add_argument("-n", type=positive, default=2000, help="samples")
    parser.add_argument("-d", type=positive, default=50, help="features")
    parser.add_argument("--layers", type=positive, default=3, help="hidden layers")
    return parser


if __name__ == "__main__":
    main()
