"""Kernels of random networks and predictions, by neural-tangents or by the names of it in ntkfast.

Writes all numbers to an NPZ file; `facade_agreement.py` compares two of them. The networks are
drawn from the same seeds in both, and avoid what the old library is known to compute wrongly.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

WIDTH = 16


def main() -> None:
    """Run: module, output, networks, calls."""
    module, output, networks, calls = sys.argv[1:]
    if module == "neural_tangents":
        import jax

        jax.config.update("jax_enable_x64", True)
    nt = importlib.import_module(module)
    stax = importlib.import_module(f"{module}.stax")
    predict = importlib.import_module(f"{module}.predict")
    found = dict(kernels(stax, int(networks)))
    found.update(predictions(nt, stax, predict, int(calls)))
    np.savez(output, **found)


def kernels(stax: Any, count: int) -> Iterator[tuple[str, Any]]:
    """Yield the kernels of random networks on random points."""
    for index in range(count):
        rng = np.random.default_rng([1, index])
        images = index % 3 == 0
        net = (convolutional if images else dense)(stax, rng)
        shape = (5, 5, 3) if images else (int(rng.integers(1, 8)),)
        x, z = rng.standard_normal((3, *shape)), rng.standard_normal((2, *shape))
        for name, second in (("gram", None), ("cross", z)):
            both = net[2](x, second, ("nngp", "ntk"))
            yield f"network {index} {name} nngp", np.asarray(both.nngp)
            yield f"network {index} {name} ntk", np.asarray(both.ntk)


def activation(stax: Any, rng: np.random.Generator) -> Any:
    """Return a random activation with a closed form."""
    a, b, c = rng.uniform(0.5, 1.5, 3)
    makers = [
        stax.Relu,
        lambda: stax.LeakyRelu(0.2),
        lambda: stax.ABRelu(-0.5, 1.2),
        stax.Abs,
        lambda: stax.Erf(a, b, 0.0),
        stax.Gelu,
        lambda: stax.Sin(a, b, c),
        lambda: stax.Cos(a, b, c),
        lambda: stax.Rbf(0.3 * a),
        lambda: stax.Gaussian(a, -0.5 * b),
        lambda: stax.Exp(a, 0.5 * b),
    ]
    return makers[rng.integers(len(makers))]()


def weights(rng: np.random.Generator) -> dict[str, Any]:
    """Return random scales and a parameterization."""
    bias = None if rng.random() < 0.4 else float(rng.uniform(0, 0.5))
    kind = "standard" if rng.random() < 0.3 else "ntk"
    return {"W_std": float(rng.uniform(0.8, 1.6)), "b_std": bias, "parameterization": kind}


def joined(stax: Any, rng: np.random.Generator, branches: list[Any]) -> Any:
    """Return branches that are added or multiplied."""
    join = stax.FanInSum() if rng.random() < 0.7 else stax.FanInProd()
    return stax.serial(stax.FanOut(len(branches)), stax.parallel(*branches), join)


def dense(stax: Any, rng: np.random.Generator) -> Any:
    """Return a network on rows."""
    layers = [stax.Dense(WIDTH, **weights(rng))]
    for _ in range(rng.integers(1, 4)):
        kind = rng.random()
        if kind < 0.15:
            layers.append(stax.LayerNorm())
        block = [activation(stax, rng), stax.Dense(WIDTH, **weights(rng))]
        if kind > 0.7:
            other = [activation(stax, rng), stax.Dense(WIDTH, **weights(rng))]
            layers.append(joined(stax, rng, [stax.serial(*block), stax.serial(*other)]))
            layers.append(stax.Dense(WIDTH, **weights(rng)))
        else:
            layers += block
    return stax.serial(*layers)


def convolutional(stax: Any, rng: np.random.Generator) -> Any:
    """Return a network on images of 5 × 5 positions."""
    paddings = ["SAME", "CIRCULAR", "VALID"]

    def conv() -> Any:
        window = tuple(int(each) for each in rng.integers(1, 3, 2))
        return stax.Conv(WIDTH, window, None, paddings[rng.integers(3)], **weights(rng))

    layers = [conv(), activation(stax, rng), conv(), activation(stax, rng)]
    if rng.random() < 0.5:
        layers += [stax.AvgPool((2, 2)), conv(), activation(stax, rng)]
    layers.append(stax.Flatten() if rng.random() < 0.5 else stax.GlobalAvgPool())
    return stax.serial(*layers, stax.Dense(1, **weights(rng)))


def predictions(nt: Any, stax: Any, predict: Any, count: int) -> Iterator[tuple[str, Any]]:
    """Yield results of random calls of `predict`."""
    kernel_fn = stax.serial(stax.Dense(1, 1.5, 0.3), stax.Relu(), stax.Dense(1, 1.5, 0.3))[2]
    for index in range(count):
        rng = np.random.default_rng([2, index])
        n, m, c = (int(rng.integers(2, 7)), int(rng.integers(1, 5)), int(rng.integers(1, 4)))
        x, z = rng.standard_normal((n, 4)), rng.standard_normal((m, 4))
        y, start = rng.standard_normal((2, n, c))
        test = rng.standard_normal((m, c))
        ridge = {
            "diag_reg": float(rng.choice([0.0, 1e-3, 0.3])),
            "diag_reg_absolute_scale": bool(rng.random() < 0.5),
        }
        rate = float(rng.uniform(0.1, 2))
        t = [None, 3.7, np.array([0.5, 2.0, 40.0])][rng.integers(3)]
        get = [None, "nngp", "ntk", ("ntk", "nngp")][rng.integers(4)]
        kind = index % 4
        if kind == 0:
            theta, cross = (np.asarray(kernel_fn(a, b, "ntk")) for a, b in ((x, None), (z, x)))
            fn = predict.gradient_descent_mse(theta, y, rate, **ridge)
            result = fn(t, *[(start, test, cross), (start,), (None, test, cross)][rng.integers(3)])
        elif kind == 1:
            fn = predict.gradient_descent_mse_ensemble(kernel_fn, x, y, rate, **ridge)
            result = fn(t, z if rng.random() < 0.7 else None, get, bool(rng.random() < 0.6))
        elif kind == 2:
            names = ("nngp", "ntk")
            fn = predict.gp_inference(kernel_fn(x, None, names), y, **ridge)
            wanted = [get, "ntkgp"][int(rng.random() < 0.3)]
            alone = kernel_fn(z, None, names) if rng.random() < 0.6 else None
            result = fn(wanted, kernel_fn(z, x, names), alone)
        else:
            theta = np.asarray(kernel_fn(x, None, "ntk"))
            full = theta[:, :, None, None] * (np.eye(c) + 0.2 * np.ones((c, c)))
            cross = np.asarray(kernel_fn(z, x, "ntk"))[:, :, None, None] * full[0, 0] / theta[0, 0]
            fn = predict.gradient_descent_mse(full, y, rate, trace_axes=(), **ridge)
            result = fn(t, start, test, cross)
        for place, array in enumerate(flat(result)):
            yield f"call {index} {place}", np.asarray(array)


def flat(result: Any) -> Iterator[Any]:
    """Yield the arrays of a result."""
    if isinstance(result, tuple):
        for part in result:
            yield from flat(part)
    else:
        yield result


if __name__ == "__main__":
    main()
