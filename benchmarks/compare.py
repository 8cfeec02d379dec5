"""Two builds of ntkfast in one run: the ratio of their times, work by work.

    python benchmarks/compare.py OLD NEW

OLD and NEW are folders that hold a package `ntkfast` with its extension (`python/` of two
checkouts). Each works in a process of its own, where networks are built anew for each repetition.
The two take turns, first one then the other, so that the drift of a machine hits both alike. The
ratio of a work is the median of the ratios of its pairs: below 1, NEW is faster. The spread beside
it is half the distance of the quartiles.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
Work: TypeAlias = Callable[[], object]
Case: TypeAlias = Callable[[Any, FloatArray], Work]  # from a package and samples


def main() -> int:
    """Compare two builds, or be one of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("old", type=Path, help="folder of the package to compare with")
    parser.add_argument("new", type=Path, help="folder of the package")
    parser.add_argument("--repetitions", type=int, default=9, help="pairs of each work")
    parser.add_argument("--only", default="", help="works whose names hold this text")
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="processor time of one thread: for a machine that is busy",
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(time.process_time if arguments.cpu else time.perf_counter)
        return 0
    processes = [start(folder, arguments.cpu) for folder in (arguments.old, arguments.new)]
    names = [name for name in CASES if arguments.only in name]
    print(f"{'work':<44}{'old':>12}{'new':>12}{'new/old':>9}{'±':>7}")
    for name in names:
        pairs = []
        for repetition in range(-1, arguments.repetitions):
            order = processes if repetition % 2 else processes[::-1]
            seconds = {id(process): ask(process, name) for process in order}
            if repetition >= 0:  # the first pair wakes threads
                pairs.append([seconds[id(process)] for process in processes])
        ratios = [new / old for old, new in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4)
        old, new = (statistics.median(side) for side in zip(*pairs, strict=True))
        times = f"{old * 1e3:>9.3f} ms{new * 1e3:>9.3f} ms"
        print(f"{name:<44}{times}{middle:>9.3f}{(high - low) / 2:>7.3f}", flush=True)
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    return 0


def start(folder: Path, cpu: bool) -> subprocess.Popen[str]:
    """Start the process of one build."""
    if not list((folder / "ntkfast").glob("_ntkfast*")):
        raise SystemExit(f"compare: {folder} holds no ntkfast with an extension; build it first")
    command = [sys.executable, __file__, "--serve", str(folder), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(folder.resolve())}
    if cpu:
        command.append("--cpu")
        environment["NTKFAST_NUM_THREADS"] = "1"
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)


def ask(process: subprocess.Popen[str], name: str) -> float:
    """Let a build do a work once, and return the seconds it took."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(name, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def serve(clock: Callable[[], float]) -> None:
    """Do the works that are asked for on standard input."""
    import ntkfast as nk

    known: dict[str, Work] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in known:
            case, size = CASES[name]
            known[name] = case(nk, points(*size))
        time.sleep(0.02)  # the threads of the other process go to sleep
        begun = clock()
        known[name]()
        print(clock() - begun, flush=True)


def points(n: int, d: int, dtype: str = "float64") -> FloatArray:
    """Gaussian samples, the same in both processes."""
    return np.random.default_rng(0).standard_normal((n, d)).astype(dtype)


def mlp(depth: int, activation: str, b_std: float | None, kernel: str = "ntk") -> Case:
    """Return a case: a multilayer perceptron, built anew, on the samples it is given."""

    def case(nk: Any, x: FloatArray) -> Work:
        build = partial(nk.mlp, depth, getattr(nk, activation)(), w_std=1.4, b_std=b_std)
        return lambda: getattr(build(), kernel)(x)

    return case


def many(count: int) -> Case:
    """Return a case: so many calls of one network."""

    def repeated(nk: Any, x: FloatArray) -> Work:
        network = nk.mlp(3, nk.Relu(), w_std=1.4, b_std=0.1)
        return lambda: [network.ntk(x) for _ in range(count)]

    return repeated


def images(nk: Any, x: FloatArray) -> Work:
    """Return a convolutional network with pooling."""
    pictures = x.reshape(len(x), 12, 12, 3)
    return lambda: nk.cntk(5).ntk(pictures)


def cross(nk: Any, x: FloatArray) -> Work:
    """Return the kernel from all samples to a tenth of them."""
    return lambda: nk.mlp(3, nk.Relu(), w_std=1.4, b_std=0.1).ntk(x, x[: len(x) // 10])


def eigh(nk: Any, x: FloatArray) -> Work:
    """Return an eigendecomposition."""
    gram = x @ x.T / x.shape[1]
    return lambda: nk.eigh(gram)


RELU = mlp(3, "Relu", 0.1)
CASES: dict[str, tuple[Case, tuple[Any, ...]]] = {
    "NTK, 3 ReLU, 4,000 x 784": (RELU, (4000, 784)),
    "NNGP, 3 ReLU, 4,000 x 784": (mlp(3, "Relu", 0.1, "nngp"), (4000, 784)),
    "NTK, 3 ReLU, 4,000 x 784, float32": (RELU, (4000, 784, "float32")),
    "NTK, 3 ReLU, 3,000 x 10": (RELU, (3000, 10)),
    "NTK, 3 ReLU, 3,000 x 100": (RELU, (3000, 100)),
    "NTK, 3 ReLU, 3,000 x 100, float32": (RELU, (3000, 100, "float32")),
    "NTK, 10 ReLU, 3,000 x 100": (mlp(10, "Relu", 0.1), (3000, 100)),
    "NTK, 30 ReLU, no bias, 3,000 x 100": (mlp(30, "Relu", None), (3000, 100)),
    **{
        f"NTK, 3 {name}, 3,000 x 100": (mlp(3, name, 0.1), (3000, 100))
        for name in ("LeakyRelu", "Erf", "Gelu", "Sin", "Gabor", "Sign", "Tanh")
    },
    "NTK, 3 Erf, 3,000 x 100, float32": (mlp(3, "Erf", 0.1), (3000, 100, "float32")),
    "NTK, 3 Gelu, 3,000 x 100, float32": (mlp(3, "Gelu", 0.1), (3000, 100, "float32")),
    "NTK, 3 Tanh, 3,000 x 100, float32": (mlp(3, "Tanh", 0.1), (3000, 100, "float32")),
    "cross kernel, 4,000 to 400 x 784": (cross, (4000, 784)),
    "100 calls, 10 x 784": (many(100), (10, 784)),
    "100 calls, 100 x 20": (many(100), (100, 20)),
    "cntk(5), 40 images of 12 x 12": (images, (40, 432)),
    "cntk(5), 40 images of 12 x 12, float32": (images, (40, 432, "float32")),
    "eigh, 600": (eigh, (600, 700)),
}


if __name__ == "__main__":
    raise SystemExit(main())
