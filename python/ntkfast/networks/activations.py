"""Nonlinearities.

A new one is one small class, here or in the module of its family (`exponentials`): its kind in the
core, its parameters as fields.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from ntkfast._scalars import as_real
from ntkfast.networks.base import Network, Spec

__all__ = [
    "ABRelu",
    "Abs",
    "Activation",
    "Cos",
    "Erf",
    "Gelu",
    "Identity",
    "LeakyRelu",
    "Relu",
    "SigmoidLike",
    "Sign",
    "Sin",
]


@dataclass(frozen=True, repr=False)
class Activation(Network):
    """A function applied to every neuron, whose fields are all finite numbers.

    It needs a Gaussian input: a Dense since the last activation. Fields that are not numbers are
    refused with TypeError, NaN and infinities with ValueError.
    """

    _kind: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):
            name = f"{type(self).__name__}: {field.name}"
            object.__setattr__(self, field.name, as_real(getattr(self, field.name), name))

    def _parameters(self) -> tuple[float, ...]:
        """Return the numbers that the kind takes; the fields, unless a class says otherwise."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def _spec(self) -> Spec:
        return self._kind, self._parameters(), ()


@dataclass(frozen=True, repr=False)
class Identity(Activation):
    """x, for linear networks; unlike the other activations it accepts any input."""

    _kind: ClassVar[str] = "identity"


@dataclass(frozen=True, repr=False)
class ABRelu(Activation):
    """a·min(x, 0) + b·max(x, 0).

    References
    ----------
    Cho, Saul (2009), "Kernel Methods for Deep Learning", section 2: arc-cosine kernels.
    """

    _kind: ClassVar[str] = "abrelu"
    a: float
    b: float


@dataclass(frozen=True, repr=False)
class Relu(Activation):
    """max(x, 0)."""

    _kind: ClassVar[str] = "abrelu"

    def _parameters(self) -> tuple[float, ...]:
        return 0.0, 1.0


@dataclass(frozen=True, repr=False)
class LeakyRelu(Activation):
    """alpha·min(x, 0) + max(x, 0)."""

    _kind: ClassVar[str] = "abrelu"
    alpha: float = 0.01

    def _parameters(self) -> tuple[float, ...]:
        return self.alpha, 1.0


@dataclass(frozen=True, repr=False)
class Abs(Activation):
    """|x|."""

    _kind: ClassVar[str] = "abrelu"

    def _parameters(self) -> tuple[float, ...]:
        return -1.0, 1.0


@dataclass(frozen=True, repr=False)
class Sign(Activation):
    """The sign of x: -1, 0 or 1.

    Its derivative is 0 almost everywhere, so that of the NTK only what later layers train is left.

    References
    ----------
    Cho, Saul (2009), "Kernel Methods for Deep Learning", section 2: the arc-cosine kernel of
    degree 0, of the step function.
    """

    _kind: ClassVar[str] = "sign"


@dataclass(frozen=True, repr=False)
class Erf(Activation):
    """a·erf(b·x) + c.

    References
    ----------
    Williams (1997), "Computing with Infinite Networks", section 3.1.
    """

    _kind: ClassVar[str] = "erf"
    a: float = 1.0
    b: float = 1.0
    c: float = 0.0


@dataclass(frozen=True, repr=False)
class SigmoidLike(Activation):
    """½·erf(x/2.4020563531719796) + ½, which is near the logistic function 1/(1 + e^(−x)).

    It is Erf(0.5, 1/2.4020563531719796, 0.5), and has its closed form.
    """

    _kind: ClassVar[str] = "erf"

    def _parameters(self) -> tuple[float, ...]:
        return 0.5, 1.0 / 2.4020563531719796, 0.5


@dataclass(frozen=True, repr=False)
class Gelu(Activation):
    """x·Φ(x), with Φ the normal distribution function itself, not an approximation by tanh.

    References
    ----------
    Hendrycks, Gimpel (2016), "Gaussian Error Linear Units".
    Tsuchida, Pearce, van der Heide, Roosta, Gallagher (2021), "Avoiding Kernel Fixed Points:
    Computing with ELU and GELU Infinite Networks": the kernel.
    """

    _kind: ClassVar[str] = "gelu"


@dataclass(frozen=True, repr=False)
class Sin(Activation):
    """a·sin(b·x + c).

    References
    ----------
    Rahimi, Recht (2007), "Random Features for Large-Scale Kernel Machines", section 3: the mean
    over c, a Gaussian kernel; for one c there is a second term.
    """

    _kind: ClassVar[str] = "sin"
    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def _parameters(self) -> tuple[float, ...]:
        return self.a, self.b, self.c, 0.0


@dataclass(frozen=True, repr=False)
class Cos(Activation):
    """a·cos(b·x + c); see Sin."""

    _kind: ClassVar[str] = "sin"
    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def _parameters(self) -> tuple[float, ...]:
        return self.a, self.b, self.c, 1.0  # a quarter turn ahead
