"""A model whose training is known without eigenvectors: f = J·w, with the kernel J·Jᵀ."""

import numpy as np


def problem(n=12, m=5, c=3, p=40, seed=0):
    """J on n training and m test points, (n, p) and (m, p); targets (n, c); weights w_0 (p, c)."""
    rng = np.random.default_rng(seed)
    j_train, j_test = rng.normal(size=(n, p)) / p**0.5, rng.normal(size=(m, p)) / p**0.5
    y, w0 = rng.normal(size=(n, c)), rng.normal(size=(p, c))
    return j_train, j_test, y, w0
