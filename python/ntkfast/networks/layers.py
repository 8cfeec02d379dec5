"""Layers with weights."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ntkfast._scalars import as_count, as_real
from ntkfast.networks.base import Network, Spec

__all__ = ["Dense"]


@dataclass(frozen=True, repr=False)
class Dense(Network):
    """A fully connected layer, z = (w_std/√fan_in)·W h + b_std·b with W, b ~ N(0, 1).

    Kernels: K ← w_std²·K + b_std², then T ← K + w_std²·T.

    Parameters
    ----------
    width
        Number of outputs of a finite network of this shape; no kernel of this layer depends on it.
    w_std
        Standard deviation σ_w of the weights, ≥ 0.
    b_std
        Standard deviation σ_b of the biases, ≥ 0; None for a layer without bias.

    Raises
    ------
    TypeError
        A width that is not an integer, a standard deviation that is not a real number.
    ValueError
        A width below 1; a standard deviation that is negative, NaN or infinite.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), arXiv:1806.07572, section 2: their β is b_std with w_std = 1.
    """

    width: int | None = None
    _: KW_ONLY
    w_std: float = 1.0
    b_std: float | None = None

    def __post_init__(self) -> None:
        if self.width is not None:
            object.__setattr__(self, "width", as_count(self.width, "Dense: width", least=1))
        object.__setattr__(self, "w_std", as_real(self.w_std, "Dense: w_std", least=0.0))
        if self.b_std is not None:
            object.__setattr__(self, "b_std", as_real(self.b_std, "Dense: b_std", least=0.0))

    def _spec(self) -> Spec:
        return "dense", (self.w_std, self.b_std), ()
