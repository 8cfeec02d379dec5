"""What the core reads of a network: a name, named fields, layers; and what it refuses of these."""

import dataclasses
import gc
import weakref
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from catalogue import NETWORKS, build
from contract import same_bits
from ntkfast._ntkfast import Program, check
from ntkfast.networks.description import for_core

X = np.array([[1.0, 0.5], [-2.0, 1.0]])
WEIGHTS = {"w_std": 1.0, "b_std": None, "parameterization": "ntk", "trainable": True}
DENSE = {"type": "Dense", "width": None, **WEIGHTS}
CONV = {
    "type": "Conv",
    "filter": [3, 3],
    "width": None,
    "strides": [1, 1],
    "padding": "SAME",
    **WEIGHTS,
}


def test_networks_reach_the_core_by_names() -> None:
    network = nk.Serial(nk.Dense(7, w_std=2, b_std=3), nk.Residual(nk.Erf(c=4), nk.Dense()))
    assert for_core(network) == {
        "type": "Serial",
        "layers": [
            {**DENSE, "width": 7, "w_std": 2.0, "b_std": 3.0},
            {"type": "Residual", "layers": [{"type": "Erf", "a": 1.0, "b": 1.0, "c": 4.0}, DENSE]},
        ],
    }
    assert for_core(nk.Conv((3, 3))) == CONV
    assert for_core(nk.AvgPool((2,), padding="CIRCULAR")) == {
        "type": "AvgPool",
        "window": [2],
        "strides": [2],
        "padding": "CIRCULAR",
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_the_core_reads_what_files_hold_with_all_fields(name: str) -> None:
    """Fields in files are those for the core, but for layers that are cases of others there."""

    def compare(written: dict[str, Any], read: dict[str, Any]) -> None:
        for inner, other in zip(written.get("layers", ()), read.get("layers", ()), strict=True):
            compare(inner, other)
        if written["type"] == read["type"]:
            known = set(written) - {"layers"}
            assert {key: written[key] for key in known} == {key: read[key] for key in known}

    network = build(NETWORKS[name])
    compare(network.to_dict(), for_core(network))


@pytest.mark.parametrize(
    ("network", "other"),
    [
        (nk.Relu(), nk.ABRelu(0.0, 1.0)),
        (nk.LeakyRelu(0.2), nk.ABRelu(0.2, 1.0)),
        (nk.Abs(), nk.ABRelu(-1.0, 1.0)),
        (nk.SigmoidLike(), nk.Erf(0.5, 1 / 2.4020563531719796, 0.5)),
        (nk.Monomial(3), nk.Polynomial((0.0, 0.0, 0.0, 1.0))),
        (nk.Tanh(), nk.Tanh()),
        (nk.Elementwise(np.tanh), nk.Elementwise(np.tanh)),
    ],
    ids=repr,
)
def test_cases_of_others_are_these_for_the_core(network: nk.Network, other: nk.Network) -> None:
    assert for_core(network) == for_core(other)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"type": "Rleu"}, "there is no layer 'Rleu'"),
        ({"type": "Relu"}, "there is no layer 'Relu'"),
        ({"type": "Dense"}, "Dense needs the field 'parameterization': 'ntk' or 'standard'"),
        ({**DENSE, "bias": 0.0}, "Dense has no field 'bias'"),
        ({**DENSE, "layers": [DENSE]}, "Dense has no field 'layers'"),
        (
            {**DENSE, "width": 3.0},
            "Dense: width is 3.0; expected an integer from 1 to 1,000,000,000,000, or None",
        ),
        ({**DENSE, "width": True}, "Dense: width is True; expected an integer"),
        ({**DENSE, "width": "3"}, "Dense: width is '3'; expected an integer"),
        ({**DENSE, "width": -3}, "Dense: width is -3; expected an integer"),
        ({**DENSE, "width": 2**64}, "Dense: width is beyond integers of 64 bits"),
        ({**DENSE, "w_std": None}, "Dense: w_std is None; expected a finite number >= 0"),
        ({**DENSE, "w_std": float("inf")}, "Dense: w_std is inf; expected"),
        ({**DENSE, "w_std": [1.0]}, r"Dense: w_std is \[1.0\]; expected"),
        ({**DENSE, "w_std": abs}, "Dense: w_std is a function; expected"),
        ({**DENSE, "w_std": {1.0}}, "Dense: w_std is of type set; expected plain data"),
        ({**DENSE, "w_std": [DENSE]}, r"Dense: w_std is a list of layers \(1\); expected"),
        ({**DENSE, "trainable": None}, "Dense: trainable is None; expected True or False"),
        ({**DENSE, "parameterization": 0.0}, "Dense: parameterization is 0.0; expected 'ntk'"),
        ({**CONV, "padding": 0}, "Conv: padding is 0; expected 'SAME', 'VALID' or 'CIRCULAR'"),
        ({**CONV, "filter": [3.0, 3.0]}, r"Conv: filter is \[3.0, 3.0\]; expected a list of one"),
        ({**CONV, "strides": [1]}, r"Conv: filter is \[3, 3\] and strides is \[1\]; expected one"),
        ({"type": "Hermite", "degree": 2.0}, "Hermite: degree is 2.0; expected an integer"),
        ({"type": "Elementwise", "fn": 1, "name": "", "kinks": []}, "fn is 1; expected a function"),
        ({"type": "Serial", "layers": []}, r"Serial: layers is \[\]; expected a list of at least"),
        ({"type": "Serial", "layers": DENSE}, "Serial: layers is of type dict; expected plain"),
        ({"type": "Serial", "layers": [DENSE, 1]}, "a layer is of type int; expected a dictionary"),
        ({"type": "Serial", "layers": [1, DENSE]}, "Serial: layers is of type dict"),
        ({"type": 1}, "a layer has no text for its 'type'"),
        ({}, "a layer has no text for its 'type'"),
        ([], "a layer is of type list; expected a dictionary"),
        (("Dense", (1.0, None, None), ()), "a layer is of type tuple; expected a dictionary"),
    ],
)
def test_the_core_names_what_it_refuses(description: Any, message: str) -> None:
    for reader in (check, Program, Program.by_depth, Program.by_frozen):
        with pytest.raises((ValueError, TypeError), match=message):
            reader(description)


def test_endless_nesting_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    chain: dict[str, Any] = DENSE
    for _ in range(100_000):
        chain = {"type": "Serial", "layers": [chain]}
    for description in (chain, {**DENSE, "w_std": endless}):
        with pytest.raises(ValueError, match="nested more than 200 deep"):
            check(description)
    while "layers" in chain:  # freed level by level
        chain = chain.pop("layers")[0]


@dataclasses.dataclass(frozen=True, repr=False)
class Labelled(nk.Dense):
    """A Dense with a field of its own, which the core does not hear of."""

    label: str = ""


def test_fields_of_heirs_are_their_own() -> None:
    network = nk.Serial(Labelled(w_std=1.3, label="first"), nk.Relu(), nk.Dense())
    assert same_bits(network.ntk(X), nk.Serial(nk.Dense(w_std=1.3), nk.Relu(), nk.Dense()).ntk(X))


def test_layers_with_functions_are_freed_at_once() -> None:
    layer = nk.Elementwise(np.arctan)
    nk.Serial(nk.Dense(), layer).nngp(X)
    gone = weakref.ref(layer)
    gc.disable()
    try:
        del layer
        assert gone() is None
    finally:
        gc.enable()
