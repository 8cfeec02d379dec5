"""``ntkfast figures``: complete files or none, and errors before the work."""

import io
import sys
from pathlib import Path
from typing import IO

import pytest
from matplotlib.figure import Figure

from ntkfast.cli import main
from ntkfast.plots.figures import FIGURES, gaussian_process

PNG = b"\x89PNG\r\n\x1a\n"


def test_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "pictures"
    assert main(["figures", str(folder), "--only", "G, kernel-map,f", "--dpi", "40"]) == 0
    names = ["f-kernel-map.png", "g-gaussian-process.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert all(path.read_bytes().startswith(PNG) for path in folder.iterdir())
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:2]] == [str(folder / name) for name in names]
    assert printed[2].startswith("2 figures, ")


def test_help_lists_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["figures", "--help"])
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if line[:5].strip() in FIGURES] == [
        *FIGURES
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["DIR", "--only", "f,zz"], "there is no figure 'zz'; expected some of"),
        (["DIR", "--only", ""], "there is no figure ''; expected some of"),
        (["DIR", "--dpi", "5"], "--dpi 5: expected a number from 10 to 1000"),
        (["DIR", "--dpi", "x"], "argument --dpi: invalid int value"),
        (["FILE"], "which is a file; expected a folder"),
        ([], "required: DIR"),
    ],
)
def test_bad_usage_is_2_and_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "FILE").write_text("mine")
    places = {name: str(tmp_path / name) for name in ("DIR", "FILE")}
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["figures", *(places.get(argument, argument) for argument in arguments)])
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["FILE"]


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished = tmp_path / "g-gaussian-process.png"
    finished.write_text("an earlier one")

    def stop(_: Figure, file: IO[bytes], **__: object) -> None:
        file.write(PNG)
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", stop)
    assert main(["figures", str(tmp_path), "--only", "g"]) == 130
    assert [path.name for path in tmp_path.iterdir()] == [finished.name]
    assert finished.read_text() == "an earlier one"


def test_a_folder_that_cannot_be_made_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["figures", str(tmp_path / "file" / "folder"), "--only", "g"]) == 1
    assert "file" in capsys.readouterr().err


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["figures", str(tmp_path / "new")]) == 1
    assert capsys.readouterr().err.endswith("pip install 'ntkfast[all]'\n")
    assert not (tmp_path / "new").exists()


def test_numbers_need_no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    result = gaussian_process.compute(n=3)
    with pytest.raises(ImportError, match=r"a figure requires Matplotlib.*'ntkfast\[plots\]'"):
        gaussian_process.draw(result)


def test_a_bar_shows_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["figures", str(tmp_path), "--only", "g", "--dpi", "20"]) == 0
    assert "gaussian-process" in terminal.getvalue()
    assert "1/1" in terminal.getvalue()
