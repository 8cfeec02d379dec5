"""Layers for images and sequences: convolutions, pooling and flattening."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar

from ntkfast._scalars import as_choice, as_count
from ntkfast.networks.base import Network
from ntkfast.networks.layers import Weighted

__all__ = ["AvgPool", "Conv", "Flatten", "GlobalAvgPool", "GlobalSumPool", "Spatial", "SumPool"]

_PADDINGS = ("SAME", "VALID", "CIRCULAR")
_LARGEST = 1000


class Spatial(Network):
    """A layer for images or sequences, whose neurons have positions."""

    @cached_property
    def _spatial(self) -> bool:
        return True


class _Window(Spatial):
    """A layer in which each output depends on a window of positions.

    The window has one size per spatial dimension, and the strides have the same number of entries.
    The default strides are `_default_strides`.
    """

    strides: tuple[int, ...] | None
    padding: str

    @property
    @abstractmethod
    def _size(self) -> tuple[int, ...]:
        """Height and width of the window, or its length."""

    @property
    def _default_strides(self) -> tuple[int, ...]:
        return self._size

    @cached_property
    def _rank(self) -> int:
        return len(self._size)

    def _check_window(self, field: str) -> None:
        name = type(self).__name__
        size = _as_sizes(self._size, f"{name}: {field}")
        object.__setattr__(self, field, size)
        strides = self._default_strides
        if self.strides is not None:
            strides = _as_sizes(self.strides, f"{name}: strides")
        if len(strides) != len(size):
            raise ValueError(
                f"{name}: strides is {strides} and {field} is {size}; "
                "expected one number for each spatial dimension in both"
            )
        object.__setattr__(self, "strides", strides)
        as_choice(self.padding, f"{name}: padding", _PADDINGS)

    def _given(self) -> dict[str, Any]:
        given = super()._given()
        if self.strides == self._default_strides:
            del given["strides"]
        return given


def _as_sizes(value: object, name: str) -> tuple[int, ...]:
    """Return a tuple with one positive integer for each spatial dimension."""
    expected = "expected a tuple of one integer >= 1 for each spatial dimension"
    examples = "(3, 3) for images, (3,) for sequences"
    if not isinstance(value, (tuple, list)):
        raise TypeError(
            f"{name} is {value!r}, of type {type(value).__name__}; {expected}, such as {examples}"
        )
    if len(value) not in (1, 2):
        raise ValueError(f"{name} has {len(value)} numbers; {expected}, such as {examples}")
    sizes = tuple(as_count(size, f"{name}[{i}]", least=1) for i, size in enumerate(value))
    if max(sizes) > _LARGEST:
        raise ValueError(f"{name} is {sizes}; expected at most {_LARGEST:,}")
    return sizes


@dataclass(frozen=True, repr=False)
class Conv(_Window, Weighted):
    """A convolution: applies a `Dense` layer to the window of positions around each position.

    K[p, p'] ← w_std²·(mean of K[p + f, p' + f] over the positions f of the filter) + b_std². The
    update of the tangent kernel T is that of a `Dense`, with the same mean.

    Parameters
    ----------
    filter
        Height and width of the window, ``(3, 3)``, for images; its length, ``(3,)``, for sequences.
    width
        Number of channels. It affects the next layer in the standard parameterization, a
        `Concatenate`, and finite networks.
    strides
        Distances between windows, one per spatial dimension. The default is 1.
    padding
        Values beyond the edge of the image. ``"SAME"``: zeros, ⌈size/stride⌉ outputs, and the
        smaller half of the zeros before the image. ``"VALID"``: windows stay inside the image, and
        the filter must fit into it. ``"CIRCULAR"``: the opposite edge of the image, with windows
        placed as in ``"SAME"``.
    w_std, b_std, parameterization, trainable
        As for `Dense`, where fan_in is the size of the filter times the number of channels.

    Raises
    ------
    TypeError, ValueError
        A filter or strides that are not a tuple of one or two integers from 1 to 1,000, strides
        with another number of dimensions than the filter, an unknown padding, or any argument that
        `Dense` rejects.

    Notes
    -----
    Windows over the edge are also divided by the size of the whole filter, so zeros lower the
    variance there.

    References
    ----------
    Arora, Du, Hu, Li, Salakhutdinov, Wang (2019), arXiv:1904.11955; Novak et al. (2019),
    arXiv:1810.05148; Garriga-Alonso, Aitchison, Rasmussen (2019), arXiv:1808.05587.

    Examples
    --------
    >>> Conv([3, 3], w_std=1.4, strides=(1, 1))
    Conv(filter=(3, 3), w_std=1.4)
    """

    _kind: ClassVar[str] = "Conv"
    filter: tuple[int, ...]
    _: KW_ONLY
    width: int | None = None
    strides: tuple[int, ...] | None = None
    padding: str = "SAME"
    w_std: float = 1.0
    b_std: float | None = None
    parameterization: str = "ntk"
    trainable: bool = True

    def __post_init__(self) -> None:
        self._check_window("filter")
        self._check_weights()

    @property
    def _size(self) -> tuple[int, ...]:
        return self.filter

    @property
    def _default_strides(self) -> tuple[int, ...]:
        return (1,) * len(self.filter)


@dataclass(frozen=True, repr=False)
class _Pool(_Window):
    """Base class of pooling layers, which reduce each window of positions to one."""

    window: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    padding: str = "VALID"

    def __post_init__(self) -> None:
        self._check_window("window")

    @property
    def _size(self) -> tuple[int, ...]:
        return self.window


@dataclass(frozen=True, repr=False)
class AvgPool(_Pool):
    """The mean of each channel over windows of positions.

    Kernels: K[p, p'] and T[p, p'] become their means over both windows.

    Parameters
    ----------
    window
        Height and width, ``(2, 2)``, for images; length, ``(2,)``, for sequences.
    strides
        Distances between windows. The default is the window, so that windows do not overlap.
    padding
        As for `Conv`. With ``"SAME"``, windows over the edge are also divided by the whole window.

    Raises
    ------
    TypeError, ValueError
        A window or strides that are not a tuple of one or two integers from 1 to 1,000, strides
        with another number of dimensions than the window, or an unknown padding.

    Notes
    -----
    If the input is not Gaussian, neither is the result. A Conv or Dense must then follow before the
    next activation.
    """

    _kind: ClassVar[str] = "AvgPool"


@dataclass(frozen=True, repr=False)
class SumPool(_Pool):
    """The sum of each channel over windows of positions.

    Kernels: K[p, p'] and T[p, p'] become their sums over both windows. Parameters, errors and notes
    are those of `AvgPool`.
    """

    _kind: ClassVar[str] = "SumPool"


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(Spatial):
    """The mean of each channel over all positions. The layers after it act on rows.

    Kernels: the means of K[p, p'] and T[p, p'] over all pairs of positions.
    """

    _kind: ClassVar[str] = "GlobalAvgPool"


@dataclass(frozen=True, repr=False)
class GlobalSumPool(Spatial):
    """The sum of each channel over all positions. The layers after it act on rows.

    Kernels: the sums of K[p, p'] and T[p, p'] over all pairs of positions.
    """

    _kind: ClassVar[str] = "GlobalSumPool"


@dataclass(frozen=True, repr=False)
class Flatten(Spatial):
    """All positions and channels in one row of neurons. The layers after it act on rows.

    Kernels: the means of K[p, p] and T[p, p] over positions. The kernels between different
    positions have no effect on later layers and are not computed.
    """

    _kind: ClassVar[str] = "Flatten"
