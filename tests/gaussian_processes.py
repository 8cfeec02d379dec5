"""Kernels of random features, so that Σ, Θ and all their blocks belong together."""

import numpy as np
import scipy.linalg

import ntkfast as nk


class Problem:
    """Σ = F·Fᵀ and Θ = Σ + G·Gᵀ on n training and m test points, and targets of shape (n, c)."""

    def __init__(self, n=12, m=5, c=3, features=40, seed=0):
        rng = np.random.default_rng(seed)
        self.n, self.m, self.c = n, m, c
        f, g = rng.normal(size=(2, n + m, features)) / features**0.5
        self.nngp = f @ f.T
        self.ntk = self.nngp + g @ g.T
        self.y = rng.normal(size=(n, c))

    def blocks(self, name):
        """Return the kernel on (train, train), (test, train) and (test, test)."""
        k, n = getattr(self, name), self.n
        return k[:n, :n], k[n:, :n], k[n:, n:]

    def ensemble(self, dtype=float, **training):
        sigma, theta = (self.blocks(name)[0].astype(dtype) for name in ("nngp", "ntk"))
        return nk.Ensemble.from_kernels(
            sigma, nk.GradientFlow(theta, self.y.astype(dtype), **training)
        )

    def cross(self, dtype=float):
        """Return what `predict_kernels` of an ensemble takes."""
        sigma, theta = (self.blocks(name)[1].astype(dtype) for name in ("nngp", "ntk"))
        return nk.Kernels(nngp=sigma, ntk=theta)


def learning_operator(theta, t, rate=1.0, ridge=0.0):
    """A_t of dα/dt = η·(r − (Θ + ridge)·α), α_t = A_t·r, by a matrix exponential."""
    n = len(theta)
    if np.isinf(t):
        return np.linalg.inv(theta + ridge * np.eye(n))
    system = np.zeros((2 * n, 2 * n))
    system[:n, :n] = -rate * (theta + ridge * np.eye(n))
    system[:n, n:] = rate * np.eye(n)
    return scipy.linalg.expm(system * t)[:n, n:]


def trained_moments(sigma, theta, y, n, t, *, rate=1.0, ridge=0.0, noise=0.0):
    """Mean and covariance on all points of (joint) kernels, the first n of them for training.

    As a linear map of the initial function on all points and of the noise on the targets.
    """
    a = theta[:, :n] @ learning_operator(theta[:n, :n], t, rate, ridge)
    moved = np.eye(len(theta))
    moved[:, :n] -= a
    return a @ y, moved @ sigma @ moved.T + noise * a @ a.T
