"""`ntkfast gram` to a Zarr array: the bits of one call, resumable, and never half of a matrix."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from gram_files import MLP, NET, X, place
from ntkfast.cli import _zarr, main

__all__ = ["place"]

zarr = pytest.importorskip("zarr", reason="needs the extra zarr")

# Chunks of 64 points, for matrices of three by three chunks.
SMALL = 64 * 64 * 8


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ntkfast.cli._zarr._CHUNK", SMALL)


def read(name: str = "k.zarr") -> Any:
    return zarr.open_array(name, mode="r")[...]


def written(*options: str, out: str = "k.zarr") -> int:
    return main(["gram", "x.npy", out, *options])


OPTIONS = [
    MLP,
    [*MLP, "--kernel", "both"],
    [*MLP, "--dtype", "float32"],
    [*MLP, "--x2", "x2.npy"],
    [*MLP, "--x2", "x2.npy", "--kernel", "both"],
]


@pytest.mark.parametrize("options", OPTIONS)
def test_the_array_has_the_bits_of_the_file(options: list[str], place: Path) -> None:
    np.save("x2.npy", X[:70] + 1)
    assert written(*options) == 0
    assert written(*options, out="k.npy") == 0
    np.testing.assert_array_equal(read(), np.load("k.npy"))
    assert {path.name for path in place.iterdir() if "k." in path.name} == {"k.npy", "k.zarr"}


def test_images_and_fitted_activations(place: Path) -> None:
    images = np.random.default_rng(5).standard_normal((150, 3, 3, 1))
    np.save("x.npy", images)
    for net, x in ((nk.cntk(1), images), (nk.mlp(1, nk.Tanh()), X)):
        np.save("x.npy", x)
        Path("net.json").write_text(json.dumps(net.to_dict()), encoding="utf-8")
        assert written("--network", "net.json", "--force") == 0
        np.testing.assert_array_equal(read(), net.ntk(x))


def test_chunks_are_not_much_larger_than_the_matrix(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ntkfast.cli._zarr._CHUNK", 256 * 256 * 8)
    np.save("x2.npy", X[:3])
    assert written(*MLP, "--x2", "x2.npy", out="narrow.zarr") == 0
    assert zarr.open_array("narrow.zarr").chunks == (150, 3)
    np.save("x.npy", np.tile(X, (2, 1))[:260])
    assert written(*MLP) == 0
    assert zarr.open_array("k.zarr").chunks == (192, 192)


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_a_killed_run_goes_on_to_the_same_bits(
    after: int, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed while the chunk after so many is written."""
    code = f"""
        import os, signal
        import numpy as np
        from ntkfast.cli import _zarr, main
        _zarr._CHUNK = {SMALL}
        write, calls = _zarr._write, []
        def struck(job, array, place, block):
            calls.append(1)
            if len(calls) > {after}:
                write(job, array, place, [np.full_like(part, -1.0) for part in block])
                os.kill(os.getpid(), signal.SIGKILL)
            write(job, array, place, block)
        _zarr._write = struck
        main(["gram", "x.npy", "k.zarr", *{MLP!r}, "--threads", "1"])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not Path("k.zarr").exists()
    rows = 64 if after >= 3 else 0
    assert json.loads(Path("k.zarr.part.json").read_bytes())["rows"] == rows
    capsys.readouterr()
    assert written("--depth", "1") == 1  # another network
    assert "was started with another network" in capsys.readouterr().err
    assert written(*MLP) == 0
    assert (f"after row {rows} of 150" in capsys.readouterr().out) == (rows > 0)
    np.testing.assert_array_equal(read(), NET.ntk(X))
    assert not [path for path in place.iterdir() if path.name.startswith(("k.zarr.", "."))]


def test_damaged_folders_are_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("ntkfast.cli._zarr._pairs", stop)
        assert written(*MLP) == 1
    Path("k.zarr.part.json").write_text(
        Path("k.zarr.part.json").read_text().replace('"rows": 0', '"rows": 64')
    )
    Path("k.zarr.part/zarr.json").write_text("{}")
    capsys.readouterr()
    assert written(*MLP) == 1
    assert "k.zarr.part is not the file that k.zarr.part.json describes" in capsys.readouterr().err
    assert written(*MLP, "--force") == 0
    np.testing.assert_array_equal(read(), NET.ntk(X))


def test_what_is_there_is_not_overwritten(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written("--depth", "1") == 0
    before = read()
    capsys.readouterr()
    assert written(*MLP) == 1
    assert "k.zarr already exists; use --force to overwrite it" in capsys.readouterr().err
    np.testing.assert_array_equal(read(), before)
    assert written(*MLP, "--force") == 0
    np.testing.assert_array_equal(read(), NET.ntk(X))
    # It appears while the matrix is computed.
    evaluate = _zarr.ZarrJob.block

    def computing(job: Any, where: Any) -> Any:
        Path("new.zarr").mkdir(exist_ok=True)
        return evaluate(job, where)

    with monkeypatch.context() as patch:
        patch.setattr(_zarr.ZarrJob, "block", computing)
        assert written(*MLP, out="new.zarr") == 1
    assert "was created while the matrix was computed" in capsys.readouterr().err
    assert not list(Path("new.zarr").iterdir())


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: Path("k.zarr").mkdir(), MLP, "which is not a Zarr array"),
        (lambda: Path("k.zarr").write_text("mine"), [*MLP, "--force"], "not a Zarr array"),
        (lambda: None, [*MLP, "--diagonal"], "--diagonal is written to files that end with .npy"),
    ],
)
def test_refusals(
    make: Any, options: list[str], message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make()
    with pytest.raises(SystemExit):
        written(*options)
    assert message in capsys.readouterr().err


def test_without_the_package(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    assert written(*MLP) == 1
    # `all` does not contain it.
    assert capsys.readouterr().err.endswith("pip install 'ntkfast[zarr]'\n")
    assert not Path("k.zarr.part.json").exists()


@pytest.mark.alone
def test_workers_of_dask_write_the_same(place: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra dask")
    np.save("x2.npy", X[:70] + 1)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        for options in OPTIONS:
            where = ["--dask", cluster.scheduler_address, "--force"]
            assert written(*options, out="own.zarr") == 0
            assert written(*options, *where) == 0
            np.testing.assert_array_equal(read(), read("own.zarr"))
            shutil.rmtree("own.zarr")
