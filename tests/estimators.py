"""Small problems for the estimators."""

import numpy as np


class Data:
    """Training and test points, targets of one and of two outputs, labels of three classes."""

    def __init__(self, n=14, m=6):
        rng = np.random.default_rng(1)
        self.x, self.x_test = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
        self.y = 5 + rng.normal(size=(n, 2)) * [1.0, 10.0]
        self.labels = np.array(["b", "c", "a"])[rng.integers(3, size=n)]
        self.one_hot = (self.labels[:, None] == np.array(["a", "b", "c"])) - 1 / 3
