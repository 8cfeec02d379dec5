"""The names of neural-tangents: signatures, kernels against textbook formulae, what `get` does."""

import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
import ntkfast.neural_tangents as nt
from catalogue import NETWORKS
from images import IMAGE_NETWORKS, random_images
from ntkfast.neural_tangents import predict, stax
from reference import evaluator
from reference import images as literal

RNG = np.random.default_rng(0)
X, Z = RNG.standard_normal((4, 3)), RNG.standard_normal((2, 3))

# As the old library has them, in order.
SIGNATURES = {
    "Dense": "out_dim, W_std=1.0, b_std=None, batch_axis=0, channel_axis=-1, "
    "parameterization='ntk', s=(1, 1)",
    "Conv": "out_chan, filter_shape, strides=None, padding='VALID', W_std=1.0, b_std=None, "
    "dimension_numbers=None, parameterization='ntk', s=(1, 1)",
    "AvgPool": "window_shape, strides=None, padding='VALID', normalize_edges=False, batch_axis=0, "
    "channel_axis=-1",
    "SumPool": "window_shape, strides=None, padding='VALID', batch_axis=0, channel_axis=-1",
    "GlobalAvgPool": "batch_axis=0, channel_axis=-1",
    "GlobalSumPool": "batch_axis=0, channel_axis=-1",
    "Flatten": "batch_axis=0, batch_axis_out=0",
    "LayerNorm": "axis=-1, eps=1e-12, batch_axis=0, channel_axis=-1",
    "Dropout": "rate, mode='train'",
    "Identity": "",
    "Relu": "do_stabilize=False, do_backprop=False",
    "ABRelu": "a, b, do_stabilize=False, do_backprop=False",
    "LeakyRelu": "alpha, do_stabilize=False, do_backprop=False",
    "Erf": "a=1.0, b=1.0, c=0.0, do_backprop=False",
    "Gelu": "approximate=False, do_backprop=False",
    "Sin": "a=1.0, b=1.0, c=0.0",
    "Rbf": "gamma=1.0",
    "Exp": "a=1.0, b=1.0",
    "Gaussian": "a=1.0, b=-1.0",
    "ExpNormalized": "gamma=1.0, shift=-1.0, do_clip=False",
    "ElementwiseNumerical": "fn, deg=25, df=None, do_backprop=False",
    "FanOut": "num",
    "FanInSum": "",
    "FanInProd": "",
    "FanInConcat": "axis=-1",
    "repeat": "layer, n",
}
PREDICT = {
    "gradient_descent_mse": "k_train_train, y_train, learning_rate=1.0, diag_reg=0.0, "
    "diag_reg_absolute_scale=False, trace_axes=(-1,), **old",
    "gradient_descent_mse_ensemble": "kernel_fn, x_train, y_train, learning_rate=1.0, "
    "diag_reg=0.0, diag_reg_absolute_scale=False, trace_axes=(-1,), **kernel_fn_train_train_kwargs",
    "gp_inference": "k_train_train, y_train, diag_reg=0.0, diag_reg_absolute_scale=False, "
    "trace_axes=(-1,)",
    "gradient_descent": "loss, k_train_train, y_train, learning_rate=1.0, momentum=None, "
    "trace_axes=(-1,)",
    "max_learning_rate": "ntk_train_train, y_train_size=None, momentum=0.0, eps=1e-12",
}


def shown(function: Any) -> str:
    parameters = inspect.signature(function).parameters.values()
    return ", ".join(str(each.replace(annotation=each.empty)) for each in parameters)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_of_layers(name: str) -> None:
    assert shown(getattr(stax, name)) == SIGNATURES[name]


@pytest.mark.parametrize("name", PREDICT)
def test_signatures_of_predictions(name: str) -> None:
    assert shown(getattr(predict, name)) == PREDICT[name]


WIDTH = 512
FUNCTIONS: dict[str, Any] = {
    "relu": stax.Relu,
    "leaky_relu": stax.LeakyRelu,
    "abrelu": stax.ABRelu,
    "abs": stax.Abs,
    "sign": stax.Sign,
    "erf": stax.Erf,
    "sigmoid_like": stax.Sigmoid_like,
    "gelu": stax.Gelu,
    "sin": stax.Sin,
    "cos": stax.Cos,
    "rbf": stax.Rbf,
    "exp": stax.Exp,
    "exp_normalized": stax.ExpNormalized,
    "gaussian": stax.Gaussian,
    "gabor": stax.Gabor,
    "identity": stax.Identity,
    "layer_norm": lambda eps: stax.LayerNorm(eps=eps),
    "dropout": stax.Dropout,
    "flatten": stax.Flatten,
    "global_avg_pool": stax.GlobalAvgPool,
    "global_sum_pool": stax.GlobalSumPool,
}
JOINS = {"sum": stax.FanInSum, "product": stax.FanInProd, "concatenate": stax.FanInConcat}


def joined(join: Any, *branches: Any) -> Any:
    return stax.serial(stax.FanOut(len(branches)), stax.parallel(*branches), join())


def translated(description: Any) -> Any:
    """Return a network of the catalogue in old names."""
    kind, *rest = description
    if kind == "serial":
        return stax.serial(*map(translated, rest))
    if kind == "residual":
        inner = stax.serial(*map(translated, rest))
        return joined(stax.FanInSum, stax.Identity(), inner)
    if kind in JOINS:
        return joined(JOINS[kind], *map(translated, rest))
    if kind == "dense":
        w_std, b_std, width, training = (*rest, None, None)[:4] if len(rest) < 4 else rest[:4]
        standard = "standard" if training == "standard" else "ntk"
        return stax.Dense(width or WIDTH, w_std, b_std, parameterization=standard)
    if kind == "conv":
        height, wide, down, right, padding, w_std, b_std, width, training = rest
        return stax.Conv(
            width or WIDTH,
            (height, wide),
            (down, right),
            padding,
            w_std,
            b_std,
            parameterization="standard" if training == "standard" else "ntk",
        )
    if kind in ("avg_pool", "sum_pool"):
        height, wide, down, right, padding = rest
        pool = stax.AvgPool if kind == "avg_pool" else stax.SumPool
        return pool((height, wide), (down, right), padding)
    return FUNCTIONS[kind](*rest)


def kinds(description: Any) -> set[str]:
    found = {description[0]}
    for part in description[1:]:
        if isinstance(part, list):
            found |= kinds(part)
    return found


def served(description: Any) -> bool:
    """Return whether the old names have all of it: no frozen layers, no layers without a width."""
    known = {*FUNCTIONS, *JOINS, "serial", "residual", "dense", "conv", "avg_pool", "sum_pool"}
    text = repr(description)
    fine = kinds(description) <= known and "frozen" not in text
    # Widths count in these; the catalogue leaves some out, which means 1.
    return fine and not (kinds(description) & {"concatenate"}) and "standard" not in text


@pytest.mark.parametrize("name", [name for name, each in NETWORKS.items() if served(each)])
def test_kernels_are_those_of_the_formulae(name: str) -> None:
    description = NETWORKS[name]
    *_, kernel_fn = translated(description)
    found = kernel_fn(X, Z, ("nngp", "ntk"))
    for i, x in enumerate(X):
        for j, z in enumerate(Z):
            nngp, ntk = map(float, evaluator.kernels(description, x, z))
            assert found.nngp[i, j] == pytest.approx(nngp, rel=1e-10, abs=1e-12)
            assert found.ntk[i, j] == pytest.approx(ntk, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", [name for name, each in IMAGE_NETWORKS.items() if served(each)])
def test_kernels_of_images_are_those_of_the_formulae(name: str) -> None:
    images = random_images(2, 3, 4, 2)
    expected = literal.kernels(IMAGE_NETWORKS[name], images)
    found = translated(IMAGE_NETWORKS[name])[2](images, None, ("nngp", "ntk"))
    for got, truth in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, truth.astype(float), rtol=1e-10)


def test_widths_count_where_layers_are_side_by_side() -> None:
    """Means of both branches, weighted by 100 and 300 neurons."""
    one, other = stax.Dense(100, 1.5), stax.Dense(300, 0.5, 0.2)
    both = stax.serial(stax.FanOut(2), stax.parallel(one, other), stax.FanInConcat(-1))
    k = X @ Z.T / 3
    expected = 0.25 * 1.5**2 * k + 0.75 * (0.5**2 * k + 0.2**2)
    np.testing.assert_allclose(both[2](X, Z, "nngp"), expected, rtol=1e-14)


def test_standard_parameterization_counts_widths() -> None:
    """Two layers: T = d·k + 1, then N·K₁ + W²·T₁ + 1, with K₁ behind ReLU, N = 7."""
    net = stax.serial(
        stax.Dense(7, 1.2, 0.3, parameterization="standard"),
        stax.Relu(),
        stax.Dense(1, 1.1, 0.2, parameterization="standard"),
    )
    k = 1.2**2 * X @ X.T / 3 + 0.3**2
    scale = np.sqrt(np.outer(k.diagonal(), k.diagonal()))
    angle = np.arccos(np.clip(k / scale, -1, 1))
    slope = (np.pi - angle) / (2 * np.pi)
    relu = scale / (2 * np.pi) * np.sin(angle) + k * slope
    first = X @ X.T + 1
    expected = 7 * relu + 1.1**2 * slope * first + 1
    np.testing.assert_allclose(net[2](X, None, "ntk"), expected, rtol=1e-6)


NET = stax.serial(stax.Dense(WIDTH, 1.5, 0.1), stax.Erf(), stax.Dense(2, 1.2))
KERNEL_FN = NET[2]


def test_get() -> None:
    both = KERNEL_FN(X, Z, ("ntk", "nngp"))
    assert both._fields == ("ntk", "nngp")
    ntk, nngp = both
    np.testing.assert_array_equal(ntk, KERNEL_FN(X, Z, "ntk"))
    np.testing.assert_array_equal(nngp, KERNEL_FN(X, Z, get="NNGP"))
    whole = KERNEL_FN(X, Z)
    assert isinstance(whole, nt.Kernel)
    assert (whole.shape1, whole.shape2, whole.x1_is_x2) == ((4, 2), (2, 2), False)
    np.testing.assert_allclose(whole.cov1, KERNEL_FN(X, None, "nngp").diagonal(), rtol=1e-14)
    np.testing.assert_allclose(whole.cov2, KERNEL_FN(Z, None, "nngp").diagonal(), rtol=1e-14)
    assert KERNEL_FN(X).cov2 is None
    assert KERNEL_FN(X, None, "cov1").shape == (4,)
    assert list(whole.asdict())[:4] == ["nngp", "ntk", "cov1", "cov2"]
    assert whole.replace(ntk=None).ntk is None
    assert whole.slice(slice(1, 3), slice(None)).ntk.shape == (2, 2)
    copy = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(copy.ntk, whole.ntk)
    assert ntk.block_until_ready().flags.writeable


def test_equal_arrays_are_one_set() -> None:
    kernel_fn = stax.serial(stax.Dense(WIDTH), stax.Relu(), stax.Dropout(0.5), stax.Dense(1))[2]
    one = kernel_fn(X, None, "ntk")
    np.testing.assert_array_equal(kernel_fn(X, X.copy(), "ntk"), one)
    assert kernel_fn(X, X.copy()).x1_is_x2
    assert (kernel_fn(X, X[::-1].copy(), "ntk").diagonal() != one.diagonal()).all()


def test_networks_continue_from_kernels() -> None:
    first, second = stax.serial(stax.Dense(WIDTH), stax.Relu()), stax.serial(stax.Dense(1))
    together = stax.serial(first, second)[2]
    np.testing.assert_array_equal(second[2](first[2](X, Z)).ntk, together(X, Z, "ntk"))
    np.testing.assert_array_equal(second[2](first[2](X), get="nngp"), together(X, None, "nngp"))
    with pytest.raises(NotImplementedError, match="network and points are unknown"):
        second[2](first[2](X).replace(ntk=None))


def test_layers_are_data_and_triples() -> None:
    init_fn, apply_fn, kernel_fn = NET
    assert [node.name for node in kernel_fn.layers] == ["Dense", "Erf", "Dense"]
    again = stax.serial((init_fn, apply_fn, kernel_fn), stax.Relu(), stax.Dense(1))
    assert len(again[2].layers) == 5
    thrice = stax.serial(stax.repeat(stax.serial(stax.Dense(9), stax.Relu()), 3), stax.Dense(1))
    np.testing.assert_array_equal(
        thrice[2](X, None, "ntk"), nk.mlp(3, w_std=1.0, b_std=None).ntk(X)
    )


def test_numbers_of_other_libraries() -> None:
    kernel_fn = stax.serial(stax.Dense(9, np.array(1.5), np.float32(0.1)), stax.Relu())[2]
    assert kernel_fn(X, None, "nngp").shape == (4, 4)
    assert KERNEL_FN(X.astype(np.float32), None, "ntk").dtype == np.float32
    assert KERNEL_FN(X, None, "ntk", diag_reg=0.1, pattern=None).shape == (4, 4)


def test_batches() -> None:
    assert nt.batch(KERNEL_FN, 2, device_count=0, store_on_device=False) is KERNEL_FN
    assert nt.utils.batch.batch is nt.batch

    def empirical(x1: Any, x2: Any = None, get: Any = None) -> Any:
        return KERNEL_FN(x1, x2, get)

    for x2 in (Z, None):
        whole, parts = KERNEL_FN(X, x2), nt.batch(empirical, 3)(X, x2)
        np.testing.assert_allclose(parts.ntk, whole.ntk, rtol=1e-12)
        several = nt.batch(empirical, 3)(X, x2, ("ntk", "nngp"))
        np.testing.assert_allclose(several.nngp, whole.nngp, rtol=1e-12)


def test_refusals() -> None:
    with pytest.raises(NotImplementedError, match="mask_constant is given"):
        KERNEL_FN(X, None, "ntk", mask_constant=0.0)
    with pytest.raises(ValueError, match="get has 'foo'; expected 'nngp', 'ntk'"):
        KERNEL_FN(X, None, "foo")
    with pytest.raises(ValueError, match="expected every name once"):
        KERNEL_FN(X, None, ("ntk", "ntk"))
    with pytest.raises(NotImplementedError, match="s is \\(2, 1\\)"):
        stax.Dense(1, s=(2, 1))
    with pytest.raises(NotImplementedError, match="channel_axis is 1"):
        stax.GlobalAvgPool(channel_axis=1)
    with pytest.raises(NotImplementedError, match="no layer of ntkfast"):
        stax.serial(stax.Dense(1), (None, None, lambda k: k))
    with pytest.raises(NotImplementedError, match="normalize_edges"):
        stax.AvgPool((2, 2), padding="SAME", normalize_edges=True)
    with pytest.raises(NotImplementedError, match="nngp_fn"):
        stax.Elementwise(nngp_fn=lambda a, b, c: a)
    with pytest.raises(NotImplementedError, match=r"stax.GlobalSelfAttention is not provided"):
        stax.GlobalSelfAttention  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'Foo'"):
        stax.Foo  # noqa: B018
    with pytest.raises(ValueError, match="the network ends in several branches"):
        stax.serial(stax.FanOut(2))[2](X)
    with pytest.raises(ValueError, match="parallel has 3 branches, and its input has 2"):
        stax.serial(stax.FanOut(2), stax.parallel(*[stax.Dense(1)] * 3), stax.FanInSum())[2](X)
    with pytest.raises(ValueError, match="FanInSum has one input"):
        stax.serial(stax.Dense(1), stax.FanInSum())[2](X)
