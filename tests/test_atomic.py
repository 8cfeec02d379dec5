"""Files that several write at once, that a killed process left, and places that are no files."""

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import ntkfast as nk
from ntkfast import _atomic
from ntkfast._atomic import move, replacing
from ntkfast.cli import main

posix = pytest.mark.skipif(os.name != "posix", reason="as on POSIX")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, content: bytes, **options: bool) -> None:
    with replacing(path, **options) as file:
        file.write(content)


@posix  # Windows replaces no file that is being read
def test_threads_that_save_to_one_path_leave_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    values = [nk.Normal(np.full(20_000, float(i))) for i in range(4)]
    failed: list[BaseException] = []

    def saving(value: nk.Normal) -> None:
        try:
            for _ in range(10):
                nk.save(path, value)
                mean = nk.load(path).mean
                assert (mean == mean[0]).all()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=saving, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert names(tmp_path) == ["a.npz"]


def test_processes_of_one_number_do_not_share_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in two containers over one folder."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second, and longer")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert names(tmp_path) == ["a"]


@posix
def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from pathlib import Path; from ntkfast._atomic import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(bytes(10)); file.flush(); print('ready', flush=True); input()\n"
        "    file.write(b'end')"
    )
    path = tmp_path / "a.npz"

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        return process

    with start() as killed:
        killed.kill()
    left = names(tmp_path)
    assert len(left) == 1
    assert left[0].startswith(".a.npz.")
    others = [".a.npz.1234", ".a.npz.0123456789abcdeg.tmp", ".b.npz.0123456789abcdef.tmp"]
    for name in others:
        (tmp_path / name).touch()
    with start() as living:
        write(path, b"mine")
        assert len(names(tmp_path)) == 5  # that of the killed writer is gone
        assert left[0] not in names(tmp_path)
        assert path.read_bytes() == b"mine"
        living.communicate(b"\n")
    assert path.read_bytes() == bytes(10) + b"end"
    assert names(tmp_path) == sorted(["a.npz", *others])


def test_without_locks_age_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_atomic, "lock", lambda _: None)
    old, new = (tmp_path / f".a.{digit * 16}.tmp" for digit in "01")
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    write(tmp_path / "a", b"x")
    assert names(tmp_path) == sorted([new.name, "a"])


@posix
def test_a_new_file_has_the_permissions_of_the_umask_and_an_old_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    previous = os.umask(0o027)
    try:
        write(path, b"x")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(previous)
    for mode in (0o600, 0o666):
        path.chmod(mode)
        write(path, b"y")
        assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "link.npz", tmp_path / "there" / "a.npz"
    link.symlink_to(Path("there") / "a.npz")
    for network in (nk.mlp(1), nk.mlp(2)):  # the target is created, then replaced
        nk.save(link, network)
        assert link.is_symlink()
        assert nk.load(target) == network
        assert names(target.parent) == ["a.npz"]


@pytest.mark.parametrize("links", [True, False])
def test_without_overwriting_a_file_that_appears_meanwhile_stays(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:  # as on FAT
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    path = tmp_path / "a"

    def late() -> None:
        with replacing(path, overwrite=False) as file:
            file.write(b"mine")
            path.write_bytes(b"theirs")

    with pytest.raises(FileExistsError) as raised:
        late()
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"theirs"
    path.unlink()
    write(path, b"mine", overwrite=False)
    assert path.read_bytes() == b"mine"
    assert names(tmp_path) == ["a"]


@posix
def test_two_names_of_one_file_become_one(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"x")
    (tmp_path / "a").hardlink_to(tmp_path / "a.part")
    move(tmp_path / "a.part", tmp_path / "a", overwrite=True)
    assert names(tmp_path) == ["a"]


@posix
def test_long_names_have_room(tmp_path: Path) -> None:
    for name in ("a" * 250, "ä" * 120 + ".npz"):
        nk.save(tmp_path / name, nk.Relu())
        assert nk.load(tmp_path / name) == nk.Relu()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("direct", [True, False])
def test_a_full_disk_names_the_file(
    direct: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device is written to, and not replaced by a file; errors of closing count as well."""
    path = Path("/dev/full") if direct else tmp_path / "a.npz"
    full = partial(Path("/dev/full").open, "r+b")
    if not direct:
        path.write_bytes(b"old")
        monkeypatch.setattr(_atomic, "_temporary", lambda _: (full(), tmp_path / "none"))
    for value in (nk.Relu(), nk.Normal(np.ones(100_000))):
        with pytest.raises(OSError, match="No space left") as raised:
            nk.save(path, value)
        assert raised.value.errno == errno.ENOSPC
        assert raised.value.filename == str(path)
    assert direct or path.read_bytes() == b"old"
    assert not Path("/dev/full").is_file()


@posix
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    nk.save(pipe, nk.Relu())
    reader.join()
    (tmp_path / "a.npz").write_bytes(read[0])
    assert nk.load(tmp_path / "a.npz") == nk.Relu()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["info"], ["--help"], ["--version"]])
def test_a_full_disk_behind_standard_output_is_named(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "ntkfast", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": ""},  # else argparse itself hides the failure
        )
    assert ended.stderr == "ntkfast: standard output: No space left on device\n"
    assert ended.returncode == 1


def test_the_figure_of_the_demonstration_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from matplotlib.figure import Figure

    from ntkfast.cli import _figure

    def full(_: Figure, file: object, **__: object) -> None:
        Path(getattr(file, "name", str(file))).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_figure, "draw", lambda _: Figure())
    monkeypatch.setattr(Figure, "savefig", full)
    path = tmp_path / "demo.png"
    path.write_bytes(b"old")
    assert main(["demo", "--output", str(path)]) == 1
    assert f"{path}: No space left on device" in capsys.readouterr().err
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["demo.png"]
