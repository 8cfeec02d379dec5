r"""Exact regression beyond memory by conjugate gradients: MNIST, or generated points.

The first argument is a folder with MNIST (as for ``mnist.py``), or the word ``generated``. It
prints the time of each phase, the residuals, the peak memory of the process and the test error::

    .venv/bin/python benchmarks/large.py FOLDER --points 60000 --ridge 1e-4
    .venv/bin/python benchmarks/large.py generated --points 200000 --memory 0 --ridge 1e-2 \
        --checkpoint solve.npz

A run with a checkpoint can be killed, and the same command goes on from there. A factor in float32,
UCI data, other packages and single products are in ``large_factor.py``, ``large_uci.py``,
``large_peers.py`` and ``large_products.py``.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mnist import read
from numpy.typing import NDArray

import ntkfast as nk
from ntkfast.solvers import ConjugateGradients

Array = NDArray[np.float32]


def main() -> None:
    """Fit, predict and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a folder with MNIST, or 'generated'")
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=18, help="of generated points")
    parser.add_argument("--ridge", type=float, default=1e-4, help="relative to the mean diagonal")
    parser.add_argument("--tol", type=float, default=1e-6)
    parser.add_argument("--rank", type=int, help="pivots of the preconditioner")
    parser.add_argument("--memory", type=float, help="bytes for kept blocks")
    parser.add_argument("--checkpoint")
    parser.add_argument("--double", action="store_true", help="float64 with corrections")
    arguments = parser.parse_args()

    x, y, x_test, y_test = problem(arguments)
    if arguments.double:
        x, x_test = x.astype(np.float64), x_test.astype(np.float64)
    net = nk.mlp(3, w_std=2**0.5)
    op = nk.KernelOperator(net, x, memory=arguments.memory)
    ridge = arguments.ridge * float(op.diagonal().mean())
    solver = ConjugateGradients(
        arguments.tol, arguments.rank, checkpoint=arguments.checkpoint, progress=report()
    )
    begun = time.perf_counter()
    fit = nk.KernelRegression(op, y, diag_reg=ridge, solver=solver)
    seconds = time.perf_counter() - begun
    print(f"\nfit of {x.shape}, ridge {arguments.ridge:g}: {seconds:.1f} s")
    print(getattr(fit.prepared, "report", None))
    begun = time.perf_counter()
    outputs = fit.predict(nk.KernelOperator(net, x_test, x, memory=0))
    print(f"prediction of {len(x_test)}: {time.perf_counter() - begun:.1f} s")
    if y_test.ndim == 2:
        right = outputs.argmax(axis=1) == y_test.argmax(axis=1)
        print(f"test accuracy {right.mean():.4f}")
    else:
        print(f"test error {np.sqrt(np.mean((outputs - y_test) ** 2)):.4f} of {y_test.std():.4f}")
    print(f"peak memory of the process {peak() / 1e9:.2f} GB")


def peak() -> int:
    """Return the peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def problem(arguments: argparse.Namespace) -> tuple[Array, Array, Array, Array]:
    """Return training and test points and targets."""
    n = arguments.points
    if arguments.data != "generated":
        train, test = read([Path(arguments.data)])
        train = train.first(n)
        sets = [a.astype(np.float32) for a in (train.x, train.targets, test.x, test.targets)]
        return sets[0], sets[1], sets[2], sets[3]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n + 2000, arguments.features)).astype(np.float32)
    y = (np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]).astype(np.float32)
    y += 0.1 * rng.normal(size=len(y)).astype(np.float32)
    return x[:n], y[:n], x[n:], y[n:]


def report() -> Callable[[int, int], None]:
    """Print progress about every ten seconds."""
    last = [time.perf_counter()]

    def tell(done: int, total: int) -> None:
        if time.perf_counter() - last[0] > 10:
            last[0] = time.perf_counter()
            print(f"{done} of {total}", flush=True)

    return tell


if __name__ == "__main__":
    main()
