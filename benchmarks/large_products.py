"""Products from kept blocks against the read rate of the machine; recomputed, against a Gram call.

The works take turns, and the medians count. The read rate is that of dot products of a vector as
large as the blocks with itself, on as many threads. The bars: one column reads the kept blocks at
60% of that rate, and ten columns take 2.5 times as long as one.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np
from harness import add_threads, alternate, base_parser, load, on_threads, positive, write_json
from numpy.typing import NDArray

import ntkfast as nk

READ, ONE, TEN = "reading", "one column", "ten columns"
AGAIN, GRAM = "ten columns, recomputed", "Gram matrix"
NETWORK = nk.mlp(3, w_std=2**0.5)


@dataclass(frozen=True)
class Ratio:
    """A ratio of two times of one run, and its bar."""

    name: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        """Whether the ratio is within its bar."""
        return (self.least or 0.0) <= self.value <= (np.inf if self.most is None else self.most)

    def __str__(self) -> str:
        bars = (("at least", self.least), ("at most", self.most))
        bar = next((f", {word} {value:g}" for word, value in bars if value is not None), "")
        return f"{self.name}: {self.value:.2f}{bar}{'' if self.met else ': missed'}"


def kept(n: int, threads: int, repetitions: int) -> dict[str, float]:
    """Return the seconds of products from kept blocks in float32, and of reading as many bytes."""
    rng = np.random.default_rng(0)
    op = nk.KernelOperator(NETWORK, rng.normal(size=(n, 18)).astype(np.float32))
    vectors = rng.normal(size=(n, 10))
    _ = op @ vectors
    numbers = rng.normal(size=op.kept // 8)
    parts = np.array_split(numbers, threads)

    def square(part: NDArray[np.float64]) -> float:
        return float(part @ part)

    with ThreadPoolExecutor(threads) as pool:
        works = {
            READ: lambda: list(pool.map(square, parts)),
            ONE: lambda: op @ vectors[:, 0],
            TEN: lambda: op @ vectors,
        }
        seconds = alternate(works, repetitions)
    print(f"{n:,} points, {op.kept / 1e9:.2f} GB of blocks")
    return {name: median(times) for name, times in seconds.items()}


def recomputed(n: int, repetitions: int) -> dict[str, float]:
    """Return the seconds of a product without kept blocks and of a Gram matrix, d = 784."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 784)).astype(np.float32)
    op, vectors = nk.KernelOperator(NETWORK, x, memory=0), rng.normal(size=(n, 10))
    out = np.ones((n, n), np.float32)
    works = {AGAIN: lambda: op @ vectors, GRAM: lambda: NETWORK.ntk(x, out=out)}
    return {name: median(times) for name, times in alternate(works, repetitions).items()}


def main() -> int:
    """Measure, print and record; 1 if a bar is missed."""
    arguments = _parser().parse_args()
    before = load()
    with on_threads(1):  # of BLAS, below threads of our own
        nk.set_num_threads(arguments.threads)
        seconds = kept(arguments.points, arguments.threads, arguments.repetitions)
        seconds |= recomputed(arguments.gram_points, arguments.repetitions)
    for name, value in seconds.items():
        print(f"{name}: {value:.4f} s")
    ratios = [
        Ratio("read rate of one column", seconds[READ] / seconds[ONE], least=0.6),
        Ratio("ten columns relative to one", seconds[TEN] / seconds[ONE], most=2.5),
        Ratio("ten recomputed columns relative to a Gram matrix", seconds[AGAIN] / seconds[GRAM]),
    ]
    print(*ratios, sep="\n")
    record = {
        "settings": {"load_before": before, "load_after": load()},
        "seconds": seconds,
        "ratios": [asdict(ratio) | {"met": ratio.met} for ratio in ratios],
    }
    write_json(arguments.output, record)
    return 0 if all(ratio.met for ratio in ratios) else 1


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "large_products", repetitions=9)
    add_threads(parser)
    parser.add_argument("--points", type=positive, default=30_000, help="with kept blocks")
    parser.add_argument("--gram-points", type=positive, default=10_000, help="of 784 features")
    return parser


if __name__ == "__main__":
    sys.exit(main())
