"""The command line behaves like a Unix tool."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy

import ntkfast as nk
from ntkfast.cli import _digits, demo, info, main

PROGRAM = [sys.executable, "-W", "error", "-m", "ntkfast"]


def without(module: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process that cannot import `module`."""
    code = f"import sys; sys.modules[{module!r}] = None; {code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    assert capsys.readouterr().out == f"ntkfast {nk.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"]])
def test_help_has_examples(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(arguments)
    assert "examples:\n  ntkfast demo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["dmeo"], "invalid choice: 'dmeo'"),
        (["info", "--output", "x"], "unrecognized arguments"),
        (["demo", "--output", "no/such/folder/a.png"], "no/such/folder is not a folder"),
        (["demo", "--output", "a.docx"], "the file extension must be one of"),
        (["demo", "--output", "a"], "the file extension must be one of"),
    ],
)
def test_bad_usage_is_2_and_says_why(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors
    assert "usage: ntkfast" in errors


def test_info_says_what_a_bug_report_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NTKFAST_SIMD", "told")
    monkeypatch.setattr(info, "_OPTIONAL", ("scipy", "no-such-package"))
    assert main(["info"]) == 0
    facts = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert facts["version"] == nk.__version__
    assert facts["numpy"] == np.__version__
    assert facts["threads"] == str(nk.num_threads())
    assert {"simd", "profile", "python", "platform"} <= facts.keys()
    assert facts["scipy"] == scipy.__version__
    assert facts["no-such-package"] == "not installed"
    assert facts["NTKFAST_SIMD"] == "told"


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")
def test_names_that_are_no_text_are_printed_nevertheless(tmp_path: Path) -> None:
    """Variables of other versions, and the names of files."""
    environment = {**os.environ, "NTKFAST_OTHER": "a\udcff"}
    facts = subprocess.run(
        [*PROGRAM, "info"], capture_output=True, text=True, check=True, env=environment
    )
    assert "a\\udcff" in facts.stdout
    np.save(tmp_path / "x.npy", np.eye(3))
    out = tmp_path / "k\udcff.npy"
    for options in ([], ["--diagonal", "--force"]):
        command = [*PROGRAM, "gram", "x.npy", out.name, "--depth", "1", *options]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert ended.stderr == ""
        assert ended.stdout.splitlines()[-1].startswith("k\\udcff.npy   ")
        assert len(np.load(out)) == 3


def test_module_and_script_are_the_same_program() -> None:
    script = Path(sys.executable).with_name("ntkfast")
    shown = [
        subprocess.run([*program, "info"], capture_output=True, text=True, check=True)
        for program in (PROGRAM, [script])
    ]
    assert shown[0].stdout == shown[1].stdout
    assert shown[0].stderr == shown[1].stderr == ""


@pytest.mark.parametrize("module", ["matplotlib", "sklearn"])
def test_demo_without_its_extras_says_what_to_install(module: str) -> None:
    ended = without(module, "from ntkfast.cli import main; sys.exit(main(['demo']))")
    assert ended.returncode == 1
    assert ended.stderr.startswith("ntkfast: ")
    assert ended.stderr.endswith("pip install 'ntkfast[all]'\n")


@pytest.mark.parametrize(
    ("module", "code", "message"),
    [
        (
            "sklearn",
            "nk.data.load_digits()",
            "load_digits requires scikit-learn.*ntkfast.sklearn.'",
        ),
        ("sklearn", "nk.sklearn", "ntkfast.sklearn requires scikit-learn.*'ntkfast.sklearn.'"),
        ("matplotlib", "nk.plots.accuracy([1], [1])", "requires Matplotlib.*'ntkfast.plots.'"),
    ],
)
def test_functions_without_their_extra_name_it(module: str, code: str, message: str) -> None:
    ended = without(
        module,
        f"import ntkfast as nk, re\ntry: {code}\nexcept ImportError as error:\n"
        f" sys.exit(not re.search({message!r}, str(error)))",
    )
    assert ended.stderr == ""
    assert ended.returncode == 0


@pytest.mark.parametrize("module", ["matplotlib", "sklearn", "tqdm"])
def test_the_package_needs_numpy_alone(module: str) -> None:
    ended = without(module, "import ntkfast as nk; nk.mlp(1).ntk([[1.0]])")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.alone  # sends a signal to its own process
def test_ctrl_c_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(_digits, "run", interrupted)
    assert main(["demo", "-o", str(tmp_path / "a.png")]) == 130
    assert capsys.readouterr().err == "\nntkfast: interrupted\n"


@pytest.mark.alone  # by the clock
def test_a_bar_shows_on_a_terminal_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    assert demo._bar_on_terminal() is None
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    report = demo._bar_on_terminal()
    assert report is not None
    report(1, 4)
    report(4, 4)
    assert terminal.getvalue().strip() == ""
    report(1, 4)
    time.sleep(1.1)
    report(2, 4)
    assert "2/4" in terminal.getvalue()
    report(4, 4)
    assert terminal.getvalue().endswith("\r")  # and takes itself away


def test_what_begins_is_said_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo._announce("eigendecomposition")
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    demo._announce("eigendecomposition")
    demo._print_stage(_digits.Stage("eigendecomposition", "898 eigenvalues", 0.2))
    begun, done = capsys.readouterr().out.split("\r")
    assert begun == "eigendecomposition ..."
    assert done == "eigendecomposition             0.200 s   898 eigenvalues\n"


@pytest.mark.skipif(os.name != "posix", reason="pipes break in another way elsewhere")
@pytest.mark.parametrize("argument", ["info", "--help"])
def test_a_broken_pipe_is_quiet(argument: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [*PROGRAM, argument],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": ""},  # else argparse itself hides the failure
    )
    os.close(writer)
    assert ended.stderr == ""
    assert ended.returncode == 141


def test_a_file_that_cannot_be_written_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.png").mkdir()
    assert main(["demo", "--output", str(tmp_path / "folder.png")]) == 1
    assert "folder.png" in capsys.readouterr().err
