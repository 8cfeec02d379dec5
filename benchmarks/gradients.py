"""The cost of derivatives beside the kernels that they belong to.

Vector–Jacobian products by the points beside the kernel of two sets, the gradient of a kernel for
scikit-learn's Gaussian processes beside its value, and the whole search of ``Posterior.maximize``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from functools import partial

import numpy as np
from harness import (
    Row,
    add_threads,
    alternate,
    base_parser,
    load,
    machine,
    on_threads,
    positive,
    table,
    write_json,
)
from numpy.typing import NDArray

import ntkfast as nk
from ntkfast.sklearn import NTKKernel

Array = NDArray[np.float64]

RNG = np.random.default_rng(0)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and record; 1 if a bar is missed."""
    parser = base_parser(__doc__, "gradients", repetitions=5)
    add_threads(parser)
    parser.add_argument("--points", type=positive, default=5000)
    parser.add_argument("--features", type=positive, default=784)
    arguments = parser.parse_args(argv)
    before = load()
    n, d = arguments.points, arguments.features
    x, z, g = (RNG.standard_normal(shape) for shape in ((n, d), (n, d), (n, n)))
    net, small = nk.mlp(3), RNG.standard_normal((20, 3))
    images, others = (RNG.standard_normal((k, 28, 28, 1)) for k in (100, 10))
    weights = RNG.standard_normal((100, 10))
    layers = [nk.Conv((3, 3)), nk.Relu()] * 3
    ends = {"flat": nk.Flatten(), "pooled": nk.GlobalAvgPool()}
    convolutions = {name: nk.Serial(*layers, end, nk.Dense()) for name, end in ends.items()}
    counts = {"flat": (100, 10), "pooled": (16, 2)}
    kernel = NTKKernel(depth=2, activation="tanh")
    points = np.linspace(-1, 1, 20)[:, None]
    targets = np.sin(3 * points[:, 0]) + 0.1 * np.random.default_rng(3).normal(size=20)

    def value(net: nk.Network, x: Array, z: Array, name: str) -> object:
        return net.ntk(x, z[: counts[name][1]])

    def gradient(net: nk.Network, x: Array, z: Array, name: str) -> object:
        n, m = counts[name]
        return net.ntk_vjp(x, z[:m], weights[:n, :m])

    def search() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return nk.Posterior.maximize(nk.mlp(2, nk.Tanh(), b_std=0.5), points, targets)

    with on_threads(arguments.threads):
        seconds = alternate(
            {
                "kernel": lambda: net.ntk(x, z),
                "vjp": lambda: net.ntk_vjp(x, z, g),
                "small kernel": lambda: kernel(small),
                "small gradient": lambda: kernel(small, eval_gradient=True),
                "search": search,
                **{
                    f"{name}{what}": partial(run, net, images[: counts[name][0]], others, name)
                    for name, net in convolutions.items()
                    for what, run in (("", value), (" gradient", gradient))
                },
            },
            arguments.repetitions,
        )
    best = {name: min(times) for name, times in seconds.items()}
    rows = [
        Row(f"ntk_vjp, {n:,} x {d}, 3 ReLU", best["vjp"], best["kernel"], 3.5),
        Row("NTKKernel, 20 points, tanh", best["small gradient"], best["small kernel"], 20.0),
        Row("Posterior.maximize, 20 points, tanh", best["search"], bar=0.5),
        *(
            Row(f"ntk_vjp, images, 3 conv, {name}", best[f"{name} gradient"], best[name])
            for name in convolutions
        ),
    ]
    print(table(rows, "kernel"))
    settings = {"machine": machine(), "load_before": before, "load_after": load()}
    write_json(arguments.output, {"settings": settings, "rows": [row.record() for row in rows]})
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
