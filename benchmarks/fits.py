"""What whole calls with fitted activations cost, in units of the same network with ReLU.

An NTK Gram matrix in place, with biases, on Gaussian points and on points whose variances span four
decades: with the fits that a network has kept, and with their making.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from harness import (
    Row,
    Work,
    add_threads,
    alternate,
    base_parser,
    load,
    on_threads,
    positive,
    table,
    write_json,
)
from numpy.typing import NDArray

import ntkfast as nk

FITTED = (nk.Tanh(), nk.Sigmoid(), nk.Softplus(), nk.Swish(), nk.Elu(), nk.Selu())
BAR = 10.0
"""The most that one may cost, in units of ReLU, with the making of its fit."""


def network(activation: nk.Network, layers: int) -> nk.Serial:
    """Return a network that has no program yet, and so no fits."""
    return nk.Serial(*(nk.Dense(w_std=1.5, b_std=0.1), activation) * layers, nk.Dense())


def compare(x: NDArray[np.float64], points: str, layers: int, repetitions: int) -> list[Row]:
    """Time all activations in turn."""
    out = np.zeros((len(x), len(x)))

    def kept(activation: nk.Network) -> Work:
        net = network(activation, layers)
        return lambda: net.ntk(x, out=out)

    def made(activation: nk.Network) -> Work:
        return lambda: network(activation, layers).ntk(x, out=out)

    name = f"{layers} × {{}}, {points}, fits {{}}".format
    works = {"ReLU": kept(nk.Relu())}
    for activation in FITTED:
        works[name(type(activation).__name__, "kept")] = kept(activation)
        works[name(type(activation).__name__, "made")] = made(activation)
    best = {work: min(seconds) for work, seconds in alternate(works, repetitions).items()}
    unit = best.pop("ReLU")
    return [Row(work, seconds, unit, BAR) for work, seconds in best.items()]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the record."""
    arguments = _parser().parse_args(argv)
    n, d, threads = arguments.n, arguments.d, arguments.threads
    rng = np.random.default_rng(0)
    gaussian = rng.standard_normal((n, d))
    decades = gaussian * 10 ** rng.uniform(-1, 1, (n, 1))
    print(
        f"n = {n:,}, d = {d:,}, float64, {threads} threads, {nk.info()['simd']}; "
        f"best of {arguments.repetitions}; load before: {load()}\n"
    )
    rows: list[Row] = []
    with on_threads(threads):
        for layers in (1, 3):
            rows += compare(gaussian, "Gaussian", layers, arguments.repetitions)
            rows += compare(decades, "four decades", layers, arguments.repetitions)
    print(table(rows, "with ReLU"))
    settings = {"n": n, "d": d, "threads": threads}
    write_json(arguments.output, {"settings": settings, "rows": [row.record() for row in rows]})
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "fits", repetitions=3)
    add_threads(parser)
    parser.add_argument("-n", type=positive, default=5000, help="samples")
    parser.add_argument("-d", type=positive, default=50, help="features")
    return parser


if __name__ == "__main__":
    main()
