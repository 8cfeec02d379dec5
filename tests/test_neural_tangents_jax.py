"""The names of neural-tangents in JAX: transformations, finite networks, empirical kernels."""

import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import predict, stax

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
test_util = pytest.importorskip("jax.test_util")

RNG = np.random.default_rng(6)
X, Z, Y = RNG.standard_normal((5, 4)), RNG.standard_normal((3, 4)), RNG.standard_normal((5, 2))


@pytest.fixture(autouse=True)
def double():
    """Compute in float64, and as before afterwards."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def network(w_std: Any = 1.5, b_std: Any = 0.2, activation: Any = stax.Gelu) -> Any:
    return stax.serial(stax.Dense(64, w_std, b_std), activation(), stax.Dense(2, w_std))


KERNEL_FN = network()[2]


def test_arrays_and_transformations() -> None:
    x, z = jnp.asarray(X), jnp.asarray(Z)
    whole = KERNEL_FN(X, Z)
    for found in (
        KERNEL_FN(x, z, "ntk"),
        jax.jit(KERNEL_FN, static_argnums=(2,))(x, z, "ntk"),
        jax.jit(KERNEL_FN, static_argnames=("get",))(x, z, get=("nngp", "ntk")).ntk,
        jax.jit(KERNEL_FN)(x, z).ntk,
        jax.vmap(lambda one: KERNEL_FN(one[None], z, "ntk")[0])(x),
    ):
        assert isinstance(found, jax.Array)
        np.testing.assert_allclose(found, whole.ntk, rtol=1e-13)
    kernel = jax.jit(KERNEL_FN)(x, z)
    assert (kernel.shape1, bool(kernel.x1_is_x2)) == ((5, 2), False)
    np.testing.assert_allclose(kernel.cov2, whole.cov2, rtol=1e-13)
    doubled = jax.tree_util.tree_map(lambda leaf: 2 * leaf, KERNEL_FN(x, z))
    np.testing.assert_allclose(doubled.nngp, 2 * whole.nngp, rtol=1e-13)
    assert KERNEL_FN(x.astype(jnp.float32), None, "ntk").dtype == jnp.float32
    one = jax.jit(KERNEL_FN, static_argnums=(2,))(x, x, "ntk")
    np.testing.assert_array_equal(one, KERNEL_FN(X, None, "ntk"))


@pytest.mark.parametrize("get", ["nngp", "ntk"])
@pytest.mark.parametrize("activation", [stax.Gelu, stax.Relu])
def test_gradients(get: str, activation: Any) -> None:
    kernel_fn = network(activation=activation)[2]
    test_util.check_grads(lambda x, z: kernel_fn(x, z, get), (X, Z), order=1, modes=["rev"])
    test_util.check_grads(lambda x: kernel_fn(x, None, get), (X,), order=1, modes=["rev"])

    def of_scales(w_std: Any, b_std: Any) -> Any:
        return network(w_std, b_std, activation)[2](X, Z, get)

    test_util.check_grads(of_scales, (1.5, 0.2), order=1, modes=["rev"])
    found = jax.jit(jax.grad(lambda w_std: of_scales(w_std, 0.2).sum()))(1.5)
    step = 1e-6
    ends = [of_scales(1.5 + sign * step, 0.2).sum() for sign in (1, -1)]
    assert float(found) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-6)


def test_what_is_not_differentiated() -> None:
    with pytest.raises(TypeError, match="second derivatives"):
        jax.grad(lambda x: jax.grad(lambda x: KERNEL_FN(x, None, "ntk").sum())(x).sum())(X)

    def of_scale(w_std: Any) -> Any:
        net = stax.serial(stax.Conv(3, (2, 2), W_std=w_std), stax.Relu(), stax.Flatten())
        return net[2](np.ones((2, 3, 3, 1)), None, "ntk").sum()

    assert np.isfinite(jax.jit(of_scale)(1.0))
    with pytest.raises(Exception, match="have no derivatives yet"):
        jax.grad(of_scale)(1.0)


def test_predictions_are_functions_of_traced_arguments() -> None:
    theta, cross = KERNEL_FN(X, None, "ntk"), KERNEL_FN(Z, X, "ntk")

    def prediction(y: Any, t: Any, diag_reg: Any, x: Any) -> Any:
        kernel = KERNEL_FN(x, None, "ntk")
        fn = predict.gradient_descent_mse(kernel, y, 0.5, diag_reg)
        return fn(t, 0.0, 0.0, KERNEL_FN(Z, x, "ntk"))[1]

    plain = predict.gradient_descent_mse(theta, Y, 0.5, 0.1)(3.0, 0.0, 0.0, cross)[1]
    np.testing.assert_allclose(jax.jit(prediction)(Y, 3.0, 0.1, X), plain, rtol=1e-10)
    test_util.check_grads(prediction, (Y, 3.0, 0.1, X), order=1, modes=["rev"])

    def evidence(x: Any, diag_reg: Any) -> Any:
        fn = predict.gp_inference(KERNEL_FN(x, None, ("nngp", "ntk")), Y, diag_reg)
        found = fn("nngp", KERNEL_FN(Z, x, ("nngp", "ntk")), KERNEL_FN(Z, None, "nngp"))
        return found.mean.sum() + found.covariance.sum()

    test_util.check_grads(evidence, (X, 0.1), order=1, modes=["rev"])
    fn = predict.gradient_descent_mse_ensemble(KERNEL_FN, jnp.asarray(X), jnp.asarray(Y), 0.5)
    found = jax.jit(lambda t, z: fn(t, z, "ntk", True))(2.0, jnp.asarray(Z))
    plain = predict.gradient_descent_mse_ensemble(KERNEL_FN, X, Y, 0.5)(2.0, Z, "ntk", True)
    np.testing.assert_allclose(found.covariance, plain.covariance, rtol=1e-8, atol=1e-10)


def test_a_loss_in_jax() -> None:
    def loss(outputs: Any, targets: Any) -> Any:
        return 0.5 * jnp.mean((outputs - targets) ** 2)

    theta, cross = KERNEL_FN(X, None, "ntk"), KERNEL_FN(Z, X, "ntk")
    got = predict.gradient_descent(loss, theta, Y)(2.0, 0.0, 0.0, cross)
    expected = predict.gradient_descent_mse(theta, Y)(2.0, 0.0, 0.0, cross)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def _finite() -> dict[str, tuple[Any, Any]]:
    rows, images = jnp.asarray(X), jnp.asarray(RNG.standard_normal((3, 5, 5, 2)))
    width = 256
    branches = stax.parallel(stax.serial(stax.Relu(), stax.Dense(width)), stax.Identity())
    conv = stax.Conv(64, (3, 3), padding="SAME", W_std=1.3, b_std=0.1)
    circular = stax.Conv(64, (3, 2), (2, 1), "CIRCULAR", W_std=1.3)
    standard = {"parameterization": "standard"}
    return {
        "dense": (
            stax.serial(
                stax.Dense(width, 1.3, 0.1),
                stax.Erf(),
                stax.Dense(width, 1.3),
                stax.Relu(),
                stax.Dense(4),
            ),
            rows,
        ),
        "standard": (
            stax.serial(
                stax.Dense(width, 1.3, 0.1, **standard), stax.Relu(), stax.Dense(4, **standard)
            ),
            rows,
        ),
        "branches": (
            stax.serial(
                stax.Dense(width),
                stax.FanOut(2),
                branches,
                stax.FanInSum(),
                stax.LayerNorm(),
                stax.Relu(),
                stax.Dense(4),
            ),
            rows,
        ),
        "side by side": (
            stax.serial(
                stax.FanOut(2),
                stax.parallel(stax.Dense(width // 2, 1.5), stax.Dense(width, 0.7)),
                stax.FanInConcat(),
                stax.Dense(width),
                stax.Relu(),
                stax.Dense(4),
            ),
            rows,
        ),
        "images": (
            stax.serial(conv, stax.Relu(), stax.AvgPool((2, 2)), stax.Flatten(), stax.Dense(4)),
            images,
        ),
        "circular": (
            stax.serial(circular, stax.Gelu(), stax.GlobalAvgPool(), stax.Dense(4)),
            images,
        ),
    }


@pytest.mark.parametrize("name", _finite())
def test_finite_networks_have_these_limits(name: str) -> None:
    """The mean over random networks, within five standard errors of each entry."""
    (init_fn, apply_fn, kernel_fn), x = _finite()[name]
    shape, params = init_fn(jax.random.PRNGKey(0), (-1, *x.shape[1:]))
    assert shape == (-1, 4)
    assert apply_fn(params, x).shape == (len(x), 4)
    empirical = jax.jit(lambda p: nt.empirical_ntk_fn(apply_fn)(x, None, p))
    keys = jax.random.split(jax.random.PRNGKey(1), 16)
    samples = [np.asarray(empirical(init_fn(key, x.shape)[1])) for key in keys]
    error = np.std(samples, axis=0, ddof=1) / np.sqrt(len(samples))
    expected = kernel_fn(x, None, "ntk")
    slack = 0.02 * abs(expected).max()  # of order 1/width
    assert (abs(np.mean(samples, axis=0) - expected) < 5 * error + slack).all()


def test_finite_networks_train() -> None:
    init_fn, apply_fn, kernel_fn = stax.serial(stax.Dense(1024, 1.5), stax.Erf(), stax.Dense(2))
    _, params = init_fn(jax.random.PRNGKey(2), X.shape)
    start = apply_fn(params, X)
    rate, steps = 0.5, 40

    @jax.jit
    def step(params: Any) -> Any:
        slopes = jax.grad(lambda p: 0.5 * jnp.mean((apply_fn(p, X) - Y) ** 2))(params)
        return jax.tree_util.tree_map(lambda p, g: p - rate * g, params, slopes)

    for _ in range(steps):
        params = step(params)
    theta = kernel_fn(X, None, "ntk")
    flow = predict.gradient_descent_mse(theta, Y, rate)(steps, start)
    moved = abs(flow - start).max()
    np.testing.assert_allclose(apply_fn(params, X), flow, atol=0.15 * float(moved))


def test_empirical_kernels() -> None:
    init_fn, apply_fn, _ = network()
    _, params = init_fn(jax.random.PRNGKey(0), X.shape)
    jacobians = [
        np.concatenate(
            [
                np.asarray(leaf).reshape(len(x), 2, -1)
                for leaf in jax.tree_util.tree_leaves(jax.jacobian(apply_fn)(params, x))
            ],
            axis=-1,
        )
        for x in (X, Z)
    ]
    full = np.einsum("ncp,mdp->nmcd", *jacobians)
    ntk = nt.empirical_ntk_fn(apply_fn, trace_axes=(), implementation=2)(X, Z, params)
    np.testing.assert_allclose(ntk, full, rtol=1e-12, atol=1e-12)
    traced = np.einsum("nmcc->nm", full) / 2
    np.testing.assert_allclose(nt.empirical_ntk_fn(apply_fn)(X, Z, params), traced, rtol=1e-12)
    diagonal = nt.empirical_ntk_fn(apply_fn, (), (-1,))(X, Z, params)
    np.testing.assert_allclose(diagonal, np.einsum("nmcc->nmc", full), rtol=1e-12, atol=1e-12)
    both = nt.empirical_kernel_fn(apply_fn)(X, Z, ("ntk", "nngp"), params)
    assert both._fields == ("ntk", "nngp")
    outputs = [np.asarray(apply_fn(params, x)) for x in (X, Z)]
    np.testing.assert_allclose(both.nngp, outputs[0] @ outputs[1].T / 2, rtol=1e-12)
    vector = RNG.standard_normal((3, 2))
    product = nt.empirical_ntk_vp_fn(apply_fn, X, Z, params)(vector)
    np.testing.assert_allclose(product, np.einsum("nmcd,md->nc", full, vector), rtol=1e-10)
    mean = nt.monte_carlo_kernel_fn(init_fn, apply_fn, jax.random.PRNGKey(0), [2, 4])
    found = list(mean(X, None, "ntk"))
    assert len(found) == 2
    assert found[0].shape == (5, 5)
    one = nt.monte_carlo_kernel_fn(init_fn, apply_fn, jax.random.PRNGKey(0), 4)(X, None, "ntk")
    np.testing.assert_allclose(found[1], one, rtol=1e-12)


def test_expansions() -> None:
    _, apply_fn, _ = network()
    _, params = network()[0](jax.random.PRNGKey(0), X.shape)
    moved = jax.tree_util.tree_map(lambda leaf: leaf + 1e-2 * jnp.cos(leaf), params)
    exact = apply_fn(moved, X)
    errors = [
        float(abs(nt.taylor_expand(apply_fn, params, degree)(moved, X) - exact).max())
        for degree in range(4)
    ]
    assert all(later < 0.2 * earlier for earlier, later in pairwise(errors))
    linear = nt.linearize(apply_fn, params)(moved, X)
    np.testing.assert_array_equal(linear, nt.taylor_expand(apply_fn, params, 1)(moved, X))


def test_activations_in_jax_are_evaluated_in_double_precision() -> None:
    jax.config.update("jax_enable_x64", False)
    pair = [
        stax.serial(stax.Dense(1), activation, stax.Dense(1))[2](X, None, "ntk")
        for activation in (stax.ElementwiseNumerical(jnp.sin, deg=25), stax.Sin())
    ]
    np.testing.assert_allclose(*pair, rtol=1e-9, atol=1e-10)


def test_dropout_draws_with_a_key() -> None:
    init_fn, apply_fn, _ = stax.serial(stax.Dense(2000), stax.Dropout(0.5), stax.Dense(1))
    _, params = init_fn(jax.random.PRNGKey(0), X.shape)
    with pytest.raises(ValueError, match="pass rng=key"):
        apply_fn(params, X)
    first, second = (apply_fn(params, X, rng=jax.random.PRNGKey(k)) for k in (1, 2))
    assert (np.asarray(first) != np.asarray(second)).all()


def test_jax_is_not_imported() -> None:
    import subprocess

    code = (
        "import sys, numpy as np, ntkfast.neural_tangents as nt\n"
        "from ntkfast.neural_tangents import stax, predict\n"
        "k = stax.serial(stax.Dense(1), stax.Relu(), stax.Dense(1))[2]\n"
        "x = np.eye(3)\n"
        "predict.gradient_descent_mse_ensemble(k, x, x)(1.0, x[:1], None, True)\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
