"""All depths, and all numbers of frozen first layers, against the deepest kernel alone, in one run.

The layers are computed once whatever the number of results; what remains is the writing of the
results, whose price the last row shows: a stack of that size filled with a constant.
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
    positive,
    table,
    write_json,
)

import ntkfast as nk

DEEPEST = "deepest alone"


def compare(n: int, d: int, depth: int, repetitions: int) -> list[Row]:
    """Time the families, the separate calls, and the writing of a stack, in turn."""
    net = nk.mlp(depth, nk.Relu(), w_std=math.sqrt(2), b_std=0.1)
    cuts = [nk.Serial(*net.layers[: 2 * hidden], net.layers[-1]) for hidden in range(depth + 1)]
    x = np.random.default_rng(0).standard_normal((n, d))
    # In place, as for a search over depths: pages are touched before the clock runs.
    stack, one = np.zeros((depth + 2, n, n)), np.zeros((n, n))
    depths = stack[:-1]
    works: dict[str, Work] = {
        f"NTK, {depth + 1} depths": lambda: nk.ntk_by_depth(net, x, out=depths),
        "one by one": lambda: [cut.ntk(x, out=out) for cut, out in zip(cuts, depths, strict=True)],
        f"NTK, {depth + 2} frozen": lambda: nk.ntk_by_frozen(net, x, out=stack),
        f"writing {depth + 1}": lambda: depths.fill(1.0),
    }
    seconds = alternate({**works, DEEPEST: lambda: net.ntk(x, out=one)}, repetitions)
    return [Row(work, min(seconds[work]), min(seconds[DEEPEST])) for work in works]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the record."""
    arguments = _parser().parse_args(argv)
    n, d, depth, threads = arguments.n, arguments.d, arguments.depth, arguments.threads
    print(
        f"n = {n:,}, d = {d:,}, {depth} hidden ReLU layers with bias, float64, {threads} threads, "
        f"{nk.info()['simd']}; best of {arguments.repetitions}\n"
    )
    with on_threads(threads):
        rows = compare(n, d, depth, arguments.repetitions)
    print(table(rows, DEEPEST))
    settings = {"n": n, "d": d, "depth": depth, "threads": threads}
    write_json(arguments.output, {"settings": settings, "rows": [row.record() for row in rows]})
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "family", repetitions=7)
    add_threads(parser)
    parser.add_argument("-n", type=positive, default=2500, help="samples")
    parser.add_argument("-d", type=positive, default=784, help="features")
    parser.add_argument("--depth", type=positive, default=5, help="hidden layers")
    return parser


if __name__ == "__main__":
    main()
