"""Regularisation in units of the mean diagonal: the same in every class, in files and in print."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from ntkfast import storage

RNG = np.random.default_rng(3)
X, X_TEST = RNG.standard_normal((12, 3)), RNG.standard_normal((4, 3))
Y = np.stack([np.sin(X[:, 0]), X[:, 1] ** 2], axis=1)
NET = nk.mlp(2, w_std=2.0, b_std=0.5)
THETA, CROSS = NET.ntk(X), NET.ntk(X_TEST, X)
SIGMA = NET.nngp(X)
CLOSE: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12}


@pytest.mark.parametrize("absolute", [0.0, 0.2, np.linspace(0.1, 1, 12)])
def test_regression(absolute: Any) -> None:
    fit = nk.KernelRegression(THETA, Y, diag_reg=absolute, relative_diag_reg=0.1)
    ridge = absolute + 0.1 * THETA.diagonal().mean()
    alpha = np.linalg.solve(THETA + ridge * np.eye(12), Y)
    np.testing.assert_allclose(fit.coefficients, alpha, **CLOSE)
    np.testing.assert_allclose(fit.predict(CROSS), CROSS @ alpha, **CLOSE)
    np.testing.assert_allclose(fit.predict_train(), THETA @ alpha, **CLOSE)
    np.testing.assert_allclose(fit.diagonal, np.broadcast_to(ridge, 12))
    plain = nk.KernelRegression(THETA, Y, diag_reg=ridge)
    np.testing.assert_allclose(fit.leave_one_out(), plain.leave_one_out(), **CLOSE)
    # As passed by the user.
    np.testing.assert_array_equal(fit.diag_reg, absolute)
    assert (fit.relative_diag_reg, plain.relative_diag_reg) == (0.1, 0.0)


def test_regression_is_where_gradient_flow_ends() -> None:
    settings = {"diag_reg": 0.1, "relative_diag_reg": 0.02}
    fit, flow = nk.KernelRegression(THETA, Y, **settings), nk.GradientFlow(THETA, Y, **settings)
    np.testing.assert_allclose(fit.predict(CROSS), flow.predict(CROSS, t=np.inf), **CLOSE)


@pytest.mark.parametrize("noise", [0.0, 0.2, np.linspace(0.1, 1, 12)])
def test_posterior(noise: Any) -> None:
    """The regularisation is noise, as the diag_reg of neural-tangents."""
    total = noise + 0.1 * SIGMA.diagonal().mean()
    expected = nk.Posterior(NET, X, Y, noise_variance=total)
    options: dict[str, Any] = {"noise_variance": noise, "relative_diag_reg": 0.1}
    of_network = nk.Posterior(NET, X, Y, **options)
    of_kernels = nk.Posterior.from_kernels(SIGMA, Y, **options)
    for found in (of_network, of_kernels):
        cross, own = NET.nngp(X_TEST, X), NET.nngp(X_TEST)
        normal = found.predict_kernels(cross, own, covariance="full")
        reference = expected.predict(X_TEST, covariance="full")
        np.testing.assert_allclose(normal.mean, reference.mean, **CLOSE)
        np.testing.assert_allclose(normal.covariance, reference.covariance, **CLOSE)
        assert found.log_marginal_likelihood() == pytest.approx(expected.log_marginal_likelihood())
        np.testing.assert_allclose(found.leave_one_out().std, expected.leave_one_out().std, **CLOSE)
        np.testing.assert_array_equal(found.noise_variance, noise)
        np.testing.assert_allclose(found.regression.diag_reg, total)
        assert found.relative_diag_reg == 0.1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_zero_changes_no_bit(dtype: Any) -> None:
    theta, y = THETA.astype(dtype), Y.astype(dtype)
    one = nk.KernelRegression(theta, y, diag_reg=0.1)
    other = nk.KernelRegression(theta, y, diag_reg=0.1, relative_diag_reg=0)
    np.testing.assert_array_equal(one.coefficients, other.coefficients)
    assert one.coefficients.dtype == dtype
    relative = nk.KernelRegression(theta, y, relative_diag_reg=0.1)
    assert relative.coefficients.dtype == dtype
    mean = nk.Posterior(NET, X.astype(dtype), y, relative_diag_reg=0.1).predict(X_TEST).mean
    exact = nk.Posterior(NET, X, Y, relative_diag_reg=0.1).predict(X_TEST).mean
    np.testing.assert_allclose(mean, exact, rtol=1e-3)


def test_no_points_have_no_mean() -> None:
    assert nk.KernelRegression(np.empty((0, 0)), [], relative_diag_reg=0.1).coefficients.size == 0


MAKERS = {
    "KernelRegression": lambda **options: nk.KernelRegression(THETA, Y, **options),
    "Posterior": lambda **options: nk.Posterior(NET, X, Y, **options),
    "from_kernels": lambda **options: nk.Posterior.from_kernels(SIGMA, Y, **options),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (-0.1, ValueError, r"-0\.1; expected a finite number >= 0"),
        (np.nan, ValueError, "nan; expected a finite number"),
        (np.inf, ValueError, "inf; expected a finite number"),
        ("0.1", TypeError, "'0.1', of type str"),
        ([0.1], TypeError, r"\[0\.1\], of type list"),
        (True, TypeError, "True, of type bool"),
        (None, TypeError, "None, of type NoneType"),
        (1.7e308, ValueError, r"1\.7e\+308, in units of .* within the range of a float"),
    ],
)
def test_refusals(make: Any, value: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=f"^relative_diag_reg is {words}"):
        make(relative_diag_reg=value)


def test_a_matrix_without_a_scale() -> None:
    with pytest.raises(ValueError, match=r"^relative_diag_reg is 1, .* of theta, which is -1; exp"):
        nk.KernelRegression(-np.eye(3), np.ones(3), relative_diag_reg=1)
    with pytest.raises(ValueError, match=r"^theta has a NaN"):
        nk.KernelRegression(np.full((3, 3), np.nan), np.ones(3), relative_diag_reg=1)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_text_and_files(make: Any, tmp_path: Path) -> None:
    result = make(relative_diag_reg=0.1)
    assert "relative_diag_reg=0.1" in repr(result)
    assert "relative_diag_reg" not in repr(make())
    nk.save(tmp_path / "a.npz", result)
    again = nk.load(tmp_path / "a.npz")
    assert again.relative_diag_reg == 0.1
    assert repr(again) == repr(result)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_files_from_before(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that do not know the field are read as before."""
    result = make()
    state = storage._state
    with monkeypatch.context() as patch:
        patch.setattr(
            storage, "_state", lambda value: (x for x in state(value) if "relative" not in x[0])
        )
        nk.save(tmp_path / "old.npz", result)
    again = nk.load(tmp_path / "old.npz")
    assert again.relative_diag_reg == 0.0
    assert repr(again) == repr(result)
