"""What functions cost that no polynomials resolve: each function, row, pair and near pair.

Differences of whole NNGP + NTK calls of one layer on one thread, best of several, into a table of
docs/activations.md. Rows have different norms, but for the last column.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import Work, alternate, base_parser, machine, write_json
from numpy.typing import NDArray
from pages import fill, line

import ntkfast as nk

Points = NDArray[np.floating[Any]]
PAGE = Path(__file__).parents[1] / "docs" / "activations.md"
NAME = "integrated"
ROWS, FEW, EQUAL = 300, 30, 2000


def sine(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a wave."""
    return np.sin(3 * z)


def bump(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a smooth function with a narrow bump."""
    return np.asarray(np.tanh(z) + 100 * np.exp(-1e6 * (z - 1) ** 2))


def relu6(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ReLU up to 6."""
    return np.clip(z, 0.0, 6.0)


def stairs(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a staircase."""
    return np.floor(3 * z)


FUNCTIONS: dict[str, nk.Network] = {
    "Hardtanh": nk.Hardtanh(),
    "min(max(z, 0), 6)": nk.Elementwise(relu6),
    "sign(z)": nk.Elementwise(np.sign),
    "floor(3z)": nk.Elementwise(stairs),
    "tanh(z) + 100·e^(−10⁶(z − 1)²)": nk.Elementwise(bump),
    "sin(3z), variances 1 to 400": nk.Elementwise(sine),
}


def network(activation: nk.Network) -> nk.Serial:
    """Return a network that has no program yet, and so no samples of its function."""
    return nk.Serial(nk.Dense(), activation, nk.Dense())


def scaled(points: Points, activation: nk.Network) -> Points:
    """Spread the norms: more for the wave, which series resolve else."""
    wide = isinstance(activation, nk.Elementwise) and activation.fn is sine
    return points * np.geomspace(1, 20 if wide else 2, len(points))[:, None]


def costs(activation: nk.Network, repetitions: int) -> dict[str, float]:
    """Return seconds by what they are for."""
    rng = np.random.default_rng(0)
    apart = scaled(rng.standard_normal((ROWS, 50)), activation)
    ray = rng.standard_normal((1, 50)) + 0.02 * rng.standard_normal((FEW, 50))
    close = scaled(ray, activation)
    equal = nk.data.unit_norm(rng.standard_normal((EQUAL, 50))) * math.sqrt(50)
    ready, parallel, one = network(activation), network(activation), network(activation)
    relu = network(nk.Relu())
    works: dict[str, Work] = {
        "new": lambda: network(activation).nngp(apart[[0, -1]], diagonal=True),
        "rows": lambda: ready.nngp(apart, diagonal=True),
        "gram": lambda: ready.kernels(apart),
        "close": lambda: parallel.kernels(close),
        "equal": lambda: one.kernels(equal),
        "relu": lambda: relu.kernels(equal),
    }
    best = {
        name: min(times) for name, times in alternate(works, repetitions, time.process_time).items()
    }
    row = best["rows"] / ROWS
    pair = (best["gram"] - best["rows"]) / (ROWS * (ROWS - 1) / 2)
    near = (best["close"] - FEW * row) / (FEW * (FEW - 1) / 2)
    return {
        "function": best["new"],
        "row": row,
        "pair": pair,
        "near pair": near,
        "one norm": best["equal"] / best["relu"],
    }


COLUMNS: dict[str, tuple[str, Callable[[dict[str, float]], str]]] = {
    "the function, ms": ("---:", lambda cost: f"{1e3 * cost['function']:.0f}"),
    "per row, µs": ("---:", lambda cost: f"{1e6 * cost['row']:.0f}"),
    "per pair, µs": ("---:", lambda cost: f"{1e6 * cost['pair']:.2f}"),
    "per nearly parallel pair, µs": ("---:", lambda cost: f"{1e6 * cost['near pair']:.0f}"),
    "one norm, n = 2,000": ("---:", lambda cost: f"{cost['one norm']:.1f} × ReLU"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the page anew and the record."""
    arguments = _parser().parse_args(argv)
    nk.set_num_threads(1)
    measured = {name: costs(net, arguments.repetitions) for name, net in FUNCTIONS.items()}
    lines = [
        f"{machine()['processor']}, {nk.info()['simd']}, one thread, float64.\n",
        line(["function", *COLUMNS]),
        line(["---", *(align for align, _ in COLUMNS.values())]),
        *(
            line([name, *(text(cost) for _, text in COLUMNS.values())])
            for name, cost in measured.items()
        ),
    ]
    text = "\n".join(lines)
    print(text)
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), text, NAME), encoding="utf-8")
    write_json(arguments.output, {"machine": machine(), "costs": measured})


def _parser() -> argparse.ArgumentParser:
    return base_parser(__doc__, "integrated", 3)


if __name__ == "__main__":
    main()
