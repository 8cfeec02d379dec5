"""The file that ``ntkfast gram`` writes: no other is overwritten, and it stays where it is."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gram_files import MLP, NET, X, ended, place
from ntkfast.cli import _resumable, gram

__all__ = ["place"]


def test_what_is_there_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("k.npy").write_bytes(b"mine")
    assert ended(*MLP) == 1
    assert capsys.readouterr().err == "ntkfast: k.npy already exists; use --force to overwrite it\n"
    assert Path("k.npy").read_bytes() == b"mine"
    assert ended(*MLP, "--force") == 0
    assert np.load("k.npy").shape == (150, 150)


@pytest.mark.parametrize("options", [[], ["--diagonal"]])
@pytest.mark.parametrize("computed", [False, True])
def test_what_appears_meanwhile_is_not_overwritten(
    options: list[str],
    computed: bool,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """While the points are read, or the matrix is computed."""
    read, evaluate = gram.read_points, _resumable.Job.evaluate

    def reading(text: str) -> Any:
        Path("k.npy").write_bytes(b"theirs")
        return read(text)

    def computing(job: Any, *arguments: Any, **named: Any) -> Any:
        if "out" in named or "diagonal" in named:  # not for the estimate
            Path("k.npy").write_bytes(b"theirs")
        return evaluate(job, *arguments, **named)

    with monkeypatch.context() as patch:
        if computed:
            patch.setattr(_resumable.Job, "evaluate", computing)
        else:
            patch.setattr(gram, "read_points", reading)
        assert ended(*MLP, *options) == 1
    assert capsys.readouterr().err.startswith("ntkfast: k.npy ")
    assert Path("k.npy").read_bytes() == b"theirs"
    left = ["k.npy", "k.npy.part", "k.npy.part.json"]
    complete = computed and not options
    assert sorted(path.name for path in place.glob("*k.npy*")) == left[: 3 if complete else 1]
    assert ended(*MLP, *options, "--force") == 0
    assert ("after row 150 of 150" in capsys.readouterr().out) == complete
    expected = NET.ntk(X, diagonal=True) if options else NET.ntk(X)
    np.testing.assert_allclose(np.load("k.npy"), expected, rtol=1e-12)
    assert [path.name for path in place.glob("*k.npy*")] == ["k.npy"]


@pytest.mark.skipif(os.name != "posix", reason="as on POSIX")
@pytest.mark.parametrize("options", [[], ["--diagonal"]])
def test_a_symbolic_link_stays_one_and_a_file_keeps_its_permissions(
    options: list[str], place: Path
) -> None:
    (place / "there").mkdir()
    target = place / "there" / "real.npy"
    Path("k.npy").symlink_to(target)
    assert ended(*MLP, *options) == 0
    target.chmod(0o600)
    assert ended(*MLP, *options) == 1
    assert ended(*MLP, *options, "--force") == 0
    assert Path("k.npy").is_symlink()
    assert [path.name for path in target.parent.iterdir()] == ["real.npy"]
    assert target.stat().st_mode & 0o777 == 0o600
    assert len(np.load("k.npy")) == 150


@pytest.mark.skipif(os.name != "posix", reason="as on POSIX")
@pytest.mark.parametrize("options", [["--force"], ["--force", "--kernel", "nngp"], []])
def test_a_run_killed_between_its_two_names_is_tidied_up(options: list[str], place: Path) -> None:
    assert ended(*MLP) == 0
    old = Path("k.npy").read_bytes()
    Path("k.npy.part").hardlink_to("k.npy")
    Path("k.npy.part.json").write_text("{}", encoding="utf-8")
    assert ended(*MLP, *options) == (0 if options else 1)
    assert [path.name for path in place.glob("*k.npy*")] == ["k.npy"]
    assert (Path("k.npy").read_bytes() == old) == ("nngp" not in options)
