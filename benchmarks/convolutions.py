"""What a pair of images costs under convolutional networks, beside a float32 matrix product.

Images are 32 × 32 with three channels. The price is for each unordered pair of a Gram matrix, in
milliseconds, and in products of two 2000 × 2000 matrices in float32 by NumPy, timed in turn with
it: milliseconds drift with the machine, ratios less. Processor time is that of all threads; where
it is much less than threads times wall clock, others had the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from harness import (
    Row,
    Work,
    add_threads,
    alternate,
    base_parser,
    load,
    on_threads,
    peak_memory,
    table,
    write_json,
)

import ntkfast as nk

PRODUCT = "product"

MEMORY = 64e6
"""The most bytes beyond the output that two threads may take for 500 images and pooling."""


@dataclass(frozen=True)
class Case:
    """A Gram matrix, and the most milliseconds that a pair of it may take."""

    name: str
    network: Callable[[], nk.Network]
    n: int
    dtype: str
    bar: float

    @property
    def pairs(self) -> int:
        """Unordered pairs, with those of an image with itself."""
        return self.n * (self.n + 1) // 2


CASES = (
    Case("21 layers, global pooling, float32", lambda: nk.cntk(20), 16, "float32", 30.0),
    Case("21 layers, global pooling, float64", lambda: nk.cntk(20), 16, "float64", 70.0),
    Case("21 layers, Flatten, float32", lambda: nk.cntk(20, pooling=False), 500, "float32", 0.03),
    Case("Myrtle-5, float32", lambda: nk.myrtle(5), 16, "float32", 15.0),
)


def images(n: int, dtype: str) -> np.ndarray:
    """Return random images."""
    return np.random.default_rng(0).standard_normal((n, 32, 32, 3)).astype(dtype)


def measure(case: Case, repetitions: int) -> tuple[Row, Row, float]:
    """Time a case and the product in turn; return its price, its ratio, and its processor time."""
    network, x = case.network(), images(case.n, case.dtype)
    a = np.ones((2000, 2000), np.float32)
    busy: list[float] = []

    def gram() -> None:
        start = time.process_time()
        network.ntk(x)
        busy.append(time.process_time() - start)

    works: dict[str, Work] = {case.name: gram, PRODUCT: lambda: a @ a}
    seconds = alternate(works, repetitions)
    wall = min(seconds[case.name]) / case.pairs
    price = Row(case.name, 1e3 * wall, bar=case.bar, unit="ms a pair")
    return price, Row(case.name, wall, min(seconds[PRODUCT])), 1e3 * min(busy) / case.pairs


def memory_of_pooling(dtype: str, threads: int) -> Work:
    """Prepare a call on 500 images, its output in place."""
    x, out = images(500, dtype), np.ones((20, 500), dtype)
    network = nk.cntk(20)
    nk.set_num_threads(threads)
    return lambda: network.ntk(x[:20], x, out=out)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print tables, write the record."""
    parser = base_parser(__doc__, "convolutions", repetitions=3)
    add_threads(parser)
    parser.add_argument("--only", default="", help="cases with this in their names")
    parser.add_argument(
        "--memory", action="store_true", help="also the memory of 500 images; minutes"
    )
    arguments: argparse.Namespace = parser.parse_args(argv)
    print(f"{arguments.threads} threads, {nk.info()['simd']}, load before: {load()}\n")
    cases = [case for case in CASES if arguments.only in case.name]
    prices, ratios, busy = [], [], []
    with on_threads(arguments.threads):
        for case in cases:
            price, ratio, processor = measure(case, arguments.repetitions)
            prices.append(price)
            ratios.append(ratio)
            busy.append(processor)
            verdict = "met" if price.met else "missed"
            print(
                f"{case.name:<40}{price.ours:9.4f} ms a pair, at most {case.bar} {verdict};"
                f" {processor:9.4f} ms of processors; {ratio.figure:.4f} products",
                flush=True,
            )
    print("\n" + table(ratios, "A @ A, 2000³, float32"))
    record: dict[str, object] = {
        "threads": arguments.threads,
        "rows": [
            {**price.record(), "products": ratio.figure, "processor_ms": processor}
            for price, ratio, processor in zip(prices, ratios, busy, strict=True)
        ],
    }
    if arguments.memory:
        print(f"memory beyond the output, 20 against 500 images, at most {MEMORY / 1e6:.0f} MB:")
        for dtype in ("float32", "float64"):
            peak = peak_memory(memory_of_pooling, dtype, arguments.threads)
            record[f"memory, {dtype}"] = peak
            print(f"  {dtype}: {'not told here' if peak is None else f'{peak / 1e6:.1f} MB'}")
    write_json(arguments.output, record)
    print(f"record: {arguments.output}")


if __name__ == "__main__":
    main()
