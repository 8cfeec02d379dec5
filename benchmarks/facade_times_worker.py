"""Times of ten typical programs, by neural-tangents or by the names of it in ntkfast, as JSON."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def main() -> None:
    """Run: module, repetitions."""
    module, repetitions = sys.argv[1], int(sys.argv[2])
    if module == "neural_tangents":
        import jax

        jax.config.update("jax_enable_x64", True)
    nt = importlib.import_module(module)
    stax = importlib.import_module(f"{module}.stax")
    predict = importlib.import_module(f"{module}.predict")
    found = {}
    for name, program in programs(nt, stax, predict).items():
        done(program())  # compiles, or fits
        times = []
        for _ in range(repetitions):
            start = time.perf_counter()
            done(program())
            times.append(time.perf_counter() - start)
        found[name] = min(times)
    print(json.dumps(found))


def done(result: Any) -> None:
    """Wait until results are there."""
    for part in result if isinstance(result, tuple) else (result,):
        np.asarray(part)


def programs(nt: Any, stax: Any, predict: Any) -> dict[str, Callable[[], Any]]:
    """Return the programs by name."""
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal((2000, 100)), rng.standard_normal((500, 100))
    y, images = rng.standard_normal((2000, 1)), rng.standard_normal((12, 10, 10, 3))

    def dense(activation: Any, depth: int = 3) -> Any:
        layers = [part for _ in range(depth) for part in (stax.Dense(1, 1.4, 0.1), activation())]
        return stax.serial(*layers, stax.Dense(1, 1.4, 0.1))[2]

    conv = [stax.Conv(1, (3, 3), padding="SAME"), stax.Relu()]
    pooled = stax.serial(*conv, *conv, stax.GlobalAvgPool(), stax.Dense(1))[2]
    flat = stax.serial(*conv, *conv, stax.Flatten(), stax.Dense(1))[2]
    block = stax.serial(stax.Relu(), stax.Dense(1))
    residual = stax.serial(stax.FanOut(2), stax.parallel(block, stax.Identity()), stax.FanInSum())
    resnet = stax.serial(stax.Dense(1), stax.repeat(residual, 5), stax.Dense(1))[2]
    relu, erf, gelu = dense(stax.Relu), dense(stax.Erf), dense(stax.Gelu)
    deep = dense(stax.Relu, 20)
    few, small = x[:500], x[:5]
    theta, cross = np.asarray(relu(few, None, "ntk")), np.asarray(relu(z, few, "ntk"))

    def flow() -> Any:
        fn = predict.gradient_descent_mse(theta, y[:500], diag_reg=1e-3)
        return fn(np.array([1.0, 10.0, 100.0]), 0.0, 0.0, cross)

    def ensemble() -> Any:
        fn = predict.gradient_descent_mse_ensemble(relu, few, y[:500], diag_reg=1e-3)
        return fn(None, z, "ntk", compute_cov=True)

    return {
        "NTK, 3 x ReLU, 2,000 x 100": lambda: relu(x, None, "ntk"),
        "NNGP and NTK, 3 x erf, 2,000 x 100": lambda: tuple(erf(x, None, ("nngp", "ntk"))),
        "NTK, 3 x GELU, 2,000 against 500": lambda: gelu(x, z, "ntk"),
        "NTK, 20 x ReLU, 500 points": lambda: deep(few, None, "ntk"),
        "residual network, 500 points": lambda: resnet(few, None, "ntk"),
        "convolutions and Flatten, 12 images": lambda: flat(images, None, "ntk"),
        "convolutions and global pool, 12 images": lambda: pooled(images, None, "ntk"),
        "flow at three times, 500 points": flow,
        "ensemble with covariance, 500 points": ensemble,
        "NTK of 5 points": lambda: relu(small, None, "ntk"),
    }


if __name__ == "__main__":
    main()
