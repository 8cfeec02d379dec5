"""Power laws in the width, which describe how errors vanish as networks grow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import as_floats, check_finite
from ntkfast._display import Displayed, Fact
from ntkfast._ntkfast import NumericalError

__all__ = ["Scaling"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Scaling(Displayed):
    """A quantity measured repeatedly at several widths, and the power law that fits it.

    The law is value ≈ prefactor·width^slope, a least-squares fit of the logarithms over all
    measurements with equal weights.

    Attributes
    ----------
    widths
        Shape (w,), with at least two different widths.
    values
        Shape (w, s), ≥ 0: s measurements at each width. If one is 0 no power law fits, and the
        slope raises NumericalError.
    name
        The measured quantity.
    """

    widths: npt.NDArray[np.int64]
    values: Array
    name: str

    def __post_init__(self) -> None:
        values = as_floats(self.values, "values").astype(np.float64)
        widths = np.asarray(self.widths, dtype=np.int64)
        if values.ndim != 2 or len(values) != len(widths) or 0 in values.shape:
            raise ValueError(
                f"values has shape {values.shape}; expected ({len(widths)}, s) with s >= 1, one "
                "row per width"
            )
        check_finite(values, "values")
        if np.unique(widths).size < 2:
            raise ValueError(f"widths is {widths.tolist()}; expected at least two different widths")
        if (values < 0).any():
            raise ValueError(f"values has {values.min():g}; expected >= 0")
        vars(self).update(widths=widths, values=values)

    @property
    def typical(self) -> Array:
        """Shape (w,): geometric means of the measurements."""
        with np.errstate(divide="ignore"):
            means: Array = np.exp(np.log(self.values).mean(axis=1))
        return means

    @property
    def slope(self) -> float:
        """The power of the width."""
        return self._fit[0]

    @property
    def slope_error(self) -> float:
        """Standard error of the slope; infinite if only two measurements determine it."""
        return self._fit[2]

    @property
    def prefactor(self) -> float:
        """The value of the law at width 1."""
        return math.exp(self._fit[1])

    def law(self, width: npt.ArrayLike) -> Array:
        """Compute prefactor·width^slope, in the shape of ``width``."""
        powers: Array = self.prefactor * np.asarray(width, dtype=np.float64) ** self.slope
        return powers

    @cached_property
    def _fit(self) -> tuple[float, float, float]:
        """Slope and intercept of the logarithms, and the standard error of the slope."""
        if (self.values == 0).any():
            width = self.widths[int(np.argmin(self.values.min(axis=1)))]
            raise NumericalError(
                f"{self.name} is 0 at width {width}, so no power law fits; use values instead"
            )
        x = np.repeat(np.log(self.widths.astype(np.float64)), self.values.shape[1])
        y = np.log(self.values).ravel()
        centred = x - x.mean()
        spread = float(centred @ centred)
        slope = float(centred @ y) / spread
        intercept = float(y.mean() - slope * x.mean())
        left = y - intercept - slope * x
        if x.size == 2:
            return slope, intercept, math.inf
        return slope, intercept, math.sqrt(float(left @ left) / (x.size - 2) / spread)

    def _facts(self) -> Iterator[Fact]:
        first, last = (f"{self.typical[i]:.3g} at width {self.widths[i]}" for i in (0, -1))
        yield f"{self.name}:", f"{first} to {last}"
        seeds = self.values.shape[1]
        yield "", f"{seeds} {'seed' if seeds == 1 else 'seeds'}"
        if self.values.all():
            yield "slope", f"{self.slope:.3f} ± {self.slope_error:.2g}"
        else:
            yield "", "zero values, no slope"
