"""neural-tangents at the other end of a pipe, in the environment that has it (neural_tangents.sh).

``neural_tangents_worker.py X.npy DEPTH B_STD THREADS M VALUES.npy`` compiles the NTK of `DEPTH`
hidden ReLU layers (``none``: without biases) for the points in X.npy, and writes its first M × M
values. It prints its versions once, and then answers each line that it reads with a Gram matrix
that is computed and dropped, and a line.
"""

from __future__ import annotations

import json
import math
import os
import sys

import numpy as np


def main() -> None:
    """Compile, then compute as often as asked."""
    x_file, depth, b_std, threads, m, values_file = sys.argv[1:]
    # XLA takes as many threads as it finds processors, and asks once.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    import jax
    import neural_tangents
    from neural_tangents import stax

    points = np.load(x_file)
    # It computes in the widest type that is allowed, whatever the points are.
    jax.config.update("jax_enable_x64", points.dtype == np.float64)
    bias = None if b_std == "none" else float(b_std)
    dense = stax.Dense(1, W_std=math.sqrt(2), b_std=bias)
    *_, kernel = stax.serial(*[dense, stax.Relu()] * int(depth), dense)
    ntk = jax.jit(lambda x: kernel(x, None, "ntk"))

    x = jax.numpy.asarray(points)
    values = np.asarray(ntk(x))
    if values.dtype != points.dtype:
        raise SystemExit(f"the kernel of {points.dtype} points has the type {values.dtype}")
    np.save(values_file, values[: int(m), : int(m)])
    packages = {"neural-tangents": neural_tangents, "jax": jax, "numpy": np}
    print(json.dumps({name: each.__version__ for name, each in packages.items()}), flush=True)
    for _ in sys.stdin:
        ntk(x).block_until_ready()
        print("done", flush=True)


if __name__ == "__main__":
    main()
