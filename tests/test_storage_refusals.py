"""Files that `nk.load` rejects, without running code."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk


def packed(path: Path, header: Any, **arrays: Any) -> Path:
    """Write a file by hand."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    np.savez(path, header=np.frombuffer(text, np.uint8), **arrays)
    return path


def around(content: Any, **changes: Any) -> dict[str, Any]:
    return {"format": "ntkfast", "format_version": 2, "version": "0", "content": content, **changes}


def of(name: str, **fields: Any) -> dict[str, Any]:
    return {"object": name, "fields": fields}


ARRAY = {"array": "a"}
KERNEL = nk.sklearn.NTKKernel().get_params()
CLASSIFIER = nk.sklearn.NNGPClassifier().get_params()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"not JSON", "was not written by save: its header cannot be read"),
        (b"[" * 100_000, "was not written by save: its header cannot be read"),
        ([], "was not written by save: its header cannot be read"),
        ({}, "was not written by save: its header cannot be read .'format'"),
        (around(None, format="other"), "it belongs to another program"),
        (
            around(None, format_version=3, version="9.9"),
            r"is in format version 3, written by ntkfast 9\.9; this is ntkfast .*, which reads "
            r"format version 2 only: install a newer ntkfast",
        ),
        (
            around(None, format_version=1, version="0.0"),
            r"is in format version 1, written by ntkfast 0\.0; .* compute the result again",
        ),
        (around(of("PreparedRefined", theta=ARRAY)), r"PreparedRefined has the fields \['theta'\]"),
        (
            around(of("PreparedEigen", ridge=ARRAY, jitter=0.0, seconds=0.0, spectrum=None)),
            "damaged: PreparedEigen has spectrum = None, which has the wrong type",
        ),
        (around(of("Solver")), "damaged: it needs an unknown class 'Solver'"),
        (around(None, format_version="1"), "it belongs to another program"),
        (around(of("system", command="ls")), "damaged: it needs an unknown class 'system'"),
        (around(of("Path")), "damaged: it needs an unknown class 'Path'"),
        (around({"call": "os.system"}), "damaged: .* the unknown kind 'call'"),
        (around({"object": "Normal", "call": 1}), "damaged: .* of the unknown kind"),
        (around([1]), "damaged: it has a list where"),
        (around({}), "damaged"),
        (around({"array": "b"}), "damaged: its array 'b' is missing"),
        (around(None), "damaged: nothing refers to its array 'a'"),
        (around(of("Normal", mean=ARRAY)), r"damaged: Normal has the fields \['mean'\]; expected"),
        (
            around(of("Normal", mean=1.0, covariance=None, about="")),
            "damaged: Normal has mean = 1.0, which has the wrong type",
        ),
        (around(of("Cholesky", factor=ARRAY)), r"damaged: factor has shape \(3,\)"),
        (around({"network": {"type": "Rleu"}}), r"damaged: .*did you mean 'Relu'"),
        (around({"network": {"type": "Elementwise", "fn": "os:system"}}), "damaged: .*run code"),
        (around({"float": "1e5"}), "damaged"),
        (around({"dict": 1}), "damaged"),
        (around({"list": 1}), "damaged"),
        (around({"strings": ["a", 1]}), "damaged: .* the unknown kind 'strings'"),
        (
            around(of("GridSearchCV", estimator=None)),
            "damaged: it needs an unknown class 'GridSearchCV'",
        ),
        (around(of("NTKRegressor", depth=1)), r"NTKRegressor has the fields \['depth'\]; expected"),
        (around(of("NTKKernel", **KERNEL, fit=1)), r"NTKKernel has the fields \[.*; expected"),
        (
            around(of("NNGPClassifier", **CLASSIFIER, posterior_={"strings": []})),
            "damaged: NNGPClassifier has posterior_ = .*, which has the wrong type",
        ),
        (around({"tuple": 1}), "damaged"),
    ],
)
def test_foreign_and_damaged_files(header: Any, message: str, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.npz", header, a=np.ones(3))
    with pytest.raises(ValueError, match=rf"a\.npz .*{message}"):
        nk.load(path)


def test_fields_are_of_the_kinds_that_the_classes_say(tmp_path: Path) -> None:
    good = around(of("Kernels", nngp={"array": "a"}, ntk={"array": "b"}))
    path = packed(tmp_path / "a.npz", good, a=np.ones(3), b=np.ones(3))
    assert repr(nk.load(path)).startswith("Kernels(")
    for wrong in (np.ones(3, int), np.ones(3, bool), np.ones(3, complex)):
        packed(tmp_path / "a.npz", good, a=np.ones(3), b=wrong)
        with pytest.raises(ValueError, match=r"Kernels has ntk = .*, which has the wrong type"):
            nk.load(path)


class Trap:
    """What would run code when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.abort, ()


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    trap = np.array([Trap()], dtype=object)
    np.savez(path, header=np.frombuffer(json.dumps(around(ARRAY)).encode(), np.uint8), a=trap)
    with pytest.raises(ValueError, match=r"member 'a\.npy' cannot be read"):
        nk.load(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="not an NPZ file"):
        nk.load(path)
    np.savez(path, images=np.ones(3))
    with pytest.raises(ValueError, match=r"it has the arrays images; read them with ntkfast\.data"):
        nk.load(path)


def test_no_damage_goes_unnoticed(tmp_path: Path) -> None:
    """Cut anywhere, or with any one byte of the arrays and the header turned, it is refused."""
    path = tmp_path / "a.npz"
    x = np.random.default_rng(11).standard_normal((3, 3))
    first = nk.GradientFlow(nk.mlp(1, nk.Erf()).ntk(x), x[:, 0])
    nk.save(path, first)
    content = path.read_bytes()
    for size in range(0, len(content), 41):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"a\.npz"):
            nk.load(path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = {info.header_offset: info.file_size for info in archive.infolist()}
    for header, size in sizes.items():
        start = content.index(b"\x93NUMPY", header)
        for i in range(start, start + size, 17):
            path.write_bytes(content[:i] + bytes([content[i] ^ 0x20]) + content[i + 1 :])
            with pytest.raises(ValueError, match=r"a\.npz"):
                nk.load(path)


def test_parameters_that_do_not_fit_their_network(tmp_path: Path) -> None:
    net = nk.finite.init(nk.mlp(1), 3, 0, width=9)
    nk.save(tmp_path / "a.npz", net)
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
    arrays["parameters"] = arrays["parameters"][:-1]
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=r"a\.npz is damaged: there are 35 parameters and 0 fixed"):
        nk.load(tmp_path / "a.npz")


@pytest.mark.parametrize("n_features", [0, -1, 2**70, 10**400])
def test_sizes_that_no_network_has(n_features: int, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    nk.save(path, nk.finite.init(nk.mlp(1), 3, 0, width=9))
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes())
    header["content"]["fields"]["n_features"] = n_features
    packed(path, header, **arrays)
    with pytest.raises(ValueError, match=r"a\.npz is damaged: "):
        nk.load(path)


def test_solves_by_products_say_what_to_save(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3))
    model = nk.sklearn.NTKRegressor(solver="cg", relative_diag_reg=0.1).fit(x, x[:, 0])
    for value in (
        model,
        model.training_,
        nk.solvers.ConjugateGradients(),
        model.training_.prepared.op,
    ):
        with pytest.raises(TypeError, match="or of an estimator its mean_only"):
            nk.save(tmp_path / "model.npz", value)
    light = nk.sklearn.NTKRegressor(solver=nk.solvers.ConjugateGradients(rank=5)).fit(x, x[:, 0])
    with pytest.raises(TypeError, match=r"mean_only\(\), with set_params\(solver='cg'\)"):
        nk.save(tmp_path / "model.npz", light.mean_only())
    nk.save(tmp_path / "model.npz", light.mean_only().set_params(solver="cg"))
    nk.save(tmp_path / "model.npz", model.mean_only())
    again = nk.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
