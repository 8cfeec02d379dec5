"""Kernels as functions of JAX arrays."""

import doctest

import numpy as np
import pytest

import ntkfast as nk

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
test_util = pytest.importorskip("jax.test_util")

RNG = np.random.default_rng(4)
X, Z = RNG.standard_normal((6, 4)), RNG.standard_normal((5, 4))
SMOOTH, KINKED = nk.mlp(2, nk.Gelu(), b_std=0.1), nk.mlp(3, b_std=0.2)


@pytest.fixture(autouse=True)
def double():
    """Compute in float64, and as before afterwards."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def test_gradients_by_images():
    network = nk.Serial(nk.Conv((3, 3), b_std=0.1), nk.Gelu(), nk.GlobalAvgPool(), nk.Dense())
    f = nk.jax.kernel(network)
    x, z = RNG.standard_normal((3, 4, 5, 2)), RNG.standard_normal((2, 4, 5, 2))
    test_util.check_grads(jax.jit(f), (x, z), order=1, modes=["rev"])
    test_util.check_grads(f, (x,), order=1, modes=["rev"])


@pytest.mark.parametrize("network", [SMOOTH, KINKED, nk.mlp(1, nk.Tanh())], ids=repr)
@pytest.mark.parametrize("name", ["ntk", "nngp"])
def test_values_and_gradients(network, name):
    f = nk.jax.kernel(network, kernel=name)
    value, vjp = getattr(network, name), getattr(network, f"{name}_vjp")
    np.testing.assert_array_equal(f(X, Z), value(X, Z))
    np.testing.assert_array_equal(f(X), value(X))
    weights = RNG.standard_normal((6, 5))
    got = jax.grad(lambda x, z: (weights * f(x, z)).sum(), argnums=(0, 1))(X, Z)
    for one, other in zip(got, vjp(X, Z, weights), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    test_util.check_grads(f, (X, Z), order=1, modes=["rev"])
    test_util.check_grads(lambda x: jnp.sin(f(x)), (X,), order=1, modes=["rev"])


def test_jit_and_vmap():
    f = nk.jax.kernel(SMOOTH)

    def loss(x):
        return (f(x, Z) ** 2).sum()

    np.testing.assert_allclose(jax.jit(loss)(X), loss(X), rtol=1e-12)
    gradient = jax.grad(loss)(X)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(X), gradient, rtol=1e-12)
    both = jax.vmap(jax.grad(loss))(np.stack([X, 2 * X]))
    np.testing.assert_allclose(both[0], gradient, rtol=1e-12)
    np.testing.assert_allclose(both[1], jax.grad(loss)(2 * X), rtol=1e-12)


def test_equal_points_are_other_samples():
    """As in `Network.ntk`, where only the same array is the same samples."""
    network = nk.Serial(nk.Dense(), nk.Relu(), nk.Dropout(keep=0.5), nk.Dense())
    f = nk.jax.kernel(network)
    np.testing.assert_array_equal(f(X, X), network.ntk(X, X.copy()))
    np.testing.assert_array_equal(f(X), network.ntk(X))


def test_types():
    f = nk.jax.kernel(KINKED)
    assert f(X.astype(np.float32)).dtype == np.float32
    assert f(X.astype(np.float32), Z).dtype == np.float64
    assert jax.grad(lambda x: f(x).sum())(X.astype(np.float32)).dtype == np.float32
    assert f(jnp.arange(6).reshape(3, 2)).dtype == np.float64
    for half in (jnp.float16, jnp.bfloat16):
        x, z = jnp.asarray(X, half), jnp.asarray(Z, half)
        for found in (f(x), f(x, z), jax.jit(jax.grad(lambda x: f(x, z).sum()))(x)):  # noqa: B023
            assert found.dtype == half
        single = np.asarray(x, np.float32)
        np.testing.assert_array_equal(f(x), jnp.asarray(KINKED.ntk(single), half))
    images = RNG.standard_normal((2, 4, 4, 1))
    np.testing.assert_array_equal(nk.jax.kernel(nk.cntk(2))(images), nk.cntk(2).ntk(images))


def test_refusals():
    f = nk.jax.kernel(SMOOTH)
    with pytest.raises(ValueError, match=r"x has shape \(4,\)"):
        f(X[0])
    with pytest.raises(ValueError, match=r"x2 has shape \(5, 3\); expected \(m, 4\)"):
        f(X, Z[:, :3])
    with pytest.raises(TypeError, match="second derivatives"):
        jax.grad(lambda x: jax.grad(lambda x: f(x).sum())(x).sum())(X)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(f, (X,), (X,))
    with pytest.raises(TypeError, match="network is"):
        nk.jax.kernel(X)
    with pytest.raises(ValueError, match="kernel is 'cntk'"):
        nk.jax.kernel(SMOOTH, kernel="cntk")


def test_the_example_prints_what_it_shows():
    failed, count = doctest.testmod(nk.jax)
    assert failed == 0
    assert count > 0
