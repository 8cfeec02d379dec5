"""`ntkfast gram --dask`: the file has the bits of one process."""

import json
from pathlib import Path

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.cli import main

distributed = pytest.importorskip("distributed", reason="needs the extra dask")

pytestmark = pytest.mark.alone  # its clusters want the processors

X = np.random.default_rng(0).standard_normal((300, 5))


@pytest.fixture(scope="module")
def address():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Points in files, and blocks of 64 rows."""
    monkeypatch.setattr("ntkfast.cli._resumable._BLOCK", 64 * 300 * 8)
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("x2.npy", X[:100] + 1)
    np.save("images.npy", np.random.default_rng(1).standard_normal((40, 3, 3, 2)))
    Path("images.json").write_text(json.dumps(nk.cntk(1).to_dict()))
    Path("tanh.json").write_text(json.dumps(nk.mlp(1, nk.Tanh()).to_dict()))
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("x.npy", "--depth", "2"),
        ("x.npy", "--depth", "2", "--kernel", "both", "--dtype", "float32"),
        ("x.npy", "--network", "tanh.json", "--x2", "x2.npy"),
        ("images.npy", "--network", "images.json"),
    ],
)
def test_the_file_has_the_bits_of_one_process(arguments, folder, address):
    points, *others = arguments
    assert main(["gram", points, "own.npy", *others]) == 0
    assert main(["gram", points, "theirs.npy", *others, "--dask", address]) == 0
    assert Path("own.npy").read_bytes() == Path("theirs.npy").read_bytes()


def test_a_run_goes_on_from_one_without_dask(folder, address, monkeypatch, capsys):
    calls = []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("the disk is gone")
        return write(*arguments)

    from ntkfast.cli import _resumable

    write = _resumable._write
    monkeypatch.setattr(_resumable, "_write", stop)
    assert main(["gram", "x.npy", "k.npy", "--depth", "1"]) == 1
    assert main(["gram", "x.npy", "k.npy", "--depth", "1", "--dask", address]) == 0
    assert "resuming   after row 128 of 300" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load("k.npy"), nk.mlp(1).ntk(X))


def test_workers_on_this_machine(folder):
    assert main(["gram", "x.npy", "k.npy", "--depth", "1", "--dask", "1"]) == 0
    np.testing.assert_array_equal(np.load("k.npy"), nk.mlp(1).ntk(X))


def test_large_points_are_sent_without_advice(folder, address):
    x = np.random.default_rng(1).standard_normal((300, 5000))  # 12 MB
    np.save("wide.npy", x)
    assert main(["gram", "wide.npy", "k.npy", "--depth", "1", "--dask", address]) == 0
    np.testing.assert_array_equal(np.load("k.npy"), nk.mlp(1).ntk(x))


def test_refusals(folder, capsys, monkeypatch):
    for address, message in (
        ("tcp://127.0.0.1:1", "no scheduler answers there"),
        ("nonsense://here", "expected an address such as tcp://"),
        ("0", "expected at least one worker"),
    ):
        monkeypatch.setattr("ntkfast.cli._workers._SECONDS", "1s")
        assert main(["gram", "x.npy", "k.npy", "--depth", "1", "--dask", address]) == 1
        assert message in capsys.readouterr().err
        assert not Path("k.npy.part").exists()
    with pytest.raises(SystemExit):
        main(["gram", "x.npy", "k.npy", "--depth", "1", "--dask", "1", "--diagonal"])
    assert "cannot be combined with --diagonal" in capsys.readouterr().err
