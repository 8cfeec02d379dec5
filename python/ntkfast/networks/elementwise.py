"""Nonlinearities without a closed form: any function of NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._scalars import as_real
from ntkfast.networks.base import Network, Spec

__all__ = ["Elementwise", "Tanh"]

Function: TypeAlias = Callable[[npt.NDArray[np.float64]], npt.NDArray[Any]]


def _numerical(function: Function, name: str, kinks: tuple[float, ...] = ()) -> Spec:
    """Return the core's description of a function known by its values."""
    return "elementwise", (_Values(function, name), name, kinks), ()


@dataclass(frozen=True)
class _Values:
    """A function whose values are checked; equal to another one of the same function."""

    function: Function
    name: str

    def __call__(self, inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        values = np.asarray(self.function(inputs))
        if values.shape != inputs.shape:
            raise ValueError(
                f"{self.name} returned an array of shape {values.shape} for one of shape "
                f"{inputs.shape}; expected a function that works element by element, "
                "such as np.tanh"
            )
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"{self.name} returned an array of {values.dtype}; expected real numbers"
            )
        return values.astype(np.float64)


@dataclass(frozen=True, repr=False)
class Elementwise(Network):
    """Any function of one real variable, applied to every neuron.

    Its kernels are computed from its values alone: some dozen calls of `fn` on long arrays (some
    ten thousand numbers, however many rows there are) find polynomials that the core computes with
    from then on. For the scales that the rows of a call have, their kernels are fitted by
    polynomials again, once a network and range of scales. Where `fn` is analytic on either side of
    0, errors are below 1e-10·√(K_ii K_jj) (1e-5 for float32); a call whose estimate is above 1e-9
    warns, naming the function and the estimate. Steps, waves much faster than the scales, and kinks
    away from 0 where rows differ in their norms are among what it warns about.

    Parameters
    ----------
    fn
        Takes a float64 array of shape (n,) and returns as many real numbers. Networks compare, hash
        and pickle as `fn` does.
    derivative
        Its derivative, of the same form, for finite networks. Kernels do not need it: that of the
        derivative is the derivative of the kernel.
    kinks
        Where the derivative jumps, as far as is known. Kinks are also found without it, and one at
        0 needs no mention.

    Raises
    ------
    TypeError
        ``fn`` or ``derivative`` is not callable; ``kinks`` are not real numbers.
    ValueError
        NaN or infinite ``kinks``.

    Examples
    --------
    >>> import numpy as np
    >>> Serial(Dense(w_std=1.5), Elementwise(np.arctan)).nngp([[1.0]]).shape
    (1, 1)
    """

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

    def _spec(self) -> Spec:
        name = getattr(self.fn, "__name__", type(self.fn).__name__)
        return _numerical(self.fn, f"Elementwise({name})", self.kinks)


@dataclass(frozen=True, repr=False)
class Tanh(Network):
    """tanh(x), by the numerical path of `Elementwise`."""

    def _spec(self) -> Spec:
        return _numerical(np.tanh, "Tanh")
