"""Numbers are numbers, whatever holds them: arrays without dimensions, other libraries."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import ntkfast as nk

X = np.array([[1.0, 0.5], [-0.3, 2.0], [0.1, -1.0]])
Y = np.array([0.0, 1.0, -1.0])
NET = nk.mlp(1, b_std=0.5)
THETA = NET.ntk(X)


class Foreign:
    """An array of another library: a shape and `__array__`, no `item`."""

    def __init__(self, value: Any) -> None:
        self._value = np.asarray(value)
        self.shape = list(self._value.shape)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self._value, dtype)


class Tracer:
    """A number that is not known yet, as in a compiled function of JAX."""

    shape = ()

    def item(self) -> float:
        raise TypeError("the value is abstract")


HOLDERS = [np.array, Foreign, lambda value: np.array(value, dtype=object)]

# Each takes a number and gives something to compare.
REALS: dict[str, Callable[[Any], Any]] = {
    "w_std": lambda v: nk.Dense(w_std=v),
    "b_std": lambda v: nk.Conv((3, 3), b_std=v),
    "mlp": lambda v: nk.mlp(1, w_std=v, b_std=v),
    "cntk": lambda v: nk.cntk(1, w_std=v),
    "LeakyRelu": nk.LeakyRelu,
    "Elu": nk.Elu,
    "Rbf": nk.Rbf,
    "Polynomial": lambda v: nk.Polynomial((v, 1.0)),
    "kinks": lambda v: nk.Elementwise(np.abs, kinks=(v,)),
    "eps": nk.LayerNorm,
    "keep": lambda v: nk.Dropout(keep=v),
    "summary": lambda v: NET.summary(norm=v),
    "flow": lambda v: nk.GradientFlow(THETA, Y, diag_reg=v, learning_rate=v).loss(t=1.0),
    "momentum": lambda v: nk.GradientDescent(THETA, Y, learning_rate=0.1, momentum=v).loss(t=3),
    "diag_reg": lambda v: nk.KernelRegression(THETA, Y, diag_reg=v).predict_train(),
    "time": lambda v: nk.GradientFlow(THETA, Y).loss(t=v),
    "noise": lambda v: nk.Ensemble(NET, X, Y).predict(noise_variance=v, covariance="full").std,
    "classic": lambda v: nk.classic.squared_exponential_kernel(X, length_scale=v),
    "theory": lambda v: nk.theory.mean_field(nk.Erf(), w_std=v, b_std=v).variance,
    "problem": lambda v: nk.data.sine(3, noise_std=v, seed=0)[1],
    "kernel": lambda v: nk.sklearn.NTKKernel(w_std=v, amplitude=v)(X),
}
COUNTS: dict[str, Callable[[Any], Any]] = {
    "width": nk.Dense,
    "filter": lambda v: nk.Conv((v, 3), strides=(v, 1)),
    "depth": nk.mlp,
    "cntk": nk.cntk,
    "Monomial": nk.Monomial,
    "n_features": lambda v: NET.summary(n_features=v),
    "init": lambda v: nk.finite.init(NET, v, v, width=v).parameters,
    "input_shape": lambda v: nk.finite.init(NET, (v,), 0, width=v, output_dim=v).parameters,
    "seed": lambda v: nk.data.random_labels(Y, 0.5, v),
    "samples": lambda v: nk.finite.monte_carlo_kernels(NET, X, n_samples=v, seed=v, width=v).ntk,
    "classic": lambda v: nk.classic.polynomial_kernel(X, degree=v),
    "problem": nk.data.circle,
    "digits": lambda v: nk.data.two_digits(v, 7, n=v)[0],
}


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("call", REALS.values(), ids=REALS)
def test_arrays_without_dimensions_are_numbers(call: Any, holder: Any) -> None:
    assert same(call(holder(0.75)), call(0.75))


@pytest.mark.parametrize("value", [Decimal("0.75"), Fraction(3, 4), np.float32(0.75)])
@pytest.mark.parametrize("name", ["w_std", "LeakyRelu", "eps", "flow"])
def test_numbers_of_other_types(name: str, value: Any) -> None:
    assert same(REALS[name](value), REALS[name](0.75))


@pytest.mark.parametrize("holder", [*HOLDERS, np.int64])
@pytest.mark.parametrize("call", COUNTS.values(), ids=COUNTS)
def test_integer_arrays_without_dimensions_are_counts(call: Any, holder: Any) -> None:
    assert same(call(holder(3)), call(3))


def test_what_is_kept_are_plain_numbers() -> None:
    layer = nk.Dense(np.array(3), w_std=Foreign(1.5), trainable=np.array(False))
    assert layer == nk.Dense(3, w_std=1.5, trainable=False)
    assert hash(layer) == hash(nk.Dense(3, w_std=1.5, trainable=False))
    assert repr(layer) == "Dense(width=3, w_std=1.5, trainable=False)"
    assert nk.Network.from_dict(layer.to_dict()) == layer


REFUSED = [
    *(np.array([1.4]), np.array(True), np.array("1.4"), np.array(1 + 0j), np.array(None)),
    *(
        "1.4",
        b"1.4",
        True,
        None,
        1j,
        [1.4],
        Foreign([1.4]),
        Foreign(True),
        Tracer(),
        np.bool_(True),
    ),
    *(np.array(0, "datetime64[s]"), np.complex128(1), np.str_("1.4"), np.ma.masked),
]


@pytest.mark.parametrize("value", REFUSED, ids=range(len(REFUSED)))
def test_everything_else_is_no_number(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^Dense: w_std is .*; expected a finite number >= 0"):
        nk.Dense(w_std=value)
    if value is not None:
        with pytest.raises(TypeError, match=r"^Dense: width is .*; expected an integer >= 1"):
            nk.Dense(value)
    with pytest.raises(TypeError, match=r"^seed is "):
        nk.data.random_labels(Y, 0.5, value)


@pytest.mark.parametrize("value", [np.array(1.0), np.float64(1), Decimal(1), np.array([1])])
def test_numbers_that_are_no_integers_are_no_counts(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^mlp: depth is .*; expected an integer >= 0"):
        nk.mlp(value)


def test_their_ranges_are_those_of_numbers() -> None:
    with pytest.raises(ValueError, match=r"^Dense: w_std is -1\.0; expected"):
        nk.Dense(w_std=np.array(-1.0))
    with pytest.raises(ValueError, match=r"^Dense: w_std is nan; expected"):
        nk.Dense(w_std=Foreign(np.nan))
    with pytest.raises(ValueError, match=r"^mlp: depth is -1; expected"):
        nk.mlp(np.array(-1))


@pytest.mark.parametrize("holder", [np.array, np.int32])
@pytest.mark.usefixtures("threads")
def test_numbers_of_threads(holder: Any) -> None:
    nk.set_num_threads(holder(3))
    assert nk.num_threads() == 3
    for wrong in (np.array(2.0), np.array([2]), np.array(True), np.bool_(True)):
        with pytest.raises(TypeError, match=r"^n is .*; expected an integer"):
            nk.set_num_threads(wrong)
    with pytest.raises(ValueError, match=r"^n, .*not 0"):
        nk.set_num_threads(np.array(0))
