"""Networks as plain data: round trips, also through files, and rejected descriptions."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import ntkfast as nk
from catalogue import NETWORKS, build
from strategies import networks

EVERY_FIELD = [
    nk.Dense(7, w_std=0.1, b_std=1 / 3, parameterization="standard", trainable=False),
    nk.Dense(b_std=0.0),
    nk.ABRelu(-0.1, 1e300),
    nk.Polynomial((0.5, -1, 5e-324)),
    nk.Elu(alpha=0.3),
    nk.LayerNorm(eps=0),
]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_catalogue_goes_there_and_back(name: str) -> None:
    network = build(NETWORKS[name])
    text = json.dumps(network.to_dict(), allow_nan=False)
    assert nk.Network.from_dict(json.loads(text)) == network


@given(networks().map(build))
def test_random_networks_go_there_and_back(network: nk.Network) -> None:
    assert nk.Network.from_dict(json.loads(json.dumps(network.to_dict()))) == network


@pytest.mark.parametrize("network", EVERY_FIELD, ids=repr)
def test_fields_keep_their_bits(network: nk.Network) -> None:
    assert nk.Network.from_dict(json.loads(json.dumps(network.to_dict()))) == network


def test_every_public_layer_has_a_description() -> None:
    """A layer whose name is exported is known to `from_dict`: by its fields, if not by these."""
    layers = [getattr(nk, name) for name in nk.__all__]
    layers = [x for x in layers if isinstance(x, type) and issubclass(x, nk.Network)]
    for layer in layers:
        if layer in (nk.Network, nk.Elementwise):
            continue
        with pytest.raises(ValueError, match=f"{layer.__name__} has no field 'no_such_field'"):
            nk.Network.from_dict({"type": layer.__name__, "no_such_field": 1})


def test_a_description_is_short_and_new() -> None:
    network = nk.mlp(1, nk.LeakyRelu(0.2), w_std=1.4)
    wanted = {
        "type": "Serial",
        "layers": [
            {"type": "Dense", "w_std": 1.4},
            {"type": "LeakyRelu", "alpha": 0.2},
            {"type": "Dense", "w_std": 1.4},
        ],
    }
    description = network.to_dict()
    assert description == wanted
    description["layers"].clear()
    assert network.to_dict() == wanted


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_toml_and_json_files(tmp_path: Path) -> None:
    toml, as_json = tmp_path / "net.toml", tmp_path / "net.JSON"
    toml.write_text(
        'type = "Serial"\nlayers = [\n  {type = "Dense", w_std = 1.5, b_std = 0.1},  # hidden\n'
        '  {type = "Residual", layers = [{type = "Polynomial", coef = [0, 1, 0.5]}, '
        '{type = "Dense"}]},\n  {type = "Dense", width = 3},\n]\n',
        encoding="utf-8",
    )
    network = nk.Serial(
        nk.Dense(w_std=1.5, b_std=0.1),
        nk.Residual(nk.Polynomial((0, 1, 0.5)), nk.Dense()),
        nk.Dense(3),
    )
    assert nk.Network.from_file(toml) == network
    as_json.write_text(json.dumps(network.to_dict()), encoding="utf-8")
    assert nk.Network.from_file(str(as_json)) == network
    for file in (toml, as_json):  # as Windows editors save them
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
        assert nk.Network.from_file(file) == network


def chain(levels: int) -> dict[str, Any]:
    description: dict[str, Any] = {"type": "Dense"}
    for _ in range(levels):
        description = {"type": "Serial", "layers": [description]}
    return description


def test_the_deepest_nesting() -> None:
    assert nk.Network.from_dict(chain(100)).to_dict() == chain(100)
    for levels in (101, 150, 900):
        with pytest.raises(ValueError, match=r"nested more than 1\d0 deep"):
            nk.Network.from_dict(chain(levels))


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"type": "Rleu"}, r"the network: there is no layer 'Rleu' \(did you mean 'Relu'\?\)"),
        ({"type": "dense"}, r"did you mean 'Dense'\?"),
        ({"type": "os.system"}, r"there is no layer 'os.system'; expected one of ABRelu, Abs"),
        ({"type": "Activation"}, "there is no layer 'Activation'"),
        ({"type": "Dense", "wstd": 1}, r"Dense has no field 'wstd' \(did you mean 'w_std'\?\)"),
        ({"type": "Relu", "_kind": "erf"}, r"Relu has no field '_kind'; expected none"),
        ({"type": "ABRelu", "a": 1}, "ABRelu needs the field 'b'"),
        ({"type": "Serial"}, "Serial needs the field 'layers'"),
        ({"type": "Serial", "layers": []}, r"the network: Serial\(\) is empty"),
        ({"type": "Serial", "layers": {"type": "Relu"}}, "layers is of type dict; expected a list"),
        ({"type": "Serial", "layers": ["Relu"]}, r"layers\[0\] is of type str; expected a table"),
        (
            {"type": "Serial", "layers": [{"type": "Dense"}, {"type": "Sum", "layers": [{}]}]},
            r"layers\[1\].layers\[0\] has no type",
        ),
        (
            {"type": "Serial", "layers": [{"type": "Dense"}, {"type": "Dense", "w_std": -1}]},
            r"layers\[1\]: Dense: w_std is -1.0; expected a finite number >= 0",
        ),
        ({"type": "Serial", "layers": [{"type": "Relu"}] * 2}, "the network: layer 2 .* put a"),
        ({"type": "Dense", "width": "3"}, "the network: Dense: width is '3'"),
        ({"type": "Dense", "w_std": [1.0]}, "the network: Dense: w_std is"),
        ({"type": ["Dense"]}, "has the type .'Dense'.; expected the name"),
        ({"w_std": 1.0}, "the network has no type"),
        ({"type": "Elementwise", "fn": "numpy:tanh"}, "loading must not run code; use an"),
        ([], "the network is of type list"),
        (None, "the network is of type NoneType"),
    ],
)
def test_what_is_refused_is_named(description: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        nk.Network.from_dict(description)


class Foreign(nk.Relu):
    """Somebody's own activation."""


@pytest.mark.parametrize("layer", [nk.Elementwise(np.tanh), Foreign()])
def test_what_cannot_be_read_is_not_described(layer: nk.Network) -> None:
    with pytest.raises(TypeError, match="cannot be described"):
        nk.mlp(1, layer).to_dict()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", r"unsupported file extension '.txt'; expected .toml or .json"),
        ("a.json", b'{"type": ', r"a.json is not a JSON file: Expecting value"),
        ("a.json", b"\xff\xfe", r"a.json is not a JSON file: .*utf-8"),
        ("a.json", b"[" * 100_000, r"a.json is not a JSON file"),
        ("a.json", b'{"type": "Relux"}', r"a.json: the network: there is no layer 'Relux'"),
        ("a.json", b"[]", r"a.json: the network is of type list"),
        ("a.json", b'{"type": "Dense", "w_std": Infinity}', r"a.json: .*w_std is inf"),
    ],
)
def test_files_that_are_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((ValueError, TypeError), match=message):
        nk.Network.from_file(tmp_path / name)


def test_toml_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.toml"
    file.write_text("type = Dense", encoding="utf-8")
    if sys.version_info >= (3, 11):
        with pytest.raises(ValueError, match=r"a\.toml is not a TOML file: Invalid value"):
            nk.Network.from_file(file)
    monkeypatch.setitem(sys.modules, "tomllib", None)
    with pytest.raises(ImportError, match=r"Python 3\.11 or later; write the same network as JSON"):
        nk.Network.from_file(file)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        nk.Network.from_file(tmp_path / "none.json")
