"""What the names of neural-tangents cost: over native calls, and beside the old library.

    .venv/bin/python benchmarks/facade.py [DIRECTORY]

times the kernel of two points by `ntkfast.neural_tangents` and by a native call. With the
environment that ``benchmarks/neural_tangents.sh DIRECTORY`` makes, it also times ten typical
programs in both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import ntkfast.neural_tangents as nt

BAR = 50e-6
CALLS = 2000


def overhead() -> float:
    """Return seconds of a call beyond those of a native one, the least of paired runs."""
    layers = nt.stax.serial(nt.stax.Dense(1, 1.4, 0.1), nt.stax.Relu(), nt.stax.Dense(1))
    kernel_fn, network = layers[2], layers[2].network
    x, z = np.ones((2, 3)), np.eye(3)[:2]
    differences = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(CALLS):
            kernel_fn(x, z, "ntk")
        middle = time.perf_counter()
        for _ in range(CALLS):
            network.ntk(x, z)
        differences.append((2 * middle - start - time.perf_counter()) / CALLS)
    return min(differences)


def main() -> int:
    """Measure and print; 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, nargs="?", help="that of neural_tangents.sh")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    seconds = overhead()
    print(f"a call costs {1e6 * seconds:.0f} µs more than a native one (at most {1e6 * BAR:.0f})")
    if options.directory is not None:
        worker = Path(__file__).with_name("facade_times_worker.py")
        found = []
        for interpreter, module in (
            (sys.executable, "ntkfast.neural_tangents"),
            (options.directory / "bin" / "python", "neural_tangents"),
        ):
            command = [str(interpreter), str(worker), module, str(options.repetitions)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found.append(json.loads(output.splitlines()[-1]))
        print("| program | ntkfast | neural-tangents | ratio |\n| --- | ---: | ---: | ---: |")
        for name, ours in found[0].items():
            theirs = found[1][name]
            print(f"| {name} | {ours:.4f} s | {theirs:.4f} s | {theirs / ours:.1f} |")
    return int(seconds > BAR)


if __name__ == "__main__":
    sys.exit(main())
