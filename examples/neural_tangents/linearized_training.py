"""A wide network and its linearisation under gradient descent, in JAX."""

import jax
import jax.numpy as jnp
import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main(width=2048, steps=50):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((10, 4)), rng.standard_normal((10, 1))
    init_fn, f, _ = stax.serial(stax.Dense(width, 1.5), stax.Erf(), stax.Dense(1))
    _, start = init_fn(jax.random.PRNGKey(1), x.shape)
    trained = {}
    for name, model in (("network", f), ("linearised", nt.linearize(f, start))):
        slope = jax.jit(jax.grad(lambda p, m=model: 0.5 * jnp.mean((m(p, x) - y) ** 2)))
        params = start
        for _ in range(steps):
            params = jax.tree_util.tree_map(lambda p, g: p - 0.5 * g, params, slope(params))
        trained[name] = model(params, x)
    moved = float(abs(trained["network"] - f(start, x)).max())
    gap = float(abs(trained["network"] - trained["linearised"]).max()) / moved
    print(f"distance of the two after {steps} steps, of what the network moved: {gap:.3f}")
    return gap


if __name__ == "__main__":
    main()
