"""Activations without a closed form: any function of NumPy arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._display import Fact
from ntkfast._importable import shown
from ntkfast._scalars import as_real
from ntkfast.networks.activations import Array
from ntkfast.networks.base import Network

__all__ = [
    "Elementwise",
    "Elu",
    "Hardtanh",
    "Numerical",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Swish",
    "Tanh",
]

_SCALE, _ALPHA = 1.0507009873554805, 1.6732632423543772  # of Selu
Function: TypeAlias = Callable[[Array], npt.NDArray[Any]]


@dataclass(frozen=True, repr=False)
class Numerical(Network):
    """An elementwise activation that the core knows only by its values.

    Its input must be Gaussian, so a Dense must follow the previous activation. See `Elementwise`
    for the method, the precision, and what is refused.
    """

    _kind: ClassVar[str] = "Elementwise"

    @abstractmethod
    def _evaluate(self, x: Array) -> Array:
        """Return the function's values, element by element."""

    @abstractmethod
    def _derivative(self, x: Array) -> Array:
        """Return the derivative for finite networks; at a kink, from either side."""

    @property
    def _name(self) -> str:
        """The name in messages."""
        return type(self).__name__

    @property
    def _kinks(self) -> tuple[float, ...]:
        """Points at which the derivative is known to jump."""
        return ()

    def _core_fields(self) -> dict[str, Any]:
        # Of a copy, as the layer keeps them.
        return {"fn": _Values(replace(self)), "name": self._name, "kinks": self._kinks}


@dataclass(frozen=True)
class _Values:
    """The values of a function; equal to the values of an equal network."""

    network: Numerical

    def __call__(self, inputs: Array) -> Array:
        return self.network._evaluate(inputs)


@dataclass(frozen=True, repr=False)
class Elementwise(Numerical):
    """Any function of one real variable, applied to every neuron.

    The kernels are computed from the values of `fn` alone. About a dozen calls of `fn` on long
    arrays (about ten thousand numbers, for any number of rows) determine polynomials that replace
    the function. For the standard deviations of the rows of a call, the kernels are again fitted by
    polynomials, once per network and range of standard deviations. If `fn` is analytic on either
    side of 0, errors are below 1e-10·√(K_ii K_jj) (1e-5 for float32). If the estimated error of the
    polynomials is above 1e-9 (1e-5), the kernels are integrated instead: so are steps, kinks away
    from 0 with rows of different norms, and narrow features. This costs microseconds a pair.

    Parameters
    ----------
    fn
        Takes a float64 array of shape (n,) and returns an array of n real numbers. Networks
        compare, hash and pickle by `fn`. They print its full name, such as ``numpy.tanh``, which is
        valid code if its module is imported. A function without such a name is printed in angle
        brackets.
    derivative
        The derivative of `fn`, in the same form, for finite networks. Without it they use central
        differences of `fn`, correct to about ten digits if `fn` is smooth. Kernels do not need it:
        the kernel of the derivative is the derivative of the kernel.
    kinks
        The points at which the derivative jumps, if known. Kernels detect kinks without this
        argument, and a kink at 0 need not be given. Features narrower than 1/1,000 of their
        distance to 0 are found only at such points. Finite networks use them for activation
        patterns.

    Raises
    ------
    TypeError
        ``fn`` or ``derivative`` is not callable, or ``kinks`` are not real numbers.
    ValueError
        ``kinks`` are NaN or infinite.
    NumericalError
        By calls: the function varies too fast for the standard deviations of the points, as more
        than about 30 waves in one of them, or its values have noise, or E[φ'²] is infinite, and
        with it the NTK.

    References
    ----------
    Mehler (1866), for the expansion in Hermite polynomials; O'Donnell (2014), "Analysis of Boolean
    Functions", chapter 11.

    Examples
    --------
    >>> import numpy as np
    >>> Serial(Dense(w_std=1.5), Elementwise(np.arctan)).nngp([[1.0]]).shape
    (1, 1)
    """

    _holds_functions: ClassVar[bool] = True

    fn: Function
    derivative: Function | None = None
    kinks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise TypeError(f"Elementwise: fn is {self.fn!r}; expected a function of a NumPy array")
        if self.derivative is not None and not callable(self.derivative):
            raise TypeError(
                f"Elementwise: derivative is {self.derivative!r}; "
                "expected a function of a NumPy array, or None"
            )
        if not isinstance(self.kinks, (tuple, list)):
            raise TypeError(f"Elementwise: kinks is {self.kinks!r}; expected a tuple of numbers")
        kinks = tuple(as_real(kink, "Elementwise: kinks") for kink in self.kinks)
        object.__setattr__(self, "kinks", kinks)

    def _evaluate(self, x: Array) -> Array:
        return self._checked(self.fn, x)

    def _derivative(self, x: Array) -> Array:
        if self.derivative is not None:
            return self._checked(self.derivative, x)
        # The truncation error grows as h², the rounding error as ε/h. They balance at h ≈ ∛ε.
        step = np.cbrt(np.finfo(np.float64).eps) * np.maximum(1.0, np.abs(x))
        above, below = x + step, x - step
        slope: Array = (self._evaluate(above) - self._evaluate(below)) / (above - below)
        return slope

    def _checked(self, function: Function, inputs: Array) -> Array:
        """Call the user's function on a copy of the inputs and return its values as float64."""
        # The function is evaluated far out in the tails, on any thread. Non-finite values are
        # rejected below, but an expression such as 1/(1 + exp(-x)) may overflow on the way.
        with np.errstate(all="ignore"):
            values = np.asarray(function(inputs.copy()))
        name = self._name if function is self.fn else f"the derivative of {self._name}"
        if values.shape != inputs.shape:
            raise ValueError(
                f"{name} returned an array of shape {values.shape} for an input of shape "
                f"{inputs.shape}; expected a function that acts element by element, "
                "such as np.tanh"
            )
        if values.dtype.kind not in "biuf":
            raise TypeError(f"{name} returned an array of {values.dtype}; expected real numbers")
        return values.astype(np.float64)

    def _facts(self) -> Iterator[Fact]:
        yield "", shown(self.fn)
        if self.derivative is not None:
            yield "derivative=", shown(self.derivative)
        if self.kinks:
            yield "kinks=", self.kinks

    @property
    def _name(self) -> str:
        return f"Elementwise({getattr(self.fn, '__name__', type(self.fn).__name__)})"

    @property
    def _kinks(self) -> tuple[float, ...]:
        return self.kinks


@dataclass(frozen=True, repr=False)
class Tanh(Numerical):
    """tanh(x), computed numerically as in `Elementwise`."""

    def _evaluate(self, x: Array) -> Array:
        return np.tanh(x)

    def _derivative(self, x: Array) -> Array:
        return 1.0 - np.tanh(x) ** 2


@dataclass(frozen=True, repr=False)
class Sigmoid(Numerical):
    """1/(1 + e^{−x}), computed numerically as in `Elementwise`; `SigmoidLike` has a closed form."""

    def _evaluate(self, x: Array) -> Array:
        return _sigmoid(x)

    def _derivative(self, x: Array) -> Array:
        return _sigmoid(x) * _sigmoid(-x)


@dataclass(frozen=True, repr=False)
class Softplus(Numerical):
    """log(1 + eˣ), computed numerically as in `Elementwise`."""

    def _evaluate(self, x: Array) -> Array:
        return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))

    def _derivative(self, x: Array) -> Array:
        return _sigmoid(x)


@dataclass(frozen=True, repr=False)
class Swish(Numerical):
    """x/(1 + e^{−x}), also called SiLU, computed numerically as in `Elementwise`.

    References
    ----------
    Ramachandran, Zoph, Le (2017), arXiv:1710.05941.
    """

    def _evaluate(self, x: Array) -> Array:
        return x * _sigmoid(x)

    def _derivative(self, x: Array) -> Array:
        return _sigmoid(x) * (1.0 + x * _sigmoid(-x))


@dataclass(frozen=True, repr=False)
class Elu(Numerical):
    """x for x ≥ 0 and alpha·(eˣ − 1) below, computed numerically as in `Elementwise`.

    Parameters
    ----------
    alpha
        The negative of the limit at −∞; a finite number.

    References
    ----------
    Clevert, Unterthiner, Hochreiter (2016), arXiv:1511.07289.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", as_real(self.alpha, "Elu: alpha"))

    def _evaluate(self, x: Array) -> Array:
        return np.where(x < 0, self.alpha * np.expm1(np.minimum(x, 0.0)), x)

    def _derivative(self, x: Array) -> Array:
        return np.where(x < 0, self.alpha * np.exp(np.minimum(x, 0.0)), 1.0)

    @property
    def _kinks(self) -> tuple[float, ...]:
        return (0.0,) if self.alpha != 1.0 else ()


@dataclass(frozen=True, repr=False)
class Selu(Numerical):
    """λ·x for x ≥ 0 and λα·(eˣ − 1) below, computed numerically as in `Elementwise`.

    With λ = 1.0507… and α = 1.6732…, unit variance is a fixed point.

    References
    ----------
    Klambauer et al. (2017), arXiv:1706.02515.
    """

    def _evaluate(self, x: Array) -> Array:
        return _SCALE * np.where(x < 0, _ALPHA * np.expm1(np.minimum(x, 0.0)), x)

    def _derivative(self, x: Array) -> Array:
        return _SCALE * np.where(x < 0, _ALPHA * np.exp(np.minimum(x, 0.0)), 1.0)

    @property
    def _kinks(self) -> tuple[float, ...]:
        return (0.0,)


@dataclass(frozen=True, repr=False)
class Hardtanh(Numerical):
    """x clipped to [−1, 1], computed numerically as in `Elementwise`.

    Its kinks are away from 0: it is integrated rather than fitted, at a higher price a pair.
    """

    def _evaluate(self, x: Array) -> Array:
        return np.clip(x, -1.0, 1.0)

    def _derivative(self, x: Array) -> Array:
        return np.where(np.abs(x) < 1.0, 1.0, 0.0)

    @property
    def _kinks(self) -> tuple[float, ...]:
        return (-1.0, 1.0)


def _sigmoid(x: Array) -> Array:
    """Return the logistic function without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1.0) / (1.0 + small)
