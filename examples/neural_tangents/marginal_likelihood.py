"""W_std and b_std by gradient ascent on the marginal likelihood, in JAX."""

import jax
import jax.numpy as jnp
import numpy as np

from ntkfast.neural_tangents import stax


def main(steps=60):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.uniform(-2, 2, (25, 1)))
    y = jnp.asarray(np.sin(3 * np.asarray(x)))

    def loss(parameters):
        w_std, b_std, noise = jnp.exp(parameters)
        net = stax.serial(stax.Dense(1, w_std, b_std), stax.Erf(), stax.Dense(1, w_std, b_std))
        kernel = net[2](x, None, "nngp") + (noise + 1e-4) * jnp.eye(len(x))
        factor = jax.scipy.linalg.cholesky(kernel, lower=True)
        whitened = jax.scipy.linalg.solve_triangular(factor, y, lower=True)
        return 0.5 * jnp.sum(whitened**2) + jnp.sum(jnp.log(jnp.diag(factor)))

    value_and_grad = jax.jit(jax.value_and_grad(loss))
    parameters = jnp.log(jnp.array([1.0, 0.5, 0.1]))
    first, _ = value_and_grad(parameters)
    for _ in range(steps):
        value, gradient = value_and_grad(parameters)
        parameters = parameters - 0.02 * gradient / (1 + jnp.linalg.norm(gradient) / 10)
    print(f"negative log evidence {float(first):.2f} -> {float(value):.2f}")
    return float(first - value)


if __name__ == "__main__":
    main()
