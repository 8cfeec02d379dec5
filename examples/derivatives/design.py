"""Find the largest value of an unknown function by gradients of a posterior: learned designs.

A Gaussian process with the kernel of an infinitely wide network is conditioned on what is known of
the Hartmann function of six variables (its maximum is 3.322). Gradient ascent on mean + 2·(standard
deviation) finds points that may be better, which are evaluated and added. Prints the best value
found, beside that of as many random points.

    python design.py
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

import ntkfast as nk

Array = NDArray[np.float64]

# Dixon and Szegő (1978).
WIDTHS = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(x: Array) -> Array:
    """Return the function at points of the cube [-1, 1]⁶, shape (n, 6)."""
    distances = np.einsum("nkd,kd->nk", ((x[:, None] + 1) / 2 - CENTRES) ** 2, WIDTHS)
    values: Array = np.exp(-distances) @ [1.0, 1.2, 3.0, 3.2]
    return values


class Surrogate:
    """A posterior, and the gradient of its upper confidence bound."""

    def __init__(self, network: nk.Network, x: Array, y: Array) -> None:
        self.network, self.x = network, x
        self.mean, scale = y.mean(), network.nngp(x, diagonal=True).mean()
        self.size = y.std() / np.sqrt(scale)
        self.factor = cho_factor(network.nngp(x) + 1e-4 * scale * np.eye(len(x)))
        self.weights = cho_solve(self.factor, (y - self.mean) / self.size)

    def bound(self, points: Array) -> tuple[Array, Array]:
        """Return mean + 2·std at points, and the gradient of their sum."""
        cross = self.network.nngp(points, self.x)
        solved = cho_solve(self.factor, cross.T).T
        rest = self.network.nngp(points, diagonal=True) - np.einsum("ij,ij->i", cross, solved)
        std = np.sqrt(np.maximum(rest, 1e-12))
        # By the kernels with the data, and by those of the points with themselves.
        by_cross = self.weights - 2 * solved / std[:, None]
        gradient = self.network.nngp_vjp(points, self.x, by_cross)[0]
        gradient += self.network.nngp_vjp(points, None, np.diag(1 / std))
        return self.mean + self.size * (cross @ self.weights + 2 * std), self.size * gradient


def propose(surrogate: Surrogate, starts: Array) -> Array:
    """Return the ends of gradient ascent from these points, within the cube."""

    def cost(flat: Array) -> tuple[float, Array]:
        values, gradient = surrogate.bound(flat.reshape(starts.shape))
        return -values.sum(), -gradient.ravel()

    bounds = [(-1.0, 1.0)] * starts.size
    found = minimize(cost, starts.ravel(), jac=True, method="L-BFGS-B", bounds=bounds)
    points: Array = found.x.reshape(starts.shape)
    return points


def main(arguments: list[str] | None = None) -> list[float]:
    """Search, and return the best value after each round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--points", type=int, default=10, help="evaluations in a round")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    network = nk.mlp(2, nk.Erf(), w_std=2.0, b_std=0.5)
    x = rng.uniform(-1, 1, (3 * options.points, 6))
    y = hartmann(x)
    best = [float(y.max())]
    print(f"{len(x):4d} random points: {best[0]:.3f}")
    for _ in range(options.rounds):
        surrogate = Surrogate(network, x, y)
        near = x[np.argsort(y)[-options.points :]] + 0.2 * rng.standard_normal((options.points, 6))
        candidates = np.clip(np.vstack([near, rng.uniform(-1, 1, (2_000, 6))]), -1, 1)
        values, _ = surrogate.bound(candidates)
        points = propose(surrogate, candidates[np.argsort(values)[-options.points :]])
        x, y = np.vstack([x, points]), np.append(y, hartmann(points))
        best.append(float(y.max()))
        print(f"{len(x):4d} points: {best[-1]:.3f}")
    print(f"as many random points: {hartmann(rng.uniform(-1, 1, (len(x), 6))).max():.3f}")
    return best


if __name__ == "__main__":
    main()
