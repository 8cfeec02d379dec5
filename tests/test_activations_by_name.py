"""Names of activations are accepted wherever a function takes an activation."""

from typing import Any

import pytest

import ntkfast as nk
from ntkfast.networks.named import ACTIVATIONS


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_name(name: str) -> None:
    network = nk.mlp(2, name, w_std=1.3, b_std=0.1)
    assert network == nk.mlp(2, ACTIVATIONS[name](), w_std=1.3, b_std=0.1)
    assert getattr(nk, ACTIVATIONS[name].__name__) is ACTIVATIONS[name]
    assert nk.sklearn.NTKKernel(2, name).activation == name


def test_all_activations_without_required_parameters_have_a_name() -> None:
    missing = {"Elementwise", "ABRelu", "Polynomial", "Monomial", "Hermite", "RectifiedMonomial"}
    names = {cls.__name__ for cls in ACTIVATIONS.values()}
    assert {"Relu", "Tanh", "Exp", "Gabor", "Identity", "Selu"} <= names
    assert not names & missing


@pytest.mark.parametrize("spelling", ["LeakyReLU", "leaky-relu", "leaky relu", "leakyrelu"])
def test_spellings(spelling: str) -> None:
    assert nk.mlp(1, spelling) == nk.mlp(1, nk.LeakyRelu())


def test_mean_field() -> None:
    by_name = nk.theory.mean_field("erf", w_std=1.5, b_std=0.1)
    assert by_name.activation == nk.Erf()
    assert by_name.chi_1 == nk.theory.mean_field(nk.Erf(), w_std=1.5, b_std=0.1).chi_1
    with pytest.raises(TypeError, match=r"w_std is missing.*mean_field\(Erf\(\)"):
        nk.theory.mean_field("erf")


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (lambda name: nk.mlp(1, name), "mlp: activation"),
        (lambda name: nk.theory.mean_field(name, w_std=1.0), "mean_field: network"),
        (lambda name: nk.sklearn.NTKKernel(activation=name)([[1.0]]), "activation"),
    ],
)
def test_unknown_names(call: Any, place: str) -> None:
    with pytest.raises(ValueError, match=rf"^{place} is 'rellu'; expected a layer.*'relu'.*mean"):
        call("rellu")
    with pytest.raises(TypeError, match=rf"^{place} is 3, of type int; expected a layer"):
        call(3)
