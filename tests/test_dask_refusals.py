"""Dask arrays that kernels refuse, before anything is computed if that is known."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.kernels import merged
from processes import run

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
plan = pytest.importorskip("ntkfast.dask.plan")
VERSION = nk.__version__

NET = nk.mlp(1)
CONV = nk.Serial(nk.Conv((3, 3), padding="VALID"), nk.Relu(), nk.GlobalAvgPool(), nk.Dense())
X = np.random.default_rng(0).standard_normal((200, 6))


def lazy(array: Any = X, *, rows: int = 64) -> Any:
    return da.from_array(array, chunks=(rows, *array.shape[1:]))


@pytest.fixture(autouse=True)
def scheduler() -> Any:
    with dask.config.set(scheduler="synchronous"):
        yield


def test_chunks_with_parts_of_samples() -> None:
    split = da.from_array(X, chunks=(64, 4))
    with pytest.raises(
        ValueError, match=r"x has chunks of shape \(64, 4\).*x\.rechunk\(\{1: -1\}\)"
    ):
        NET.ntk(split)
    with pytest.raises(ValueError, match=r"x2 has .*x2\.rechunk"):
        NET.ntk(lazy(), split)
    assert NET.ntk(split.rechunk({1: -1})).shape == (200, 200)
    images = da.zeros((9, 8, 8, 2), chunks=(9, 4, 8, 1))
    with pytest.raises(ValueError, match=r"of shape \(k, 8, 8, 2\).*rechunk\(\{1: -1, 3: -1\}\)"):
        CONV.ntk(images)


def test_chunks_of_unknown_sizes() -> None:
    x = lazy()
    some = x[x[:, 0] > 0]
    with pytest.raises(ValueError, match=r"unknown sizes; call x\.compute_chunk_sizes\(\)"):
        NET.ntk(some)
    assert NET.ntk(some.compute_chunk_sizes()).compute().shape == ((X[:, 0] > 0).sum(),) * 2


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (X[0], ValueError, r"x has shape \(6,\); expected \(n_samples, n_features\)"),
        (X[:, :0], ValueError, r"x has shape \(200, 0\), so it has no features"),
        (X + 1j, TypeError, "x has dtype complex128; expected real numbers"),
        (X.astype(str), TypeError, "x has dtype .*; expected real numbers"),
        (np.ma.masked_less(X, 0), TypeError, "x is a masked array"),
    ],
)
def test_what_numpy_arrays_are_refused_for(array: Any, error: type, message: str) -> None:
    for given in (array, lazy(array)):
        with pytest.raises(error, match=message):
            NET.ntk(given)


def test_two_sets() -> None:
    with pytest.raises(ValueError, match=r"x2 has shape \(200, 5\); expected \(m, 6\), as in x"):
        NET.ntk(lazy(), X[:, :5])
    with pytest.raises(ValueError, match="one number for each row of x, as targets"):
        NET.ntk(lazy(), X[:, 0])
    with pytest.raises(ValueError, match="diagonal=True computes the kernel of each row"):
        NET.ntk(lazy(), X, diagonal=True)


def test_images_of_sizes_that_the_network_does_not_take() -> None:
    with pytest.raises(ValueError, match="windows of 3 × 3, which do not fit"):
        CONV.ntk(da.zeros((9, 2, 2, 2)))
    with pytest.raises(ValueError, match=r"expected .*images"):
        CONV.ntk(lazy())


def test_outputs_and_progress() -> None:
    with pytest.raises(TypeError, match="drop out, and write the result with its to_zarr"):
        NET.ntk(lazy(), out=np.empty((200, 200)))
    with pytest.raises(TypeError, match="drop out"):
        NET.kernels(lazy(), out=(None, np.empty((200, 200))))
    with pytest.raises(TypeError, match=r"use dask\.diagnostics\.ProgressBar"):
        NET.ntk(X, lazy(), progress=True)
    assert NET.ntk(lazy(), progress=False).shape == (200, 200)


def test_numbers_that_are_not_finite_are_found_in_their_chunk() -> None:
    x = X.copy()
    x[130, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"NaN at row 2, column 2.*\(in the chunk of x that begins at row 128\)"
    ):
        NET.ntk(lazy(x)).compute()
    with pytest.raises(ValueError, match="chunk of x2 that begins at row 128"):
        NET.ntk(X, lazy(x)).compute()


def test_errors_of_functions_arrive() -> None:
    def broken(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        nk.Serial(nk.Dense(), nk.Elementwise(broken), nk.Dense()).ntk(lazy()).compute()


def test_other_versions_are_refused_by_name() -> None:
    made = plan.of(NET, lazy()).compute()
    other = dataclasses.replace(made, version="0.0.9")
    match = rf"this worker has ntkfast {VERSION}, and the client has ntkfast 0\.0\.9: install"
    with pytest.raises(RuntimeError, match=match):
        other.prepared()
    with pytest.raises(RuntimeError, match=match):
        plan._recipe_of("0.0.9", NET, "x", 0, X)
    assert made.version == nk.info()["version"]


def test_other_instruction_sets_are_refused_by_name() -> None:
    recipe = NET._program.prepare(X, None, 0).recipe
    here = recipe["simd"]
    other = "plain" if here != "plain" else "avx2"
    with pytest.raises(ValueError, match=r"set NTKFAST_SIMD to one .*, such as plain,") as found:
        merged(recipe, {**recipe, "simd": other})
    assert here in str(found.value)
    strange = plan.Plan(NET, json.dumps({**recipe, "simd": other}))
    with pytest.raises(ValueError, match=f"instruction set {other}"):
        strange.prepared()


def test_dask_is_not_imported_for_numpy_arrays() -> None:
    script = """
        import sys
        import numpy as np
        import ntkfast as nk
        nk.mlp(1).ntk(np.eye(3))
        packages = {name.partition(".")[0] for name in sys.modules}
        print(packages & {"dask", "distributed"})
    """
    assert run(script).stdout == "set()\n"


def test_without_dask_nothing_is_a_dask_array(monkeypatch: pytest.MonkeyPatch) -> None:
    x = lazy(X[:5])
    monkeypatch.delitem(sys.modules, "dask.array")
    assert isinstance(NET.ntk(x), np.ndarray)
    monkeypatch.setitem(sys.modules, "dask.array", type(sys)("half imported"))
    assert isinstance(NET.ntk(X[:5]), np.ndarray)
