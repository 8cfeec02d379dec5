"""One kernel in several packages: the NTK of a network of a few hidden ReLU layers."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from harness import Work
from numpy.typing import NDArray

import ntkfast as nk

FloatArray = NDArray[np.floating[Any]]
Bias = float | None

DEPTH = 3
INTERPRETER = Path(sys.prefix) / ".neural-tangents" / "bin" / "python"


def installed(package: str) -> bool:
    """Whether a package is in this environment."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def textbook(x: FloatArray, b_std: float) -> FloatArray:
    """Compute the NTK as papers print it, layer by layer in whole arrays of NumPy."""
    k = 2 * (x @ x.T) / x.shape[1] + b_std**2
    t = k
    for _ in range(DEPTH):
        root = np.sqrt(np.diag(k))
        scale = np.outer(root, root)
        cosine = np.clip(k / scale, -1, 1)
        angle = math.pi - np.arccos(cosine)
        k = scale * (np.sqrt(1 - cosine**2) + cosine * angle) / math.pi + b_std**2
        t = k + t * angle / math.pi
    return np.asarray(t)


def networks(b_std: Bias, x: FloatArray) -> dict[str, Work]:
    """Return what computes the NTK in this process."""
    net = nk.mlp(DEPTH, nk.Relu(), w_std=math.sqrt(2), b_std=b_std)
    kernels: dict[str, Work] = {
        "ntkfast": lambda: nk.Serial(*net.layers).ntk(x),
        "plain NumPy": lambda: textbook(x, b_std or 0.0),
    }
    # Its bias is another one: constant, and trained all the same.
    if b_std is None and installed("scikit-ntk"):
        from skntk import NeuralTangentKernel

        # What it returns is divided by the number of layers, and its first layer has no weights.
        scaled = x * math.sqrt(2 * (DEPTH + 1) / x.shape[1])
        kernels["scikit-ntk"] = lambda: NeuralTangentKernel(DEPTH, bias=0.0)(scaled)
    return kernels


def without_network(x: FloatArray) -> dict[str, Work]:
    """Return the kernels that are used where there is no network."""
    from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel

    return {
        "scikit-learn `rbf_kernel`": lambda: rbf_kernel(x),
        "scikit-learn `polynomial_kernel`": lambda: polynomial_kernel(x),
        "NumPy `X @ X.T`": lambda: x @ x.T,
    }


@dataclass(frozen=True)
class Worker:
    """neural-tangents in its own environment, compiled for some points."""

    process: subprocess.Popen[str]
    log: Path

    def compute(self) -> None:
        """Let it compute the Gram matrix once."""
        assert self.process.stdin is not None
        print("again", file=self.process.stdin, flush=True)
        self.answer()

    def answer(self) -> str:
        """Wait for the next line from it."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            raise SystemExit(f"neural-tangents ended:\n{self.log.read_text()}")
        return text


@contextmanager
def neural_tangents(
    b_std: Bias, x: FloatArray, threads: int, kept: int
) -> Iterator[tuple[Worker, FloatArray, dict[str, str]]]:
    """Start neural-tangents and wait until it has compiled.

    Its values for the first `kept` points and its versions come with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        points, values, log = (Path(folder, name) for name in ("x.npy", "values.npy", "log"))
        np.save(points, x)
        script = Path(__file__).with_name("neural_tangents_worker.py")
        bias = "none" if b_std is None else b_std
        command = [INTERPRETER, script, points, DEPTH, bias, threads, kept, values]
        with (
            log.open("w") as errors,
            subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as process,
        ):
            worker = Worker(process, log)
            versions = json.loads(worker.answer())
            yield worker, np.load(values), versions
