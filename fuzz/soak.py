"""An hour of what wears files and processes: several writers, forks, memory limits, kill -9.

Each trial works in a folder of its own, on small problems, at random moments. It requires results
with the right numbers, whole files, no leftovers, and an end in time:

* files: threads and processes that save to one path while another reads it; two runs of
  ``ntkfast gram`` to one OUT, of which both may finish, or one says why it does not;
* forks: processes forked while threads save and compute; processes of the same number in PID
  namespaces (`unshare`), where the system allows that;
* limits: public calls under 32 memory limits (RLIMIT_AS), which end with the result or MemoryError;
* signals: ``ntkfast gram`` and loops of `save` that are killed or interrupted at random moments:
  the old or the new file is whole, and the next run resumes and removes what is left.

It prints a line a minute, and exits with 1 if anything failed. The numbers in a failure's line
repeat it: ``--seed 1 --only signals --start 12 --trials 1``.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from soak_scripts import CALLS, FORK, GRAM, LIMITED, SAVE

import ntkfast as nk

HANG = 180.0  # seconds that no trial takes on a busy machine
LIMITS = 32
NETWORK = nk.mlp(2, nk.Erf(), w_std=1.3, b_std=0.2)
MLP = ("--depth", "2", "--activation", "erf", "--w-std", "1.3", "--b-std", "0.2")


class Failure(Exception):
    """Something that must not happen."""


def require(condition: object, message: str) -> None:
    """Raise Failure unless the condition holds."""
    if not condition:
        raise Failure(message)


class Trial:
    """A folder, random numbers, and processes that all end with the trial."""

    def __init__(self, folder: Path, source: random.Random) -> None:
        self.folder, self.random = folder, source
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, code: str, *arguments: object, before: tuple[str, ...] = ()) -> int:
        """Start Python with the code; return the number of the process within the trial."""
        threads = str(self.random.choice((1, 2)))
        self.processes.append(
            subprocess.Popen(
                [*before, sys.executable, "-c", code, *map(str, arguments)],
                cwd=self.folder,
                env=os.environ | {"NTKFAST_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return len(self.processes) - 1

    def end(self, number: int) -> tuple[int, str, str]:
        """Wait for a process: its exit code, and what it printed."""
        process = self.processes[number]
        try:
            printed, errors = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            raise Failure(f"no end after {HANG} s: {process.args!r}") from None
        require("panicked" not in errors, errors)
        return process.returncode, printed, errors

    def run(self, code: str, *arguments: object) -> None:
        """Run a process that has to succeed."""
        returned, _, errors = self.end(self.start(code, *arguments))
        require(returned == 0, f"exit code {returned}: {errors}")

    def close(self) -> None:
        """End the processes that a failure left running."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def only(self, *names: str) -> None:
        """Require these files in the folder and no others."""
        found = sorted(path.name for path in self.folder.iterdir())
        require(found == sorted(names), f"the folder has {found}; expected {sorted(names)}")


def constant(path: Path) -> int:
    """Return the number of which a saved array consists; Failure if it is damaged."""
    try:
        mean = nk.load(path).mean
    except ValueError as error:
        raise Failure(f"damaged: {error}") from None
    require((mean == mean[0]).all(), f"{path.name} mixes two arrays")
    return int(mean[0])


def savers(trial: Trial, before: tuple[str, ...] = ()) -> None:
    """Let several write to one path while another reads."""
    path = trial.folder / "a.npz"
    numbers = [trial.start(SAVE, path, 1000 * i, 20, 2, before=before) for i in range(3)]
    while any(trial.processes[number].poll() is None for number in numbers):
        if path.exists():
            constant(path)
    for number in numbers:
        returned, _, errors = trial.end(number)
        require(returned == 0, errors)
    trial.only("a.npz")


class Gram:
    """A random command, and what it has to write."""

    def __init__(self, trial: Trial) -> None:
        self.trial, n = trial, trial.random.randrange(100, 900)
        x = np.random.default_rng(n).standard_normal((n, 4))
        np.save(trial.folder / "x.npy", x)
        kind = trial.random.choice(("", "--diagonal", "--x2"))
        options = {"": (), "--diagonal": (kind,), "--x2": (kind, "x2.npy")}[kind]
        self.arguments = ("x.npy", "k.npy", *MLP, *options)
        self.out, self.inputs = trial.folder / "k.npy", ["x.npy"]
        if kind == "--x2":
            np.save(trial.folder / "x2.npy", x[::2] + 1)
            self.inputs.append("x2.npy")
        x2 = x[::2] + 1 if kind == "--x2" else None
        self.expected = NETWORK.ntk(x, x2, diagonal=kind == "--diagonal")

    def check(self) -> None:
        """Require the whole file."""
        found = np.load(self.out)
        good = found.shape == self.expected.shape
        require(good and np.allclose(found, self.expected, rtol=1e-9), "k.npy is wrong")

    def complete(self, *options: str) -> None:
        """Run the command to its end, and require that nothing but the file is left."""
        self.trial.run(GRAM, *self.arguments, *options)
        self.check()
        self.trial.only("k.npy", *self.inputs)


def grams(trial: Trial) -> None:
    """Run a command twice at once."""
    gram = Gram(trial)
    numbers = [trial.start(GRAM, *gram.arguments) for _ in range(2)]
    ends = [trial.end(number) for number in numbers]
    reasons = ("another process is writing", "already exists", "was created while")
    for returned, _, errors in ends:
        require(returned == 0 or any(reason in errors for reason in reasons), errors)
    require(any(returned == 0 for returned, _, _ in ends), "neither run has finished")
    gram.check()
    gram.complete("--force")


def killed_gram(trial: Trial) -> None:
    """End the command at random moments, over an old file or none; then let it complete."""
    gram, old = Gram(trial), b"old" * 1000
    force = ("--force",) if trial.random.random() < 0.5 else ()
    if force:
        gram.out.write_bytes(old)
    for _ in range(trial.random.randrange(1, 4)):
        sent = trial.random.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM))
        number = trial.start(GRAM, *gram.arguments, *force)
        time.sleep(trial.random.uniform(0.2, 1.5))
        trial.processes[number].send_signal(sent)
        returned, _, errors = trial.end(number)
        ends = (0, -sent, 130) if force or not gram.out.exists() else (0, 1, -sent, 130)
        require(returned in ends, f"exit code {returned} after signal {sent}: {errors}")
        if gram.out.exists() and gram.out.read_bytes() != old:
            gram.check()
        require(gram.out.exists() or not force, "the old file is lost")
    gram.complete(*(("--force",) if gram.out.exists() else force))


def killed_save(trial: Trial) -> None:
    """Kill a loop of `save`: the last file that it reported, or a later one, is whole."""
    path, expected = trial.folder / "a.npz", -1
    for start in (0, 10_000, 20_000):
        number = trial.start(SAVE, path, start, 10_000, 1)
        time.sleep(trial.random.uniform(0.3, 1.2))
        trial.processes[number].kill()
        _, printed, _ = trial.end(number)
        lines = printed.split("\n")[:-1]
        expected = int(lines[-1]) if lines else expected
        found = constant(path) if path.exists() else -1
        require(found in (expected, expected + 1, start), f"{found} after saving {expected}")
        expected = found
    nk.save(path, nk.Normal(np.ones(3)))
    trial.only("a.npz")


def forks(trial: Trial) -> None:
    """Fork processes while threads save and compute."""
    trial.run(FORK, trial.folder / "a.npz", trial.random.randrange(2, 9))
    constant(trial.folder / "a.npz")
    nk.save(trial.folder / "a.npz", nk.Normal(np.ones(3)))  # forked processes held locks
    trial.only("a.npz")


def namespaces(trial: Trial) -> None:
    """Let processes write that are all process 1 of a PID namespace; fork where there are none."""
    unshare = (
        "unshare",
        *(() if os.getuid() == 0 else ("-Ur",)),
        "--pid",
        "--fork",
        "--kill-child",
    )
    if not shutil.which("unshare") or subprocess.run((*unshare, "true"), check=False).returncode:
        forks(trial)
    else:
        savers(trial, unshare)


def limits(trial: Trial) -> None:
    """Run a call under many limits."""
    # With less than 8 MB, the C library and OpenBLAS end the process before the package can.
    extras = [int(2 ** trial.random.uniform(23, 31)) for _ in range(LIMITS)]
    trial.run(LIMITED, trial.folder, trial.random.choice(CALLS), *extras)
    constant(trial.folder / "saved")


PARTS: dict[str, tuple[Callable[[Trial], None], ...]] = {
    "files": (savers, grams),
    "forks": (forks, namespaces),
    "limits": (limits,),
    "signals": (killed_gram, killed_save),
}


def attempt(part: str, number: int, seed: int) -> str | None:
    """Run a trial, and return what failed."""
    source = random.Random(f"{seed} {part} {number}")
    with tempfile.TemporaryDirectory(prefix="ntkfast-soak-") as name:
        trial = Trial(Path(name), source)
        function = PARTS[part][number % len(PARTS[part])]
        try:
            function(trial)
        except (Failure, OSError, ValueError) as error:
            return f"{part} {number} ({function.__name__}): {error}"
        finally:
            trial.close()
    return None


def main() -> int:
    """Read the command line, and run trials of all parts in turn until the time is over."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3600, help="how long (default 3600)")
    parser.add_argument("--seed", type=int, default=1, help="of all trials (default 1)")
    parser.add_argument("--only", default=",".join(PARTS), help="parts (default %(default)s)")
    parser.add_argument("--start", type=int, default=0, help="number of the first trial")
    parser.add_argument("--trials", type=int, help="trials of each part, at most")
    arguments = parser.parse_args()
    parts = arguments.only.split(",")
    if unknown := set(parts) - PARTS.keys():
        parser.error(
            f"--only {arguments.only}: no part {min(unknown)}; expected {', '.join(PARTS)}"
        )
    done, failed = Counter[str](), Counter[str]()
    begun = reported = time.monotonic()

    def report() -> None:
        counts = ", ".join(f"{part} {done[part]} ({failed[part]} failed)" for part in parts)
        print(f"{time.monotonic() - begun:6.0f} s  {counts}", flush=True)

    number, last = arguments.start, arguments.start + (arguments.trials or sys.maxsize)
    while time.monotonic() - begun < arguments.seconds and number < last:
        for part in parts:
            fault = attempt(part, number, arguments.seed)
            done[part] += 1
            if fault is not None:
                failed[part] += 1
                print(f"failed: --seed {arguments.seed}: {fault}", flush=True)
            if time.monotonic() - reported >= 60:
                reported = time.monotonic()
                report()
        number += 1
    report()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
