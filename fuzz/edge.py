"""Random bytes against the properties of tests/test_fuzz.py, for a given time.

Each input is a choice of property and the bytes from which Hypothesis draws its arguments. With
atheris (`make fuzz`) inputs that reach new lines of the package are kept and mutated further, in
.hypothesis/fuzz, where the next run goes on. Without it, or with --blind, every input is fresh.

A failure is printed and the run goes on; its input is also in Hypothesis' database, from where
`--shrink NAME` takes it to find the smallest arguments that fail. What kills the process (an abort
of the core) leaves its input in .hypothesis/fuzz-crash-*.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / ".hypothesis" / "fuzz"
# One thread, so that an input always takes the same way; one core is left to the machine's owner.
os.environ.setdefault("NTKFAST_NUM_THREADS", "1")
# The default profile keeps no database of failures.
os.environ.setdefault("HYPOTHESIS_PROFILE", "ci")
sys.path.insert(0, str(ROOT / "tests"))

LENGTHS = (64, 512, 4096)


class Target:
    """The properties as a function of bytes, which counts what it ran and what failed."""

    def __init__(self) -> None:
        import conftest  # noqa: F401  (loads the profile)
        import test_fuzz

        named = vars(test_fuzz).items()
        self.properties = {name: f for name, f in named if name.startswith("test_")}
        self.names = list(self.properties)
        self.inputs: Counter[str] = Counter()
        self.complete: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()

    def __call__(self, data: bytes) -> None:
        """Run the property that the first byte names on the others."""
        if not data:
            return
        name = self.names[data[0] % len(self.names)]
        self.inputs[name] += 1
        try:
            # None says that the bytes came to their end before the arguments did.
            if self.properties[name].hypothesis.fuzz_one_input(data[1:]) is not None:
                self.complete[name] += 1
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic of the core is no Exception
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{name}: {type(error).__name__} in {place.name}, line {place.lineno}"
            self.failures[where] += 1
            if self.failures[where] == 1:
                print(f"\n{where}", file=sys.stderr)
                traceback.print_exception(error, limit=-4)

    def report(self) -> str:
        """Say how much was run, and what failed how often."""
        lines = [
            f"{self.complete[name]:>9,} of {self.inputs[name]:>9,} inputs  {name}"
            for name in self.names
        ]
        total, complete = sum(self.inputs.values()), sum(self.complete.values())
        lines.append(f"{complete:>9,} of {total:>9,} inputs were arguments; the rest fell short")
        lines += [f"{count:>9,} × {where}" for where, count in self.failures.items()]
        lines.append("failed" if self.failures else "nothing failed")
        return "\n".join(lines)


def seeds(count: int, seed: int) -> list[bytes]:
    """Return random inputs of several lengths."""
    source = random.Random(seed)
    return [source.randbytes(length) for length in LENGTHS for _ in range(count)]


def blind(target: Target, seconds: float, seed: int) -> None:
    """Try fresh random inputs until the time is over."""
    source, end = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end:
        target(source.randbytes(source.choice(LENGTHS)))


def guided(seconds: float, seed: int) -> None:
    """Let libFuzzer grow the inputs; it ends with the process."""
    import atheris

    with atheris.instrument_imports(include=["ntkfast"]):
        import ntkfast  # noqa: F401
    target = Target()
    CORPUS.mkdir(parents=True, exist_ok=True)
    if not any(CORPUS.iterdir()):
        for number, data in enumerate(seeds(32, seed)):
            (CORPUS / f"seed-{number}").write_bytes(data)

    deadline = time.monotonic() + seconds

    def one(data: bytes) -> None:
        target(data)
        if time.monotonic() > deadline:
            print(target.report(), flush=True)
            os._exit(1 if target.failures else 0)  # libFuzzer would run no exit handler either

    # Long inputs from the start: short ones are no arguments.
    options = {
        "seed": seed,
        "max_len": LENGTHS[-1],
        "len_control": 0,
        "timeout": 120,
        "artifact_prefix": CORPUS.parent / "fuzz-crash-",
        "verbosity": 0,
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(CORPUS)],
        one,
    )
    atheris.Fuzz()


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to go on (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the random inputs (default 1)")
    parser.add_argument("--blind", action="store_true", help="without coverage")
    parser.add_argument("--shrink", metavar="NAME", help="run a property that failed before")
    arguments = parser.parse_args()
    if arguments.shrink:
        Target().properties[arguments.shrink]()
    elif find_spec("atheris") and not arguments.blind:
        guided(arguments.seconds, arguments.seed)
    else:
        target = Target()
        blind(target, arguments.seconds, arguments.seed)
        print(target.report())
        sys.exit(1 if target.failures else 0)


if __name__ == "__main__":
    main()
