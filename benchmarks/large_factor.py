"""A Gaussian process on MNIST with a factor in float32: evidence, leave-one-out, error bars.

It prints the time since the start of the process after each result, and the peak memory::

    .venv/bin/python benchmarks/large_factor.py FOLDER --points 60000
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from large import peak, problem, report

import ntkfast as nk
from ntkfast.solvers import SingleCholeskySolver

BEGUN = time.perf_counter()


def main() -> None:
    """Compute everything in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a folder with MNIST, or 'generated'")
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=18, help="of generated points")
    parser.add_argument("--noise", type=float, default=1e-4, help="relative to the mean variance")
    parser.add_argument("--tol", type=float, default=1e-6)
    parser.add_argument("--variances", type=int, default=100, help="test points with error bars")
    arguments = parser.parse_args()
    x, y, x_test, y_test = problem(arguments)
    net = nk.mlp(3, w_std=2**0.5)
    noise = arguments.noise * float(net.nngp(x, diagonal=True).mean())
    solver = SingleCholeskySolver(tol=arguments.tol, progress=report())
    posterior = nk.Posterior(net, x, y, noise_variance=noise, solver=solver)
    tell("fit", getattr(posterior.regression.prepared, "report", ""))
    means = posterior.predict(x_test).mean
    if y_test.ndim == 2:
        right = means.argmax(axis=1) == y_test.argmax(axis=1)
        tell("predictions", f"test accuracy {right.mean():.4f}")
    else:
        tell("predictions", f"test error {np.sqrt(np.mean((means - y_test) ** 2)):.4f}")
    value, error = posterior.log_marginal_likelihood(return_std=True)
    tell("evidence", f"{value:.2f} +- {error:.2f}")
    left_out = posterior.leave_one_out().mean
    tell("leave-one-out", f"error {np.sqrt(np.mean((left_out - y) ** 2)):.5f}")
    tell("its error at 16 points", f"{posterior.regression.prepared.inverse_diagonal_error:.2g}")
    tell("variances", posterior.predict(x_test[: arguments.variances], covariance="diagonal"))
    print(f"peak memory of the process {peak() / 1e9:.2f} GB")


def tell(what: str, found: object) -> None:
    """Print a result and the time until it was there."""
    print(f"{time.perf_counter() - BEGUN:7.0f} s  {what}: {found}", flush=True)


if __name__ == "__main__":
    main()
