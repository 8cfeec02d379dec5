"""Choose the points to label by the variance of the posterior, under jit."""

import jax
import jax.numpy as jnp
import numpy as np

from ntkfast.neural_tangents import stax


def main(labels=25):
    rng = np.random.default_rng(0)
    pool = jnp.asarray(rng.uniform(-2, 2, (300, 2)))
    targets = jnp.sin(2 * pool[:, 0]) * pool[:, 1]
    net = stax.serial(stax.Dense(1, 2.0, 0.5), stax.Erf(), stax.Dense(1, 1.5, 0.1))
    kernel_fn = jax.jit(net[2], static_argnums=(2,))
    whole = kernel_fn(pool, None, "nngp")

    @jax.jit
    def posterior(mask):
        # Points without a label have infinite noise.
        system = whole + jnp.diag(jnp.where(mask, 1e-3, 1e8))
        mean = whole @ jnp.linalg.solve(system, jnp.where(mask, targets, 0.0))
        return mean, jnp.diag(whole - whole @ jnp.linalg.solve(system, whole))

    mask = jnp.zeros(300, bool).at[0].set(True)
    for _ in range(labels - 1):
        _, variance = posterior(mask)
        mask = mask.at[jnp.argmax(jnp.where(mask, -1.0, variance))].set(True)
    random = jnp.zeros(300, bool).at[jnp.asarray(rng.permutation(300)[:labels])].set(True)
    errors = [float(jnp.sqrt(jnp.mean((posterior(m)[0] - targets) ** 2))) for m in (mask, random)]
    print("error with chosen labels {:.3f}, with random ones {:.3f}".format(*errors))
    return errors[1] / errors[0]


if __name__ == "__main__":
    main()
