"""Gram matrices of an infinitely wide ReLU network against NumPy's matrix product, in one run.

The bar: an NTK Gram matrix for the price of ``X @ X.T``. Both allocate what they return, both use
the same number of threads, their repetitions alternate, and the best of each counts.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from harness import Row, Work, alternate, peak_memory, positive, table, write_json
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import ntkfast as nk

FloatArray = NDArray[np.floating[Any]]

PRODUCT = "numpy X @ X.T"


def network(depth: int) -> nk.Serial:
    """`depth` hidden ReLU layers, with biases."""
    return nk.mlp(depth, nk.Relu(), w_std=math.sqrt(2), b_std=0.1)


def points(n: int, d: int, dtype: str) -> FloatArray:
    """Gaussian samples, the same in every run."""
    return np.random.default_rng(0).standard_normal((n, d), dtype=np.dtype(dtype))


def prepare_gram(n: int, d: int, depth: int, dtype: str, threads: int) -> Work:
    """Allocate and touch input and output; what is left is what the NTK needs beyond them."""
    nk.set_num_threads(threads)
    net, x, out = network(depth), points(n, d, dtype), np.empty((n, n), dtype)
    out.fill(0)
    return lambda: net.ntk(x, out=out)


def compare(n: int, d: int, depth: int, dtype: str, repetitions: int) -> list[Row]:
    """Time the kernels and the product in turn."""
    net, x = network(depth), points(n, d, dtype)
    ours: dict[str, Work] = {
        "NTK": lambda: net.ntk(x),
        "NNGP": lambda: net.nngp(x),
        "NNGP and NTK": lambda: net.kernels(x),
    }
    seconds = alternate({**ours, PRODUCT: lambda: x @ x.T}, repetitions)
    product = min(seconds[PRODUCT])
    return [Row(work, min(seconds[work]), product) for work in ours]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the record."""
    arguments = _parser().parse_args(argv)
    n, d, depth = arguments.n, arguments.d, arguments.depth
    dtype, threads = arguments.dtype, arguments.threads
    print(
        f"n = {n:,}, d = {d:,}, {depth} hidden ReLU layers with bias, {dtype}, "
        f"{threads} threads, {nk.info()['simd']}; best of {arguments.repetitions}\n"
    )
    nk.set_num_threads(threads)
    with threadpool_limits(limits=threads, user_api="blas"):
        rows = compare(n, d, depth, dtype, arguments.repetitions)
    print(table(rows, PRODUCT))

    peak = peak_memory(prepare_gram, n, d, depth, dtype, threads)
    copy = n * d * np.dtype(dtype).itemsize
    if peak is None:
        print("\npeak memory: this system does not tell")
    else:
        print(
            f"\npeak memory of the NTK beyond input and output: {peak / 2**20:.1f} MB "
            f"(one copy of X: {copy / 2**20:.1f} MB)"
        )
    settings = {"n": n, "d": d, "depth": depth, "dtype": dtype, "threads": threads}
    write_json(
        arguments.output,
        {
            "settings": settings,
            "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
            "peak_bytes_beyond_input_and_output": peak,
        },
    )
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=positive, default=5000, help="samples (default: %(default)s)")
    parser.add_argument("-d", type=positive, default=784, help="features (default: %(default)s)")
    parser.add_argument(
        "--depth", type=positive, default=3, help="hidden layers (default: %(default)s)"
    )
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    parser.add_argument("--repetitions", type=positive, default=7, help="(default: %(default)s)")
    parser.add_argument(
        "--threads", type=positive, default=nk.num_threads(), help="for both (default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parent / "results" / "gram.json",
        metavar="FILE",
        help="where to write the record, as JSON",
    )
    return parser


if __name__ == "__main__":
    main()
