"""The kernel of one finite network, and linearised training, in JAX."""

import jax
import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main(width=1024):
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal((8, 5)), rng.standard_normal((4, 5))
    init_fn, apply_fn, kernel_fn = stax.serial(stax.Dense(width), stax.Erf(), stax.Dense(3))
    _, params = init_fn(jax.random.PRNGKey(0), x.shape)
    ntk_fn = nt.empirical_ntk_fn(apply_fn, trace_axes=())
    full = ntk_fn(z, x, params)
    traced = nt.empirical_ntk_fn(apply_fn)(z, x, params)
    gap = float(abs(traced - kernel_fn(z, x, "ntk")).max() / abs(traced).max())
    print(f"shape of all pairs of outputs {full.shape}; distance from infinite width {gap:.3f}")
    return gap


if __name__ == "__main__":
    main()
