"""Write the reference values next to this file. See README.md; this takes a minute or two.

cd tests && python -m reference.make_references
"""

import json
import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf, sqrt, workdps
from numpy.typing import NDArray

from reference.evaluator import DIGITS, WORKING_DIGITS, Network, kernels
from reference.quadrature import discrepancies

HERE = Path(__file__).parent
SEED = 20260
DTYPES = ("float64", "float32")


def chain(depth: int, activation: list[Any], w_std: float, b_std: float | None) -> Network:
    """Return dense layers with activations between them."""
    layer = ["dense", w_std, b_std]
    return ["serial", *([layer, activation] * depth), layer]


def networks() -> dict[str, tuple[Network, tuple[str, ...]]]:
    """Return the networks by name, each with the point sets it is evaluated on."""
    root2, both, small = math.sqrt(2), ("d3", "d784"), ("d3",)
    cases: dict[str, tuple[Network, tuple[str, ...]]] = {}
    for depth in (1, 3, 10, 50):
        cases[f"relu_{depth}"] = chain(depth, ["relu"], root2, None), both
        cases[f"relu_{depth}_bias"] = chain(depth, ["relu"], root2, 0.1), both

    dense, biased = ["dense", 1.3, None], ["dense", 1.3, 0.2]
    others: dict[str, list[Any]] = {
        "linear_bias": [biased, biased],
        "identity_3_bias": [*([biased, ["identity"]] * 3), biased],
        "leaky_relu_3": [*([dense, ["leaky_relu", 0.1]] * 3), dense],
        "leaky_relu_3_bias": [*([biased, ["leaky_relu", 0.1]] * 3), biased],
        "abrelu_same_sign_3_bias": [*([biased, ["abrelu", 0.5, 2.0]] * 3), biased],
        "abrelu_opposite_sign_3_bias": [*([biased, ["abrelu", -0.5, 1.5]] * 3), biased],
        "abrelu_opposite_sign_3": [*([dense, ["abrelu", -1.2, 0.7]] * 3), dense],
        "abs_10": [*([dense, ["abs"]] * 10), dense],
        "abs_10_bias": [*([biased, ["abs"]] * 10), biased],
        "relu_last_bias": [biased, ["relu"], biased, ["relu"]],
        "erf_1": [dense, ["erf", 1.0, 1.0, 0.0], dense],
        "erf_3_bias": [*([biased, ["erf", 1.0, 1.0, 0.0]] * 3), biased],
        "erf_shifted_3": [*([dense, ["erf", 1.3, 0.6, -0.4]] * 3), dense],
        "erf_steep_2_bias": [*([biased, ["erf", 0.7, 3.0, 0.5]] * 2), biased],
        "erf_relu_bias": [biased, ["erf", 1.0, 1.0, 0.0], biased, ["relu"], biased],
        "relu_erf_relu": [dense, ["relu"], dense, ["erf", 1.0, 1.0, 0.0], dense, ["relu"], dense],
        "gelu_1": [dense, ["gelu"], dense],
        "gelu_3_bias": [*([biased, ["gelu"]] * 3), biased],
        "gelu_relu_bias": [biased, ["gelu"], biased, ["relu"], biased],
        "sin_3_bias": [*([biased, ["sin", 1.0, 1.0, 0.0]] * 3), biased],
        "sin_relu_bias": [biased, ["sin", 1.0, 1.0, 0.3], biased, ["relu"], biased],
        "cos_3_bias": [*([biased, ["cos", 1.0, 1.0, 0.0]] * 3), biased],
        "sign_1": [dense, ["sign"], dense],
        "relu_sign_erf_bias": [
            *[biased, ["relu"], biased, ["sign"], biased, ["erf", 1.0, 1.0, 0.0], biased],
        ],
        "rbf_3_bias": [*([biased, ["rbf", 0.5]] * 3), biased],
        "rbf_relu": [dense, ["rbf", 1.0], dense, ["relu"], dense],
        "exp_1": [dense, ["exp", 1.5, 1e-6], dense],
        "erf_exp_bias": [biased, ["erf", 1.0, 1.0, 0.0], biased, ["exp", 0.7, -0.9], biased],
        "exp_normalized_3_bias": [*([biased, ["exp_normalized", 1.0, -1.0]] * 3), biased],
        "exp_normalized_2": [*([dense, ["exp_normalized", 2.0, -0.7]] * 2), dense],
        "gaussian_1": [dense, ["gaussian", 1.0, -1.0], dense],
        "gaussian_3_bias": [*([biased, ["gaussian", 1.4, -0.6]] * 3), biased],
        "gabor_1": [dense, ["gabor"], dense],
        "gabor_3_bias": [*([biased, ["gabor"]] * 3), biased],
        "gabor_relu_bias": [biased, ["gabor"], biased, ["relu"], biased],
        "sigmoid_like_2_bias": [*([biased, ["sigmoid_like"]] * 2), biased],
        "polynomial_1_bias": [
            ["dense", 0.1, 0.2],
            ["polynomial", 0.5, -1.0, 0.25, 0.1],
            ["dense", 0.7, 0.1],
        ],
        "polynomial_2": [
            ["dense", 0.01, None],
            ["polynomial", 0.0, 1.0, 0.5, -0.1],
            ["dense", 0.001, 0.2],
            ["polynomial", 0.1, 0.3, -0.2],
            dense,
        ],
        "polynomial_relu_bias": [
            ["dense", 0.1, 0.2],
            ["polynomial", 0.5, -1.0, 0.25, 0.1],
            ["dense", 0.7, 0.1],
            ["relu"],
            biased,
        ],
        "monomial_2_3_bias": [
            ["dense", 0.001, 0.3],
            ["monomial", 2],
            ["dense", 0.001, None],
            ["monomial", 3],
            dense,
        ],
        "monomial_20_bias": [["dense", 1e-6, 1.0], ["monomial", 20], ["dense", 1e-12, None]],
        "hermite_3_bias": [["dense", 0.1, 0.7], ["hermite", 3], ["dense", 0.01, 0.1]],
        "hermite_2_5_bias": [
            ["dense", 0.001, 1.0],
            ["hermite", 2],
            ["dense", 0.0001, 0.9],
            ["hermite", 5],
            dense,
        ],
        "rectified_monomial_0": [dense, ["rectified_monomial", 0], biased],
        "rectified_monomial_0_2": [
            dense,
            ["rectified_monomial", 0],
            biased,
            ["rectified_monomial", 2],
            biased,
        ],
        "rectified_monomial_1": [dense, ["rectified_monomial", 1], dense],
        "rectified_monomial_2_3_bias": [
            ["dense", 0.01, 0.3],
            ["rectified_monomial", 2],
            ["dense", 0.001, 0.2],
            ["rectified_monomial", 3],
            biased,
        ],
        "rectified_monomial_20_bias": [
            ["dense", 1e-6, 1.0],
            ["rectified_monomial", 20],
            ["dense", 1e-12, None],
        ],
        "residual_relu_5_bias": [biased, *([["residual", ["relu"], biased]] * 5), ["relu"], biased],
        "residual_nested": [
            dense,
            ["residual", ["abs"], dense, ["residual", ["leaky_relu", 0.2], biased]],
            ["relu"],
            dense,
        ],
        "sum_relu_abs": [
            dense,
            ["sum", ["serial", ["relu"], biased], ["serial", ["abs"], dense]],
            ["relu"],
            dense,
        ],
        "sum_erf_relu_bias": [
            biased,
            ["sum", ["serial", ["erf", 1.0, 0.8, 0.1], biased], ["serial", ["relu"], dense]],
            ["erf", 1.0, 1.0, 0.0],
            biased,
        ],
    }
    others |= joined()
    cases |= {name: (["serial", *layers], small) for name, layers in others.items()}
    return cases


def joined() -> dict[str, list[Any]]:
    """Return layers by name: how weights are trained, joins, and what scales or drops neurons."""
    dense, biased = ["dense", 1.3, None], ["dense", 1.3, 0.2]
    relu, erf = ["relu"], ["erf", 1.0, 0.8, 0.1]

    def trained(training: str, b_std: float | None, width: int | None = None) -> list[Any]:
        return ["dense", 1.3, b_std, width, training]

    return {
        "standard_relu_3": [
            *([trained("standard", None, 100), relu] * 3),
            trained("standard", None),
        ],
        "standard_relu_3_bias": [*([trained("standard", 0.2, 100), relu] * 3), biased],
        "standard_erf_2_bias_at_zero": [*([trained("standard", 0.0, 7), erf] * 2), biased],
        "standard_relu_2_bias_at_zero": [*([trained("standard", 0.0, 7), relu] * 2), biased],
        "frozen_first_relu_3_bias": [trained("frozen", 0.2), relu, *([biased, relu] * 2), biased],
        "frozen_last_relu_3_bias": [*([biased, relu] * 3), trained("frozen", 0.2)],
        "frozen_but_last_relu_3_bias": [*([trained("frozen", 0.2), relu] * 3), biased],
        "frozen_relu_2": [*([trained("frozen", None), relu] * 2), trained("frozen", None)],
        "product_relu_erf_bias": [
            biased,
            ["product", ["serial", relu, biased], ["serial", erf, biased], ["identity"]],
            dense,
            relu,
            biased,
        ],
        "product_of_sums": [
            dense,
            [
                "product",
                ["residual", ["abs"], dense],
                ["serial", dense, ["leaky_relu", 0.2], dense],
            ],
            biased,
        ],
        "concatenate_relu_erf_bias": [
            biased,
            ["concatenate", ["serial", relu], ["serial", erf, dense], ["identity"]],
            biased,
            relu,
            dense,
        ],
        "concatenate_widths_standard": [
            ["dense", 1.3, 0.2, 30],
            ["concatenate", ["serial", relu, ["dense", 1.1, None, 10]], ["abs"]],
            trained("standard", 0.2, 50),
            relu,
            trained("standard", None),
        ],
        "layer_norm_relu_3_bias": [*([biased, ["layer_norm", 1e-12], relu] * 3), biased],
        "layer_norm_exact_erf": [*([dense, ["layer_norm", 0.0], erf] * 2), dense],
        "layer_norm_large_eps": [*([dense, ["layer_norm", 0.5], ["abs"]] * 2), dense],
        "dropout_relu_3_bias": [*([biased, relu, ["dropout", 0.8]] * 3), biased],
        "dropout_erf": [dense, ["dropout", 0.5], dense, erf, ["dropout", 0.9], dense],
    }


def points(d: int, rng: np.random.Generator) -> tuple[list[str], NDArray[np.float64]]:
    """Return the points by name: hard ones, most of them in their relation to `base`."""

    def near(exponent: int) -> NDArray[np.float64]:
        direction = rng.standard_normal(d)
        shift = 10.0**exponent * np.linalg.norm(base) * direction / np.linalg.norm(direction)
        return np.asarray(base + shift)

    base = rng.standard_normal(d)
    named = {
        "base": base,
        "identical": base,
        "twice": 2 * base,
        "parallel": 3.7 * base,
        "parallel, short": 1e-3 * base,
        "antipodal": -base,
        "antipodal, short": -0.3 * base,
        **{f"1e{j} apart": near(j) for j in range(-12, 0)},
        **{f"antipodal, 1e{j} apart": -near(j) for j in (-9, -5, -2)},
        **{f"random {j}": rng.standard_normal(d) for j in range(3)},
        "zero": np.zeros(d),
        "tiny 0": 1e-8 * rng.standard_normal(d),
        "tiny 1": 1e-8 * rng.standard_normal(d),
        "huge": 1e6 * rng.standard_normal(d),
    }
    return list(named), np.array(list(named.values()))


def pairs(names: list[str]) -> list[tuple[int, int]]:
    """Return the diagonal, base with all, and neighbours in the list (near ones among them)."""
    n = len(names)
    chosen = {(i, i) for i in range(n)} | {(0, j) for j in range(n)} | set(pairwise(range(n)))
    return sorted(chosen)


def evaluate(
    network: Network, x: NDArray[Any], chosen: list[tuple[int, int]]
) -> dict[str, list[str]]:
    """Return both kernels of the chosen pairs as decimal strings."""
    values = [kernels(network, x[i], x[j], same=i == j) for i, j in chosen]
    more = WORKING_DIGITS * 3 // 2
    finer = [kernels(network, x[i], x[j], more, same=i == j) for i, j in chosen]
    with workdps(WORKING_DIGITS):
        for each, again in zip(zip(*values, strict=True), zip(*finer, strict=True), strict=True):
            diagonal = {i: v for (i, j), v in zip(chosen, each, strict=True) if i == j}
            for (i, j), v, w in zip(chosen, each, again, strict=True):
                if abs(v - w) > mpf(10) ** -DIGITS * sqrt(diagonal[i] * diagonal[j]):
                    raise SystemExit(f"{network}, pair {i}, {j}: {WORKING_DIGITS} digits do not do")
        nngp, ntk = ([mp.nstr(v, DIGITS) for v in each] for each in zip(*values, strict=True))
        return {"nngp": nngp, "ntk": ntk}


def main() -> None:
    """Check the duals against quadrature, then write points and values."""
    for label, gap in discrepancies():
        if not gap < 1e-28:
            raise SystemExit(f"{label}: formula and integral are {gap:.1e} apart")

    rng = np.random.default_rng(SEED)
    names, small = points(3, rng)
    sets = {"d3": small, "d784": points(784, rng)[1]}
    chosen = pairs(names)
    np.savez_compressed(HERE / "points.npz", names=names, pairs=chosen, **sets)

    (HERE / "values").mkdir(exist_ok=True)
    for name, (network, dimensions) in networks().items():
        values = {
            f"{dtype}/{d}": evaluate(network, sets[d].astype(dtype), chosen)
            for dtype in DTYPES
            for d in dimensions
        }
        text = json.dumps({"network": network, "values": values}, indent=0)
        (HERE / "values" / f"{name}.json").write_text(text + "\n")
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
