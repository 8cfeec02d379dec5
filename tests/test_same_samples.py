"""Kernels between an array and itself: the Gram matrix, for every kind of network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ntkfast as nk

RNG = np.random.default_rng(0)
X = RNG.standard_normal((7, 3))
IMAGES = RNG.standard_normal((4, 4, 4, 2))
DROPS = nk.Serial(nk.Dense(b_std=0.3), nk.Relu(), nk.Dropout(keep=0.5), nk.Dense())
DROPS_PIXELS = nk.Serial(nk.Conv((3, 3)), nk.Relu(), nk.Dropout(keep=0.5), nk.Flatten(), nk.Dense())
CHAIN = nk.mlp(2, nk.Erf(), b_std=0.2)


def both(network: Any) -> Callable[..., Any]:
    return lambda *x: np.array(list(network.kernels(*x)))


KERNELS: dict[str, tuple[Callable[..., Any], Any]] = {
    "ntk": (DROPS.ntk, X),
    "nngp": (DROPS.nngp, X),
    "kernels": (both(DROPS), X),
    "float32": (DROPS.ntk, X.astype(np.float32)),
    "columns": (DROPS.ntk, np.asfortranarray(X)),
    "every second row": (DROPS.ntk, X[::2]),
    "a list": (DROPS.ntk, X.tolist()),
    "images": (both(DROPS_PIXELS), IMAGES),
    "ntk_by_depth": (lambda *x: nk.ntk_by_depth(CHAIN, *x), X),
    "nngp_by_depth": (lambda *x: nk.nngp_by_depth(CHAIN, *x), X),
    "ntk_by_frozen": (lambda *x: nk.ntk_by_frozen(CHAIN, *x), X),
    "finite": (nk.finite.init(DROPS, 3, 0, width=16).ntk, X),
    "Monte Carlo": (
        lambda *x: nk.finite.monte_carlo_kernels(DROPS, *x, n_samples=3, seed=0, width=8).ntk,
        X,
    ),
    "squared exponential": (nk.classic.squared_exponential_kernel, X),
    "NTKKernel": (nk.sklearn.NTKKernel(network=DROPS), X),
}


@pytest.mark.parametrize("name", KERNELS)
def test_an_array_with_itself_has_the_bits_of_its_gram_matrix(name: str) -> None:
    kernel, x = KERNELS[name]
    expected = kernel(x)
    np.testing.assert_array_equal(kernel(x, x), expected)
    if isinstance(x, np.ndarray):
        np.testing.assert_array_equal(kernel(x, x[:]), expected)  # another view of it


@pytest.mark.parametrize(("network", "x"), [(DROPS, X), (DROPS_PIXELS, IMAGES)])
def test_equal_points_elsewhere_are_other_samples(network: Any, x: Any) -> None:
    gram = network.ntk(x)
    for other in (x.copy(), x[::-1][::-1].copy(), x.astype(np.float32).astype(np.float64)):
        cross = network.ntk(x, other)
        assert (cross.diagonal() < 0.9 * gram.diagonal()).all()
    backwards = network.ntk(x, x[::-1])  # the same memory, read in another way
    assert (backwards[:, ::-1].diagonal() < 0.9 * gram.diagonal()).all()
    assert network.ntk(x, x[:2]).shape == (len(x), 2)


def test_a_diagonal_takes_no_second_array_even_then() -> None:
    with pytest.raises(ValueError, match="takes no x2"):
        DROPS.ntk(X, X, diagonal=True)


def test_test_points_are_other_samples_than_training_points() -> None:
    """Also if they are the same array: the result of a point does not depend on the others."""
    y = X[:, 0]
    posterior = nk.Posterior(DROPS, X, y, noise_variance=0.1)
    ensemble = nk.Ensemble(DROPS, X, y, diag_reg=0.1)
    model = nk.sklearn.NTKRegressor(network=DROPS, relative_diag_reg=0.1).fit(X, y)
    predictors: list[tuple[Any, Callable[[Any], Any]]] = [
        (posterior.x, lambda x: posterior.predict(x).mean),
        (ensemble.x, lambda x: ensemble.predict(x, t=1.0).mean),
        (model.X_fit_, model.predict),
        (model.X_fit_, lambda x: model.predict(x, return_std=True)[1]),
    ]
    for x, predict in predictors:
        whole = predict(x)
        np.testing.assert_allclose(whole[:1], predict(x[:1].copy()), rtol=1e-10)
        np.testing.assert_allclose(whole, predict(x.copy()), rtol=1e-10)
