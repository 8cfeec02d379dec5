"""Dense, LayerNorm and Dropout."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ntkfast._scalars import as_choice, as_flag, as_real, as_size
from ntkfast.networks.base import Network

__all__ = ["Dense", "Dropout", "LayerNorm", "Weighted"]


class Weighted(Network):
    """Base class of layers with weights and biases: their parameters, and which are trained."""

    width: int | None
    w_std: float
    b_std: float | None
    parameterization: str
    trainable: bool

    def _check_weights(self) -> None:
        name = type(self).__name__
        if self.width is not None:
            object.__setattr__(self, "width", as_size(self.width, f"{name}: width", least=1))
        object.__setattr__(self, "w_std", as_real(self.w_std, f"{name}: w_std", least=0.0))
        if self.b_std is not None:
            object.__setattr__(self, "b_std", as_real(self.b_std, f"{name}: b_std", least=0.0))
        as_choice(self.parameterization, f"{name}: parameterization", ("ntk", "standard"))
        object.__setattr__(self, "trainable", as_flag(self.trainable, f"{name}: trainable"))


@dataclass(frozen=True, repr=False)
class Dense(Weighted):
    """A fully connected layer, with weights of standard deviation w_std/√fan_in.

    On images and sequences it acts on the channels of each position, like a `Conv` of filter 1.

    K ← w_std²·K + b_std². The update of T depends on the parameterization:

    * ``"ntk"``: z = (w_std/√fan_in)·W h + b_std·b with W, b ~ N(0, 1), and T ← K + w_std²·T;
    * ``"standard"``: z = W h + b with W ~ N(0, w_std²/fan_in), b ~ N(0, b_std²), and
      T ← fan_in·K_before + w_std²·T, plus 1 for a bias. fan_in is the number of features in the
      first layer, the width of the previous Dense in other layers, and the sum of widths after a
      `Concatenate`;
    * frozen, in either parameterization: T ← w_std²·T.

    Parameters
    ----------
    width
        Number of outputs, at most 10¹². It affects the next Dense in the standard
        parameterization, a `Concatenate`, and finite networks. Other kernels do not depend on it.
    w_std
        Standard deviation σ_w of the weights, ≥ 0.
    b_std
        Standard deviation σ_b of the biases, ≥ 0; None for a layer without bias. A bias with
        b_std=0 has no effect in the NTK parameterization, but is trained in the standard one.
    parameterization
        ``"ntk"`` or ``"standard"``.
    trainable
        False for a layer that keeps its initial weights and biases. If only the readout is
        trainable, in the NTK parameterization, the NTK equals the NNGP kernel.

    Raises
    ------
    TypeError
        A width that is not an integer, a standard deviation that is not a real number, a
        parameterization that is not a string, or a ``trainable`` that is not a boolean.
    ValueError
        A width below 1, a standard deviation that is negative, NaN or infinite, or an unknown
        parameterization.

    Notes
    -----
    Rows of zeros have no sign. If such a row has a non-zero NTK (after a bias that starts at zero,
    in the standard parameterization), kernels after a kink at 0 are the limit of a small bias.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), arXiv:1806.07572, section 2: their β is b_std with w_std = 1.
    """

    _kind: ClassVar[str] = "Dense"
    width: int | None = None
    _: KW_ONLY
    w_std: float = 1.0
    b_std: float | None = None
    parameterization: str = "ntk"
    trainable: bool = True

    def __post_init__(self) -> None:
        self._check_weights()


@dataclass(frozen=True, repr=False)
class LayerNorm(Network):
    """Layer normalisation: subtracts the mean of a sample's neurons and divides by their std.

    (h − mean)/√(variance + eps), over the neurons of a layer. Kernels: K and T are divided by
    √((p + eps)(q + eps)), with p and q the variances K of the two rows. A row of zeros stays zero.

    Parameters
    ----------
    eps
        Number added to the variance, ≥ 0.

    Raises
    ------
    TypeError
        ``eps`` is not a real number.
    ValueError
        ``eps`` is negative, NaN or infinite.

    Notes
    -----
    Its input must be Gaussian with mean zero, as after a Dense. Its output is Gaussian with mean
    zero too. It has no trainable scale and shift.

    References
    ----------
    Ba, Kiros, Hinton (2016), arXiv:1607.06450.
    """

    _kind: ClassVar[str] = "LayerNorm"
    eps: float = 1e-12

    def __post_init__(self) -> None:
        object.__setattr__(self, "eps", as_real(self.eps, "LayerNorm: eps", least=0.0))


@dataclass(frozen=True, repr=False)
class Dropout(Network):
    """Dropout: keeps each neuron with probability `keep` and divides it by `keep`, or sets it to 0.

    The kernels are those during training: every sample of a call drops its own neurons. K and T of
    a sample with itself are divided by `keep`. K and T of two samples do not change.

    Parameters
    ----------
    keep
        The probability, in (0, 1].

    Raises
    ------
    TypeError
        ``keep`` is not a real number.
    ValueError
        ``keep`` is not in (0, 1].

    Notes
    -----
    A sample is paired with itself on the diagonal of ``net.ntk(x)``, which is also that of
    ``net.ntk(x, x)`` for one array ``x``, and with ``diagonal=True``. Equal rows are two samples,
    and so are all pairs of rows of ``net.ntk(x, x2)`` for another array. Test points are other
    samples than training points, even if they are equal. On the input itself, the kernels assume
    many features.

    References
    ----------
    Srivastava et al. (2014), Journal of Machine Learning Research 15, 1929-1958.
    """

    _kind: ClassVar[str] = "Dropout"
    _: KW_ONLY
    keep: float

    def __post_init__(self) -> None:
        keep = as_real(self.keep, "Dropout: keep", least=0.0, above=True)
        if keep > 1.0:
            raise ValueError(f"Dropout: keep is {keep!r}; expected a probability, 0 < keep <= 1")
        object.__setattr__(self, "keep", keep)
