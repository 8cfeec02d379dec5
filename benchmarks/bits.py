"""Hashes of a fixed set of kernels, to see which bits a change of the core moves.

    python benchmarks/bits.py > before.txt
    (change, build)
    python benchmarks/bits.py > after.txt
    diff before.txt after.txt

One line for each instruction set, type and network: the SHA-256 of its Gram matrix, cross kernel
and diagonal, NNGP and NTK. The networks are those of the tests, with fitted activations and images.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import ntkfast as nk
from catalogue import NETWORKS, build
from images import IMAGE_NETWORKS

LEVELS = ("avx512", "avx2", "plain", "neon")
FITTED = {
    "tanh": nk.Serial(nk.Dense(b_std=0.2), nk.Tanh(), nk.Dense(), nk.Tanh(), nk.Dense()),
    "swish": nk.Serial(nk.Dense(), nk.Swish(), nk.Dense(b_std=0.1), nk.Swish(), nk.Dense()),
    "elementwise": nk.Serial(nk.Dense(), nk.Elementwise(np.arctan), nk.Dense()),
}


def main() -> int:
    """Print the hashes of this process, or of one process for each instruction set."""
    if "--here" in sys.argv:
        for name, digest in hashes():
            print(f"{nk.info()['simd']} {digest[:32]} {name}")
        return 0
    for level in LEVELS:
        environment = {**os.environ, "NTKFAST_SIMD": level}
        command = [sys.executable, __file__, "--here"]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if run.returncode and "NTKFAST_SIMD" not in run.stderr:
            print(run.stderr, file=sys.stderr)
            return 1
        print(run.stdout, end="")  # nothing where this processor lacks the instruction set
    return 0


def hashes() -> Iterator[tuple[str, str]]:
    """Yield the name and the hash of every case."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(7)
    rows = {**{name: build(text) for name, text in NETWORKS.items()}, **FITTED}
    for dtype in (np.float64, np.float32):
        for features, count in ((3, 90), (40, 600), (5000, 70)):
            x: NDArray[np.floating[Any]] = rng.standard_normal((count, features)).astype(dtype)
            x[7], x[9] = x[3], -x[4]  # pairs that coincide, and that are opposite
            x[11:14] = x[5] + x[11:14] / 1000  # and that nearly do
            for name, network in rows.items():
                if features == 40 or name in ("relu", "gelu", "tanh", "sum"):
                    yield f"{x.dtype} {features} {name}", digest(network, x)
        pictures: NDArray[np.floating[Any]] = rng.standard_normal((20, 6, 5, 2)).astype(dtype)
        for name, text in IMAGE_NETWORKS.items():
            yield f"{pictures.dtype} images {name}", digest(build(text), pictures)


def digest(network: nk.Network, x: NDArray[np.floating[Any]]) -> str:
    """Return the hash of all kernels of a network."""
    total = hashlib.sha256()
    for kernels in (
        network.kernels(x),
        network.kernels(x[:17], x[5:]),
        network.kernels(x, diagonal=True),
    ):
        for kernel in kernels:
            total.update(np.ascontiguousarray(kernel).tobytes())
    total.update(network.nngp(x[:30]).tobytes())  # alone, without tangents
    return total.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
