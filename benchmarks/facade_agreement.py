"""Agreement of `ntkfast.neural_tangents` with neural-tangents, in an environment of its own.

    benchmarks/neural_tangents.sh DIRECTORY
    .venv/bin/python benchmarks/facade_agreement.py DIRECTORY

compares the kernels of 300 random networks and 1,000 calls of ``predict.*``, relative to the
largest entry of each array, or to 1, and prints how many differ by more than 1e-8 and which.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BOUND = 1e-8


def main() -> int:
    """Compare; 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="the environment of neural-tangents")
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--calls", type=int, default=1000)
    options = parser.parse_args()
    worker = Path(__file__).with_name("facade_agreement_worker.py")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for interpreter, module in (
            (options.directory / "bin" / "python", "neural_tangents"),
            (sys.executable, "ntkfast.neural_tangents"),
        ):
            output = Path(folder) / f"{module}.npz"
            counts = [str(options.networks), str(options.calls)]
            command = [str(interpreter), str(worker), module, str(output), *counts]
            subprocess.run(command, check=True)
            with np.load(output) as file:
                found.append(dict(file))
    old, new = found
    if old.keys() != new.keys():
        print("results differ in number:", sorted(old.keys() ^ new.keys())[:10])
        return 1
    worst, different = 0.0, 0
    for name, expected in old.items():
        got = new[name]
        size = np.abs(expected).max(initial=1.0)
        same = got.shape == expected.shape
        error = float(np.abs(got - expected).max(initial=0.0) / size) if same else np.inf
        if not error <= BOUND:
            different += 1
            print(f"{name}: {error:.1e}, shapes {expected.shape} and {got.shape}")
        else:
            worst = max(worst, error)
    print(f"{len(old)} arrays, {different} differ by more than {BOUND}; the others by {worst:.1e}")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
