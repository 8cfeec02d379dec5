"""Kernels between all outputs of all points: the message is code that makes matrices of them."""

import re
from typing import Any

import numpy as np
import pytest

import ntkfast as nk

X, X_TEST = np.random.default_rng(1).standard_normal((2, 4, 3))
X_TEST = X_TEST[:3]
Y = X[:, :2] ** 2
FINITE = nk.finite.init(nk.mlp(1, b_std=0.5), 3, seed=0, output_dim=2, width=40)
# (n, n, c, c), as here and in neural-tangents; (n, c, n, c), as products of Jacobians.
FULL, CROSS = FINITE.ntk(X, full=True), FINITE.ntk(X_TEST, X, full=True)
FORMS = {"nncc": (0, 1, 2, 3), "ncnc": (0, 2, 1, 3)}


def made(message: str, start: str, **names: Any) -> Any:
    """Run the expression of the message that begins with `start`."""
    found = re.search(rf"\b({start}(\.transpose\([\d, ]+\))?\.reshape\([\d, ]+\))", message)
    assert found, message
    return eval(found[1], names)


@pytest.mark.parametrize("axes", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (nk.GradientFlow, "theta"),
        (lambda theta, y: nk.GradientDescent(theta, y, learning_rate=0.01, momentum=0.5), "theta"),
        (nk.LossFlow, "theta"),
        (nk.KernelRegression, "theta"),
        (nk.Posterior.from_kernels, "nngp"),
        (lambda theta, _: nk.eigh(theta), "theta"),
        (lambda theta, _: nk.cholesky(theta), "a"),
        (lambda theta, _: nk.theory.condition_number(theta), "theta"),
        (lambda nngp, y: nk.Ensemble.from_kernels(nngp, nk.GradientFlow(np.eye(4), y)), "nngp"),
    ],
)  # fmt: skip
def test_matrices_of_kernels(make: Any, name: str, axes: Any) -> None:
    theta = FULL.transpose(axes)
    with pytest.raises(ValueError, match=rf"^{name} has shape .* outputs of all points") as caught:
        make(theta, Y)
    matrix = made(str(caught.value), name, **{name: theta})
    np.testing.assert_array_equal(matrix, FULL.transpose(0, 2, 1, 3).reshape(8, 8))
    np.testing.assert_array_equal(made(str(caught.value), "y", y=Y), Y.reshape(8))


@pytest.mark.parametrize("axes", FORMS.values(), ids=FORMS)
def test_the_whole_way_by_messages(axes: Any) -> None:
    theta = FULL.transpose(0, 2, 1, 3).reshape(8, 8)
    with pytest.raises(ValueError, match=r"^y has shape \(4, 2\); .* use y\.reshape\(8\)$"):
        nk.GradientFlow(theta, Y)
    for trained in (nk.GradientFlow(theta, Y.reshape(8)), nk.KernelRegression(theta, Y.reshape(8))):
        options = {"t": np.inf} if isinstance(trained, nk.GradientFlow) else {}
        with pytest.raises(ValueError, match=r"^k_test_train has shape ") as caught:
            trained.predict(CROSS.transpose(axes), **options)
        kernel = made(str(caught.value), "k_test_train", k_test_train=CROSS.transpose(axes))
        predicted = trained.predict(kernel, **options)
        found = re.search(r"and \.reshape\((\d+), (\d+)\) for the predictions$", str(caught.value))
        assert found
        np.testing.assert_array_equal(kernel, CROSS.transpose(0, 2, 1, 3).reshape(6, 8))
        mean = kernel @ np.linalg.solve(theta, Y.reshape(8))
        np.testing.assert_allclose(predicted, mean, rtol=1e-6)
        assert predicted.reshape(int(found[1]), int(found[2])).shape == (3, 2)
    flow = nk.GradientFlow(theta, Y.reshape(8))
    with pytest.raises(ValueError, match=r"^f0 has shape \(4, 2\); .*such as f0\.reshape\(8,\)$"):
        flow.predict_train(FINITE.forward(X), t=1.0)


def test_both_orders_are_named_if_both_are_possible() -> None:
    with pytest.raises(ValueError, match=r"theta\.reshape\(4, 4\) for axes \(n, c, n, c\)"):
        nk.GradientFlow(np.zeros((2, 2, 2, 2)), np.eye(2))
    with pytest.raises(ValueError, match=r"axes \(n, n, c, c\).*; use theta\.reshape.* \(n, c, n"):
        nk.eigh(np.zeros((2, 2, 2, 2)))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 3, 2), (2, 2, 2)])
def test_other_arrays_are_no_such_kernels(shape: Any) -> None:
    with pytest.raises(ValueError, match=r"^theta has shape .*; expected a square matrix, \(n, n"):
        nk.eigh(np.zeros(shape))
