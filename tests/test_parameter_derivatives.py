"""Derivatives by parameters of activations, against differences of the formulae at 160 digits."""

from typing import Any

import numpy as np
import pytest
from mpmath import mpf, workdps

import ntkfast as nk
from catalogue import NETWORKS, build
from reference import evaluator

FIELDS = {
    "leaky_relu": ["alpha"],
    "abrelu": ["a", "b"],
    "erf": ["a", "b", "c"],
    "sin": ["a", "b", "c"],
    "cos": ["a", "b", "c"],
    "rbf": ["gamma"],
    "exp": ["a", "b"],
    "gaussian": ["a", "b"],
}
STEP = mpf(10) ** -40
RNG = np.random.default_rng(5)
X = RNG.standard_normal((3, 4))
Z = np.array([X[0], -X[1], *RNG.standard_normal((2, 4))])


def moved(description: Any, name: str, layer: int | None, step: Any) -> Any:
    """Return the network with a parameter of one of its activations changed, or of all."""
    count = 0

    def change(part: Any) -> Any:
        nonlocal count
        kind, *rest = part
        if name not in FIELDS.get(kind, ()):
            return [kind, *(change(p) if isinstance(p, list) else p for p in rest)]
        if layer in (None, count):
            place = FIELDS[kind].index(name)
            rest[place] = mpf(rest[place]) + step
        count += 1
        return [kind, *rest]

    return change(description)


def truth(description: Any, name: str, layer: int | None, kernel: int) -> Any:
    found = np.empty((len(X), len(Z)))
    with workdps(evaluator.WORKING_DIGITS):
        ends = [moved(description, name, layer, sign * STEP) for sign in (1, -1)]
        for i, x in enumerate(X):
            for j, z in enumerate(Z):
                high, low = (evaluator.kernels(end, x, z)[kernel] for end in ends)
                found[i, j] = float((high - low) / (2 * STEP))
    return found


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("leaky relu", ["alpha"]),
        ("abrelu", ["a", "b"]),
        ("erf", ["a", "b", "c"]),
        ("sin", ["a", "b", "c"]),
        ("cos", ["a", "b", "c"]),
        ("rbf", ["gamma"]),
        ("exp", ["a", "b"]),
        ("gaussian", ["a", "b"]),
        ("standard", ["b"]),
        ("sum", ["a"]),
    ],
)
@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
def test_derivatives_by_parameters(name: str, parameters: list[str], kernel: Any) -> None:
    description, network = NETWORKS[name], build(NETWORKS[name])
    tied = nk.kernel_gradients(network, X, Z, parameters=parameters, kernel=kernel)
    each = nk.kernel_gradients(network, X, Z, parameters=parameters, kernel=kernel, tied=False)
    index = ["nngp", "ntk"].index(kernel)
    for parameter in parameters:
        expected = truth(description, parameter, None, index)
        scale = abs(expected).max()
        np.testing.assert_allclose(tied[parameter], expected, rtol=1e-10, atol=1e-11 * scale)
        for layer, found in enumerate(each[parameter]):
            expected = truth(description, parameter, layer, index)
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11 * scale)
        np.testing.assert_allclose(each[parameter].sum(axis=0), tied[parameter], rtol=1e-12)


def test_parameters_beside_scales_and_at_zero() -> None:
    network = nk.Serial(nk.Dense(b_std=0.1), nk.ABRelu(0.0, 0.0), nk.Dense(), nk.Rbf(0.0))
    found = nk.kernel_gradients(network, X, parameters=["w_std", "a", "gamma"])
    assert list(found) == ["w_std", "a", "gamma"]
    np.testing.assert_array_equal(found["a"], 0.0)
    network = nk.Serial(nk.Dense(), nk.Rbf(0.0))
    found = nk.kernel_gradients(network, X, kernel="nngp", parameters="gamma")
    k = network.layers[0].nngp(X)
    distances = k.diagonal()[:, None] + k.diagonal() - 2 * k
    np.testing.assert_allclose(found["gamma"], -distances, rtol=1e-7, atol=1e-12)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="expected 'w_std' or 'b_std' or 'a' or 'b'"):
        nk.kernel_gradients(nk.mlp(1, nk.Exp()), X, parameters="alpha")
    network = nk.mlp(1, nk.ExpNormalized())
    with pytest.raises(ValueError, match="has no derivatives by its parameters; those of ABRelu"):
        nk.kernel_gradients(network, X, parameters="gamma")
