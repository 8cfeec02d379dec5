"""Means over random finite networks beside the analytic kernel, in JAX."""

import jax
import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main():
    x = np.random.default_rng(0).standard_normal((6, 4))
    init_fn, apply_fn, kernel_fn = stax.serial(stax.Dense(128), stax.Relu(), stax.Dense(8))
    exact = kernel_fn(x, None, "ntk")
    sampled_fn = nt.monte_carlo_kernel_fn(
        init_fn, apply_fn, jax.random.PRNGKey(0), [1, 4, 16, 64], trace_axes=(-1,)
    )
    errors = [float(abs(k - exact).max() / abs(exact).max()) for k in sampled_fn(x, None, "ntk")]
    for count, error in zip((1, 4, 16, 64), errors, strict=True):
        print(f"{count:2d} networks: error {error:.3f}")
    return errors[-1]


if __name__ == "__main__":
    main()
