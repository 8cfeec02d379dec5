"""What the inner loops are made of, on every vector instruction set that is here.

Samples of a running Gram matrix (`perf record` by the clock, which virtual machines have as well)
say which stretches of code between two jumps take the time; `objdump` says what stands in them.
Needs Linux on x86-64 with perf and objdump, and an extension with symbols, which wheels have not:
`cargo build --release -p ntkfast-py && cp target/release/lib_ntkfast.so
python/ntkfast/_ntkfast.abi3.so`.

Columns: samples in kernels of all in the extension; stretches of code that hold nine tenths of
these; arithmetic on whole registers, fused multiply-adds among it; moves, broadcasts and blends;
instructions of both kinds that read or write the stack; arithmetic on single numbers; calls; and
the rest: addresses, counters, bounds, jumps.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import numpy as np

import ntkfast as nk
from ntkfast import _ntkfast

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from processes import levels

ACTIVATIONS = {"relu": nk.Relu(), "erf": nk.Erf(), "tanh": nk.Tanh()}
REGISTERS = {"avx512": "%zmm", "avx2": "%ymm"}
# Blocks are taken from the hottest on, until they hold this share of the samples in tiles.
SHARE = 0.9
COLUMNS = ("packed", "fused", "moves", "stack", "single", "calls", "other")

FUSED = r"vfn?m(?:add|sub)\d+"
ARITHMETIC = rf"(?:v(?:add|sub|mul|div|sqrt|max|min|cmp\w*)|{FUSED})"
PACKED, SINGLE = re.compile(rf"{ARITHMETIC}p[sd]"), re.compile(rf"{ARITHMETIC}s[sd]")


@dataclass(frozen=True)
class Instruction:
    """A line of assembly."""

    address: int
    name: str
    operands: str

    def kinds(self, register: str) -> list[str]:
        """Return the columns that it counts in, where whole registers are called `register`."""
        if self.name.startswith("call"):
            return ["calls"]
        if SINGLE.fullmatch(self.name):
            return ["single"]
        if register not in self.operands:
            return ["other"]
        kinds = ["packed"] if PACKED.fullmatch(self.name) else ["moves"]
        if re.match(FUSED, self.name):
            kinds.append("fused")
        if "(%rsp" in self.operands:
            kinds.append("stack")
        return kinds


def work(activation: str, dtype: str, seconds: float) -> None:
    """Compute Gram matrices of a deep network with biases, on one thread."""
    nk.set_num_threads(1)
    x = np.random.default_rng(0).standard_normal((1500, 64)).astype(dtype)
    network = nk.mlp(20, ACTIVATIONS[activation], w_std=1.3, b_std=0.2)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        network.ntk(x)


def run(*command: str) -> str:
    """Return what a command prints."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stderr}")
    return result.stdout


def samples(level: str, *arguments: str) -> Counter[tuple[str, int]]:
    """Count where the clock found the extension: in which function, how far from its start."""
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder, "perf.data"))
        script = [sys.executable, __file__, "--work", *arguments]
        record = ["perf", "record", "-q", "-e", "cpu-clock:u", "-F", "1999", "-o", data]
        run("env", f"NTKFAST_SIMD={level}", *record, *script)
        text = run("perf", "script", "-i", data, "--no-demangle", "-F", "ip,sym,symoff,dso")
    extension = re.escape(Path(_ntkfast.__file__).name)
    places = re.findall(rf"(\S+)\+0x([0-9a-f]+) \(\S*{extension}\)", text)
    return Counter((function, int(offset, 16)) for function, offset in places)


def disassemble(function: str) -> list[Instruction]:
    """Return the instructions of a function of the extension."""
    objdump = ["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}"]
    lines = re.findall(
        r"^ *([0-9a-f]+):\t(\S+) *(.*)$", run(*objdump, _ntkfast.__file__), re.MULTILINE
    )
    return [Instruction(int(address, 16), name, operands) for address, name, operands in lines]


def blocks(code: Sequence[Instruction]) -> list[list[Instruction]]:
    """Cut a function where jumps start and end: what is run once a turn of the innermost loop."""
    jumps = [line for line in code if line.name.startswith("j")]
    targets = {int(line.operands.split()[0], 16) for line in jumps if line.operands[0] != "*"}
    parts: list[list[Instruction]] = [[]]
    for line in code:
        if parts[-1] and line.address in targets:
            parts.append([])
        parts[-1].append(line)
        if line.name.startswith("j"):
            parts.append([])
    return [part for part in parts if part]


def hot_blocks(found: Counter[tuple[str, int]]) -> list[list[Instruction]]:
    """Return the blocks of all these functions that hold most samples, the hottest first."""
    held: list[tuple[int, list[Instruction]]] = []
    for function in {name for name, _ in found}:
        code = disassemble(function)
        parts = blocks(code)
        firsts, counts = [part[0].address for part in parts], Counter[int]()
        for (name, offset), count in found.items():
            if name == function:
                counts[bisect_right(firsts, code[0].address + offset) - 1] += count
        held.extend((count, parts[number]) for number, count in counts.items())
    chosen: list[list[Instruction]] = []
    missing = SHARE * found.total()
    for count, block in sorted(held, key=lambda pair: -pair[0]):
        if missing > 0:
            chosen.append(block)
            missing -= count
    return chosen


def row(activation: str, dtype: str, level: str, seconds: float) -> str:
    """Return the line of the table for one network, type and instruction set."""
    found = samples(level, activation, dtype, str(seconds))
    kernels = {key: n for key, n in found.items() if "simd" in key[0] and level in key[0]}
    if not kernels:
        raise SystemExit("no sample in a kernel: has the extension lost its symbols?")
    inside = Counter(kernels)
    chosen = hot_blocks(inside)
    kinds = Counter(
        kind for block in chosen for line in block for kind in line.kinds(REGISTERS[level])
    )
    cells = [activation, dtype, level, f"{inside.total() / found.total():.0%}", str(len(chosen))]
    return f"| {' | '.join([*cells, *(str(kinds[column]) for column in COLUMNS)])} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="of sampling a line (default 3)")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        activation, dtype, seconds = arguments.work
        work(activation, dtype, float(seconds))
        return
    for tool in ("perf", "objdump"):
        if which(tool) is None:
            raise SystemExit(f"{tool} not found: install linux-perf and binutils")
    head = ["activation", "type", "set", "in tiles", "blocks", *COLUMNS]
    print(f"| {' | '.join(head)} |\n|{' --- |' * 3}{' ---: |' * (len(head) - 3)}")
    for activation in ACTIVATIONS:
        for dtype in ("float64", "float32"):
            for level in levels():
                if level in REGISTERS:
                    print(row(activation, dtype, level, arguments.seconds), flush=True)


if __name__ == "__main__":
    main()
