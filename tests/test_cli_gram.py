"""``ntkfast gram``: it writes the same matrix as the network, in all conditions."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from gram_files import MLP, NET, X2, X, ended, place
from ntkfast.cli import _resumable, gram, main
from ntkfast.networks.rates import Rates, workload

__all__ = ["place"]


def rounding(reference: Any) -> float:
    return float(1e-13 * np.abs(reference).max())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (MLP, lambda: NET.ntk(X)),
        (["--network", "net.json"], lambda: NET.ntk(X)),
        ([*MLP, "--kernel", "nngp"], lambda: NET.nngp(X)),
        ([*MLP, "--x2", "x2.npy"], lambda: NET.ntk(X, X2)),
        (["--depth", "1"], lambda: nk.mlp(1).ntk(X)),
        (["--depth", "1", "--threads", "1"], lambda: nk.mlp(1).ntk(X)),
        (["--depth", "1", "--activation", "Leaky-ReLU"], lambda: nk.mlp(1, nk.LeakyRelu()).ntk(X)),
    ],
    ids=["mlp", "file", "nngp", "x2", "relu", "threads", "name"],
)
@pytest.mark.usefixtures("threads")
def test_the_matrix_is_that_of_the_network(
    options: list[str],
    expected: Callable[[], Any],
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(*options) == 0
    printed, errors = capsys.readouterr()
    assert errors == ""
    assert [line.split()[0] for line in printed.splitlines()] == [
        *("network", "output", "memory", "estimate", "k.npy")
    ]
    k, reference = np.load("k.npy"), expected()
    assert k.dtype == reference.dtype
    np.testing.assert_allclose(k, reference, rtol=0, atol=rounding(reference))
    if k.shape == (150, 150):
        assert same_bits(k, k.T)
        assert same_bits(k.diagonal(), reference.diagonal())
    assert sorted(path.name for path in place.iterdir()) == [
        *("k.npy", "net.json", "x.npy", "x2.npy")
    ]


def test_types_and_diagonals(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*MLP, "--dtype", "float32") == 0
    k = np.load("k.npy")
    assert k.dtype == np.float32
    np.testing.assert_allclose(k, NET.ntk(X), rtol=1e-5, atol=1e-5)
    assert ended(*MLP, "--diagonal", "--force", "--kernel", "nngp") == 0
    assert same_bits(np.load("k.npy"), NET.nngp(X, diagonal=True))
    np.save("x.npy", X.astype(np.float32))
    assert ended(*MLP, "--force") == 0
    assert np.load("k.npy").dtype == np.float32
    assert ended(*MLP, "--force", "--x2", "x2.npy") == 0  # of the wider type
    assert np.load("k.npy").dtype == np.float64
    assert capsys.readouterr().err == ""


def test_dropout_meets_only_itself_on_the_diagonal() -> None:
    net = nk.Serial(nk.Dense(), nk.Relu(), nk.Dropout(keep=0.5), nk.Dense())
    Path("net.json").write_text(json.dumps(net.to_dict()), encoding="utf-8")
    np.save("x.npy", np.tile(X[:5], (20, 1)))
    assert ended("--network", "net.json") == 0
    reference = net.ntk(np.load("x.npy"))
    np.testing.assert_allclose(np.load("k.npy"), reference, rtol=0, atol=rounding(reference))


@pytest.mark.parametrize("kind", ["csv", "csv with names", "npz", "npz:name", "npy, integers"])
def test_points_in_other_formats(kind: str) -> None:
    table, points = X.round(3), "x.csv"
    if kind.startswith("csv"):
        names = "a,b,c,d" if "names" in kind else ""
        np.savetxt("x.csv", table, delimiter=",", header=names, comments="", encoding="utf-8")
    elif kind == "npz":
        np.savez(points := "x.npz", table)
    elif kind == "npz:name":
        np.savez("x.npz", images=table, labels=X[:, 0])
        points = "x.npz:images"
    else:
        table = np.arange(12).reshape(6, 2) - 5
        np.save(points := "x.npy", table)
    assert main(["gram", points, "k.npy", "--depth", "1"]) == 0
    reference = nk.mlp(1).ntk(table)
    np.testing.assert_allclose(np.load("k.npy"), reference, rtol=0, atol=rounding(reference))


def test_a_disk_without_room_is_said_before(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = type("Usage", (), {"free": 179_999})
    monkeypatch.setattr(_resumable.shutil, "disk_usage", lambda _: usage)
    assert ended(*MLP) == 1
    errors = capsys.readouterr().err
    assert errors == "ntkfast: k.npy needs 180,000 more bytes, but the disk has 179,999 free\n"
    assert not list(place.glob("k.npy*"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room cannot be reserved here")
def test_a_disk_that_fills_up_meanwhile(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert ended(*MLP) == 1
    assert capsys.readouterr().err == "ntkfast: k.npy.part: No space left on device\n"
    assert not list(place.glob("k.npy*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.npy", "k.npy"], "no network given; use --network FILE or --depth N"),
        (
            ["x.npy", "k.npy", "--network", "a", "--w-std", "1"],
            "--w-std cannot be combined with --network",
        ),
        (
            ["x.npy", "k.npy", "--depth", "1", "--diagonal", "--x2", "x.npy"],
            "cannot be combined with --x2",
        ),
        (["x.npy", "k.npy", "--depth", "1", "--threads", "0"], "--threads 0: expected at least 1"),
        (
            ["x.npy", "k.npy", "--depth", "1", "--threads", "4097"],
            "4097: expected at least 1, at m",
        ),
        (["x.npy", "k.txt", "--depth", "1"], "expected a name that ends with .npy"),
        (["x.npy", "no/k.npy", "--depth", "1"], "no is not a folder"),
        (["x.npy", "./x.npy", "--depth", "1", "--force"], "the same file as IN or --x2"),
        (["x2.npy", "x.npy", "--depth", "1", "--force", "--x2", "x.npy"], "the same file as IN"),
        (["x.npy", "k.npy", "--depth", "1", "--kernel", "nkt"], "invalid choice: 'nkt'"),
        (["x.npy", "--depth", "1"], "no OUT given; name the file for the matrix, or use --estima"),
        (
            ["x.npy", "--depth", "1", "--estimate", "--diagonal"],
            "--estimate is for matrices and cannot be combined with --diagonal",
        ),
    ],
)
def test_bad_usage_is_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["gram", *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.npy", "--depth", "1"], "ntkfast: none.npy: No such file or directory"),
        (["x.txt", "--depth", "1"], "unsupported file extension '.txt'; expected .npy, .npz, .csv"),
        (["cut.npy", "--depth", "1"], "cut.npy is truncated or not an NPY file of numbers"),
        (["pickle.npy", "--depth", "1"], "pickle.npy is truncated or not an NPY file of numbers"),
        (["two.npz", "--depth", "1"], "has 2 arrays; choose one: two.npz:a, two.npz:b"),
        (["two.npz:c", "--depth", "1"], "two.npz has no array 'c'; choose one: two.npz:a"),
        (
            ["ragged.csv", "--depth", "1"],
            "ragged.csv: line 2 has 1 instead of 2 columns",
        ),
        (["words.csv", "--depth", "1"], "words.csv: line 4, column 2 is 'Rome'; expected numbers"),
        (["missing.csv", "--depth", "1"], "missing.csv: line 3, column 2 is empty; expected"),
        (["empty.csv", "--depth", "1"], "empty.csv: it contains no numbers; expected"),
        (["latin.csv", "--depth", "1"], "latin.csv: 'utf-8' codec can't decode byte 0xf6"),
        (["grouped.csv", "--depth", "1"], "grouped.csv: could not convert string '1_000'"),
        (["nan.csv", "--depth", "1"], "nan.csv has a NaN at index 1, 0; expected finite numbers"),
        (["x.npy", "--depth", "-1"], "--depth is -1; expected an integer >= 0"),
        (["x.npy", "--depth", "1000000"], "--depth is 1000000; expected an integer >= 0 and <="),
        (["x.npy", "--depth", "1", "--w-std", "-1"], "--w-std is -1.0"),
        (["x.npy", "--depth", "1", "--activation", "rleu"], "(did you mean 'relu'?)"),
        (
            ["x.npy", "--depth", "1", "--activation", "dense"],
            "--activation dense: expected the name",
        ),
        (
            ["x.npy", "--depth", "1", "--activation", "abrelu"],
            "an activation without parameters; use a --network file",
        ),
        (["x.npy", "--depth", "1", "--w-std", "nan"], "--w-std is nan; expected a finite number"),
        (["x.npy", "--depth", "1", "--b-std", "-1"], "--b-std is -1.0; expected a finite number"),
        (
            ["large.npy", "--depth", "1", "--dtype", "float32"],
            "large.npy, converted to float32, has",
        ),
        (
            ["x.npy", "--depth", "1", "--dtype", "float32", "--x2", "large.npy"],
            "large.npy, converted to float32, has an infinity at index 0, 0; expected finite",
        ),
        (["x.npy", "--network", "none.toml"], "none.toml"),
        (["x.npy", "--network", "bad.json"], "bad.json: the network: there is no layer 'Rleu'"),
        (
            ["x.npy", "--depth", "1", "--x2", "one.csv"],
            "one.csv has points of shape (1,); exp",
        ),
        (["line.npy", "--depth", "1"], "line.npy has shape (600,); expected (n_samples, n_feat"),
        (["x.npy", "--network", "images.json"], "x.npy has shape (150, 4); expected images, of sh"),
    ],
)
def test_bad_files_are_1_and_say_why(
    arguments: list[str], message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cut.npy").write_bytes(Path("x.npy").read_bytes()[:-1])
    np.save("pickle.npy", np.array([{}], dtype=object))
    np.savez("two.npz", a=X, b=X)
    for name, text in {
        "ragged": "1,2\n3\n",
        "words": "size,city\n1,2\n\n3,Rome # far\n",
        "missing": "1,2\n3,4\n5,\n",
        "grouped": "1_000,2\n",
        "empty": "",
        "nan": "1\nnan\n",
        "one": "1\n",
    }.items():
        Path(f"{name}.csv").write_text(text, encoding="utf-8")
    Path("latin.csv").write_text("Höhe\n1\n", encoding="latin-1")
    np.save("line.npy", X.ravel())
    np.save("large.npy", np.full((2, 4), 1e200))
    images = nk.Serial(nk.Conv((3, 3)), nk.Flatten(), nk.Dense())
    Path("images.json").write_text(json.dumps(images.to_dict()), encoding="utf-8")
    Path("bad.json").write_text('{"type": "Rleu"}', encoding="utf-8")
    assert main(["gram", arguments[0], "k.npy", *arguments[1:]]) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert errors.startswith("ntkfast: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert not list(place.glob("k.npy*"))


@pytest.mark.parametrize("reason", ["no room for 8 TB", ""])
def test_memory_that_is_not_there(
    reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError(reason)

    monkeypatch.setattr(_resumable, "evaluate", refuse)
    assert ended(*MLP) == 1
    assert capsys.readouterr().err == f"ntkfast: {reason or 'not enough memory'}\n"


def test_the_estimate_is_for_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs that are not there yet, and samples that each block reads again."""
    work = _resumable.Job(NET, "ntk", X, None, Path("k.npy"))
    monkeypatch.setattr(gram, "measure", lambda *_: Rates(0.0, 1.0))
    counted = workload(work.prepared, 150, None, ("ntk",))
    assert gram._expected(work, 0) == counted.pairs / counted.pair_threads
    left = (150 - 64) * (150 - 63) / (150 * 151)
    assert gram._expected(work, 64) == pytest.approx(left * gram._expected(work, 0))
    assert gram._expected(work, 150) == 0
    monkeypatch.setattr(gram, "measure", lambda *_: Rates(1.0, 0.0))
    assert gram._expected(work, 0) == work.samples(0) / counted.sample_threads
    assert work.samples(0) == 150 + 86 + 22 + 150  # in blocks of 64 rows
    assert work.samples(64) == 86 + 22 + 86
    assert _resumable.Job(NET, "ntk", X, X2, Path("k.npy")).samples(64) == 2 * len(X2) + 86


@pytest.mark.parametrize("options", [[], ["k.npy"]])
def test_an_estimate_alone_writes_nothing(
    options: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in options:
        Path(name).write_bytes(b"mine")
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert main(["gram", "x.npy", *options, *MLP, "--estimate", "--kernel", "both"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["network", "output", "memory", "estimate"]
    assert lines[1] == "output     NNGP and NTK, 150 x 150, float64: 360 kB"
    assert lines[3].endswith(" s plus the time of the disk")
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


@pytest.mark.parametrize("options", [[], ["--x2", "x2.npy"], ["--diagonal"]])
def test_both_kernels_in_one_file(options: list[str], place: Path) -> None:
    assert ended(*MLP, *options, "--kernel", "both") == 0
    nngp, ntk = np.load("k.npy", mmap_mode="r")
    for kernel, found in (("nngp", nngp), ("ntk", ntk)):
        assert ended(*MLP, *options, "--kernel", kernel, "--force") == 0
        np.testing.assert_allclose(found, np.load("k.npy"), rtol=1e-13, atol=1e-13)
    assert not list(place.glob("k.npy.*"))


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["gram", "--help"])
    printed = capsys.readouterr().out
    assert "examples:\n  ntkfast gram x.npy k.npy" in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []
    job = _resumable.Job(NET, "ntk", X, None, Path("k.npy"))
    _resumable.run(job, seen.append, force=False)
    assert seen == sorted(seen)
    assert seen[-1] == job.pairs(150) == 150 * 151 // 2
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with gram._bar(job, 64) as on_pairs:
        on_pairs(job.pairs(150))
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with gram._bar(job, 64) as on_pairs:
        assert on_pairs(1) is None
    assert capsys.readouterr().err.strip() == ""
