"""``ntkfast gram`` after an interruption: the same command resumes the run, and no other does."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from contract import same_bits
from gram_files import MLP, NET, X, ended, place
from ntkfast.cli import _resumable, _unfinished, main

__all__ = ["place"]


def killed(tmp_path: Path, rows: int, *options: str) -> None:
    """Run the command in a process that is killed within the block behind so many rows."""
    code = f"""
        import os, signal, sys
        from ntkfast.cli import _resumable, main
        _resumable._BLOCK = 1
        write = _resumable._write
        def struck(job, file, start, stop, on_pairs):
            if start == {rows}:
                file[..., start : start + 10, :] = -1.0
                os.kill(os.getpid(), signal.SIGKILL)
            write(job, file, start, stop, on_pairs)
        _resumable._write = struck
        main(["gram", "x.npy", "k.npy", *{options!r}, "--threads", "1"])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "k.npy").exists()


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("rows", [0, 64, 128])
def test_a_killed_run_goes_on_to_the_same_bits(
    rows: int, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gram", "x.npy", "whole.npy", *MLP]) == 0
    killed(place, rows, *MLP)
    assert json.loads(Path("k.npy.part.json").read_bytes())["rows"] == rows
    finished = np.load("k.npy.part")[:rows]
    assert same_bits(finished, np.load("whole.npy")[:rows])
    capsys.readouterr()
    assert ended(*MLP) == 0
    assert (f"after row {rows} of 150" in capsys.readouterr().out) == (rows > 0)
    assert Path("k.npy").read_bytes() == Path("whole.npy").read_bytes()
    assert not list(place.glob("k.npy.*"))
    assert not list(place.glob(".*"))


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_run_on_images_goes_on_to_the_same_bits(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(5).standard_normal((40, 5, 4, 2))
    np.save("x.npy", images)
    Path("net.json").write_text(json.dumps(nk.cntk(2).to_dict()), encoding="utf-8")
    killed(place, 32, "--network", "net.json")
    capsys.readouterr()
    assert ended("--network", "net.json") == 0
    assert "after row 32 of 40" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load("k.npy"), nk.cntk(2).ntk(images))


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_run_for_both_kernels_goes_on_to_the_same_bits(place: Path) -> None:
    assert main(["gram", "x.npy", "whole.npy", *MLP, "--kernel", "both"]) == 0
    killed(place, 64, *MLP, "--kernel", "both")
    assert ended(*MLP, "--kernel", "ntk") == 1
    assert ended(*MLP, "--kernel", "both") == 0
    assert Path("k.npy").read_bytes() == Path("whole.npy").read_bytes()
    assert not list(place.glob("k.npy.*"))


def interrupted(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Run the command, interrupted within its second block."""
    write = _resumable._write

    def struck(job: Any, matrix: Any, start: int, stop: int, on_pairs: Any) -> None:
        if start:
            raise KeyboardInterrupt
        write(job, matrix, start, stop, on_pairs)

    with monkeypatch.context() as patch:
        patch.setattr(_resumable, "_write", struck)
        return ended(*options)


def test_ctrl_c_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert interrupted(monkeypatch, *MLP) == 130
    assert (
        "ntkfast: k.npy.part is unfinished; run the same command again to resume"
        in capsys.readouterr().err
    )
    assert ended(*MLP) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--kernel", "nngp"], "was started with another kernel: repeat the original command"),
        (["--w-std", "1.4"], "was started with another network"),
        (["--dtype", "float32"], "was started with other points, another dtype"),
        (["--x2", "x2.npy"], "was started with other points in --x2, another shape"),
    ],
)
def test_a_run_of_another_kind_is_not_gone_on_with(
    change: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(monkeypatch, *MLP)
    before = Path("k.npy.part").read_bytes()
    capsys.readouterr()
    assert ended(*MLP, *change) == 1
    assert message in capsys.readouterr().err
    assert Path("k.npy.part").read_bytes() == before
    assert ended(*MLP, *change, "--force") == 0
    assert not Path("k.npy.part").exists()
    assert not Path("k.npy.part.json").exists()


@pytest.mark.parametrize(
    ("key", "message"),
    [("version", "another version of ntkfast"), ("simd", "instruction set"), ("x", "other points")],
)
def test_every_part_of_the_fingerprint_counts(
    key: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(monkeypatch, *MLP)
    record = json.loads(Path("k.npy.part.json").read_bytes())
    record["fingerprint"][key] = "other"
    Path("k.npy.part.json").write_text(json.dumps(record), encoding="utf-8")
    assert ended(*MLP) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.npy.part.json", b"{}", "k.npy.part.json is damaged ('rows'); start again with --force"),
        ("k.npy.part.json", b"", "is damaged"),
        (
            "k.npy.part.json",
            None,
            "k.npy.part exists, but k.npy.part.json, which describes it, does not",
        ),
        ("k.npy.part", b"cut off", "is not the file that k.npy.part.json describes"),
        ("k.npy.part", None, "is not the file that k.npy.part.json describes"),
    ],
)
def test_damaged_remains_are_refused(
    name: str,
    content: bytes | None,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(monkeypatch, *MLP)
    Path(name).unlink()
    if content is not None:
        Path(name).write_bytes(content)
    capsys.readouterr()
    assert ended(*MLP) == 1
    assert message in capsys.readouterr().err
    assert ended(*MLP, "--force") == 0
    np.testing.assert_allclose(np.load("k.npy"), NET.ntk(X), rtol=1e-12)


@pytest.mark.skipif(os.name != "posix", reason="locks are those of POSIX")
def test_two_at_once_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    with _unfinished.held(Path("k.npy.part")):
        assert ended(*MLP) == 1
    assert "another process is writing to it" in capsys.readouterr().err
    assert ended(*MLP) == 0
