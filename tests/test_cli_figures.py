"""``ntkfast figures``: complete files or none, and errors before the work."""

import io
import re
import sys
from pathlib import Path
from typing import IO

import matplotlib
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


STARTS = {"pdf": b"%PDF-", "svg": b"<?xml", "png": PNG}


def size(path: Path) -> tuple[float, float]:
    """Return the width and height of a file in inches; of a PNG file, at 40 dpi."""
    data = path.read_bytes()
    if path.suffix == ".png":
        return tuple(int.from_bytes(data[i : i + 4]) / 40 for i in (16, 20))
    box = re.search(rb"/MediaBox \[ 0 0 (\S+) (\S+) \]", data) or re.search(
        rb'width="(\S+)pt" height="(\S+)pt"', data
    )
    assert box
    return float(box[1]) / 72, float(box[2]) / 72


@pytest.mark.parametrize("format_", STARTS)
@pytest.mark.parametrize("width", [None, 8.0])
def test_format_width_and_dpi(format_: str, width: float | None, tmp_path: Path) -> None:
    asked = [] if width is None else ["--width", str(width)]
    arguments = ["--only", "g", "--format", format_, "--dpi", "40", *asked]
    with matplotlib.rc_context({"savefig.bbox": "tight", "figure.dpi": 55}):
        assert main(["figures", str(tmp_path / "paper"), *arguments]) == 0
    (path,) = (tmp_path / "paper").iterdir()
    assert path.name == f"g-gaussian-process.{format_}"
    assert path.read_bytes().startswith(STARTS[format_])
    usual = (6.75, 0.9 + 2 * 1.75)
    expected = usual if width is None else (width, width * usual[1] / usual[0])
    assert size(path) == pytest.approx(expected, abs=1 / 40)


@pytest.mark.parametrize("name", ["kernel.pdf", "kernel.SVG", "new/kernel.png"])
def test_a_file_name_is_the_figure(name: str, tmp_path: Path) -> None:
    assert main(["figures", str(tmp_path / name), "--only", "f", "--dpi", "40"]) == 0
    assert (tmp_path / name).is_file()
    assert (tmp_path / name).read_bytes().startswith(STARTS[name.lower().rpartition(".")[2]])
    assert len(list((tmp_path / name).parent.iterdir())) == 1


def test_a_folder_may_have_other_dots(tmp_path: Path) -> None:
    assert main(["figures", str(tmp_path / "v1.2"), "--only", "g", "--dpi", "20"]) == 0
    assert (tmp_path / "v1.2" / "g-gaussian-process.png").is_file()


def test_a_folder_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.pdf").mkdir()
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["figures", str(tmp_path / "x.pdf"), "--only", "g"])
    assert "x.pdf, which is a folder; expected a file" in capsys.readouterr().err
    assert not list((tmp_path / "x.pdf").iterdir())


def test_the_style_of_papers_is_for_these_files_only(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    assert main(["figures", str(tmp_path / "g.pdf"), "--only", "g"]) == 0
    assert dict(matplotlib.rcParams) == before
    fonts = re.findall(rb"/FontDescriptor|/Subtype /Type3", (tmp_path / "g.pdf").read_bytes())
    assert b"/FontDescriptor" in fonts
    assert b"/Subtype /Type3" not in fonts  # which publishers refuse


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
        (["DIR", "--width", "2.9"], "--width 2.9: expected inches from 3 to 40"),
        (["DIR", "--width", "nan"], "--width nan: expected inches from 3 to 40"),
        (["DIR", "--format", "jpg"], "argument --format: invalid choice: 'jpg'"),
        (["FILE"], "which is a file; expected a folder"),
        (
            ["x.pdf"],
            "x.pdf, one file for 12 figures; choose one, as in --only f, or name a folder:",
        ),
        (["x.SVG", "--only", "f,g"], "x.SVG, one file for 2 figures"),
        (["x.pdf", "--only", "f", "--format", "svg"], "x.pdf, but --format is svg"),
        (["x.jpg", "--only", "f"], "unsupported file extension '.jpg'; expected .pdf, .svg, .png"),
        (["x.eps"], "unsupported file extension '.eps'"),
        ([], "required: OUT"),
    ],
)
def test_bad_usage_is_2_and_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "FILE").write_text("mine")
    names = ("DIR", "FILE", "x.pdf", "x.SVG", "x.jpg", "x.eps")
    places = {name: str(tmp_path / name) for name in names}
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
