"""Mean and variance of trained networks on many test points: time, and memory without m × m.

``Ensemble.predict(covariance="diagonal")`` against NumPy's products of the same sizes, which is
what it cannot do without: three of (m × n) with (n × n). They are given all their memory at once;
the prediction works in blocks of test points.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

import numpy as np
from harness import (
    Row,
    Work,
    add_threads,
    alternate,
    base_parser,
    on_threads,
    peak_memory,
    positive,
    table,
    write_json,
)

import ntkfast as nk

PRODUCTS = "numpy products"
TIME = 10.0


def prepare(m: int, n: int, d: int, threads: int) -> Work:
    """Train an ensemble; what is left is to predict."""
    nk.set_num_threads(threads)
    rng = np.random.default_rng(0)
    x, x_test, y = rng.standard_normal((n, d)), rng.standard_normal((m, d)), rng.standard_normal(n)
    ensemble = nk.Ensemble(nk.mlp(3, nk.Relu(), w_std=math.sqrt(2), b_std=0.1), x, y)
    # What the first covariance computes once.
    ensemble.predict(x_test[:1], t=TIME, covariance="diagonal")
    return lambda: ensemble.predict(x_test, t=TIME, covariance="diagonal")


def products(m: int, n: int) -> Work:
    """Multiply as often as a prediction has to."""
    rng = np.random.default_rng(0)
    tall, square = rng.standard_normal((m, n)), rng.standard_normal((n, n))

    return lambda: [tall @ square for _ in range(3)]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the record."""
    arguments = _parser().parse_args(argv)
    m, n, d, threads = arguments.m, arguments.n, arguments.d, arguments.threads
    print(
        f"m = {m:,} test points, n = {n:,} training points, d = {d:,}, 3 hidden ReLU layers with "
        f"bias, float64, {threads} threads, {nk.info()['simd']}; best of {arguments.repetitions}\n"
    )
    work = prepare(m, n, d, threads)
    with on_threads(threads):
        seconds = alternate({"predict": work, PRODUCTS: products(m, n)}, arguments.repetitions)
    row = Row("mean and variance", min(seconds["predict"]), min(seconds[PRODUCTS]))
    print(table([row], PRODUCTS))

    del work
    peak = peak_memory(prepare, m, n, d, threads)
    if peak is None:
        print("\npeak memory: this system does not tell")
    else:
        print(
            f"\npeak memory of the prediction: {peak / 2**20:.1f} MB (m × m numbers are "
            f"{8 * m * m / 2**20:.1f} MB, m × n are {8 * m * n / 2**20:.1f} MB)"
        )
    write_json(
        arguments.output,
        {
            "settings": {"m": m, "n": n, "d": d, "threads": threads},
            "rows": [row.record()],
            "peak_bytes": peak,
        },
    )
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "ensemble", repetitions=3)
    add_threads(parser)
    parser.add_argument("-m", type=positive, default=10_000, help="test points")
    parser.add_argument("-n", type=positive, default=2000, help="training points")
    parser.add_argument("-d", type=positive, default=100, help="features")
    return parser


if __name__ == "__main__":
    main()
