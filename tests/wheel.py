"""Checks of the result of `make wheel` in fresh environments, without Rust and the sources.

    python tests/wheel.py dist/* [--python python3.12 ...]

inspects the wheel and the source distribution. It installs the wheel with the oldest supported
versions of its dependencies for the oldest Python, and with the newest versions for the newest
available Python (or the given ones). There it runs the fast tests that depend most on the
environment. It needs pip and a network, and only the standard library.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "ntkfast"
PYTHONS = [f"python3.{minor}" for minor in range(10, 20)]

# What depends on the versions of other packages and on the platform, in less than a minute.
QUICK = (
    *("bad_input", "edge", "remarks", "precision", "usual_formula_fails", "zonal", "parameters"),
    *("linalg", "spectrum", "flow", "descent", "linear", "loss_flow", "ensemble", "posterior"),
    "solvers",
    *("normal", "evidence", "storage", "storage_refusals", "data", "data_files", "description"),
    *("chunks", "read_chunks", "read_chunks_refusals"),
    *("cli", "cli_gram", "cli_gram_out", "cli_gram_resumed", "cli_points", "atomic"),
    *("plots", "sklearn", "sklearn_kernels", "sklearn_probability", "sklearn_selection"),
)
# What old packages say of each other is not ours.
OLD = ("-W", "default::DeprecationWarning", "-W", "default::PendingDeprecationWarning")


def main() -> int:
    """Check wheels and source archives; return 0, or end with what is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=Path, nargs="+", help="wheels and source archives")
    parser.add_argument(
        "--python", action="append", help="an interpreter for the newest versions; may be repeated"
    )
    arguments = parser.parse_args()
    for file in arguments.files:
        if file.suffix == ".whl":
            check_wheel(file)
            try_everywhere(file, arguments.python)
        else:
            check_archive(file)
    return 0


def check_wheel(wheel: Path) -> None:
    """Require the package, its types, its licences and the extension, and nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    metadata = {name for name in names if re.match(r"ntkfast-[^/]+\.dist-info/", name)}
    extension = {name for name in names if re.fullmatch(r"ntkfast/_ntkfast\.(abi3\.so|pyd)", name)}
    sources = {f"ntkfast/{path.relative_to(PACKAGE).as_posix()}" for path in _sources(PACKAGE)}
    assert len(extension) == 1, f"{wheel.name} has the extensions {extension}"
    assert {"ntkfast/py.typed", "ntkfast/_ntkfast.pyi"} <= sources
    others = sources ^ (set(names) - metadata - extension)
    assert not others, f"{wheel.name} lacks, or has and should not have, {sorted(others)}"
    licences = {Path(name).name for name in metadata if "/licenses/" in name}
    assert licences == {"LICENSE-MIT", "LICENSE-APACHE"}, f"{wheel.name} has {licences}"


def check_archive(archive: Path) -> None:
    """Require all that it takes to build and test the package, and nothing that was built."""
    with tarfile.open(archive) as members:
        names = {member.name.partition("/")[2] for member in members if member.isfile()}
    wanted = {
        "Cargo.lock",
        "Makefile",
        "README.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    }
    for folder in ("docs", "examples", "fuzz", "python", "rust", "tests"):
        wanted |= {path.relative_to(ROOT).as_posix() for path in _sources(ROOT / folder)}
    built = {
        name for name in names if re.search(r"\.(so|pyd|pyc)$|^(target|dist|site)/|(^|/)\.", name)
    }
    assert not wanted - names, f"{archive.name} has not {sorted(wanted - names)}"
    assert not built, f"{archive.name} has {sorted(built)}"


def try_everywhere(wheel: Path, pythons: list[str] | None) -> None:
    """Try it on the oldest Python with the oldest packages, and on new ones with the newest."""
    found = [python for python in PYTHONS if _runs(python)]
    if found[:1] == PYTHONS[:1]:
        try_out(wheel, found[0], oldest=True)
    else:
        print(f"{PYTHONS[0]} is not here: nothing said about the oldest versions", flush=True)
    for python in pythons or found[-1:] or [sys.executable]:
        try_out(wheel, python, oldest=False)


def try_out(wheel: Path, python: str, *, oldest: bool) -> None:
    """Install the wheel into a fresh environment, and run what is quick."""
    with tempfile.TemporaryDirectory(prefix="ntkfast-wheel-") as name:
        folder = Path(name)
        _run([python, "-m", "venv", "env"], folder)
        scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        place = {**os.environ, "PATH": os.pathsep.join([str(scripts), *_without_rust()])}
        place.pop("PYTHONPATH", None)
        bounds = folder / "bounds.txt"
        bounds.write_text("\n".join(lower_bounds(wheel)) if oldest else "", encoding="utf-8")
        pip = [str(scripts / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        install = ["install", "--only-binary", ":all:", "--constraint", bounds.name]
        _run([*pip, *install, f"ntkfast[all,test] @ {wheel.resolve().as_uri()}"], folder, place)
        _run([*pip, "check"], folder, place)
        versions = "import platform, numpy; print(platform.python_version(), numpy.__version__)"
        _run([str(scripts / "python"), "-c", versions], folder, place)
        _run([str(scripts / "ntkfast"), "--version"], folder, place)
        shutil.copytree(ROOT / "tests", folder / "tests", ignore=lambda *_: ["__pycache__"])
        shutil.copy(ROOT / "pyproject.toml", folder)
        tests = [f"tests/test_{name}.py" for name in QUICK]
        pytest = [str(scripts / "python"), "-m", "pytest", "-q", *(OLD if oldest else ())]
        _run([*pytest, *tests], folder, place)


def lower_bounds(wheel: Path) -> list[str]:
    """Return the oldest versions of what the wheel asks for, as requirements."""
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(file.read(name).decode())
    required = metadata.get_all("Requires-Dist") or []
    users = [line for line in required if not re.search("extra == '(test|lint|docs)'", line)]
    return sorted({re.sub(r">=([\d.]+).*", r"==\1", line) for line in users if ">=" in line})


def _without_rust() -> list[str]:
    folders = os.environ["PATH"].split(os.pathsep)
    return [
        f for f in folders if not (shutil.which("cargo", path=f) or shutil.which("rustc", path=f))
    ]


def _sources(folder: Path) -> set[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path for path in files if path.suffix not in (".so", ".pyd", ".pyc")}


def _runs(python: str) -> bool:
    """Tell whether it is there; a version manager may offer what it has not."""
    try:
        return (
            subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


def _run(command: list[str], folder: Path, place: dict[str, str] | None = None) -> None:
    """Run a command that finds what it runs in `place`, and end where it fails."""
    print("$", " ".join(command), flush=True)
    ended = subprocess.run(command, cwd=folder, env=place, check=False)
    if ended.returncode:
        raise SystemExit(f"tests/wheel.py: ended with {ended.returncode}: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
