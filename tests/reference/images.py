"""Kernels of infinitely wide convolutional networks: every tensor in full, term by term, in mpmath.

This file uses the duals of `evaluator`, no other formulae, and none of the package's methods. It
computes all pairs of images and of positions, K[i, j, p, p'] of shape
(n, n, height, width, height, width), whether they are needed or not. The variances are the
entries K[i, i, p, p] of the same tensor.

Networks are nested lists as in `evaluator`, with ``["conv", 3, 3, 1, 1, "SAME", 1.4, None]``:
filter, strides, padding, w_std, b_std; ``["avg_pool", 2, 2, 2, 2, "VALID"]``: window, strides,
padding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from mpmath import mpf, sqrt, workdps
from numpy.typing import ArrayLike, NDArray

from reference.evaluator import DUALS, Network, exact

# K_ii·K_jj − K_ij² may cost half of them where pixels coincide: 30 remain.
WORKING_DIGITS = 64

Tensor = NDArray[Any]  # of mpf

IMAGE, OTHER = (2, 3), (4, 5)  # the axes of the positions of the first image, and of the second


@dataclass(frozen=True)
class Moments:
    """What one layer hands to the next about all pairs of positions of all pairs of images."""

    k: Tensor
    t: Tensor
    width: int  # how many channels, or neurons, there are; 1 where the layer does not say

    def map(self, function: Callable[[Tensor], Tensor]) -> "Moments":
        """Do the same to both kernels."""
        return replace(self, k=function(self.k), t=function(self.t))


def kernels(network: Network, images: ArrayLike) -> tuple[Tensor, Tensor]:
    """Return the NNGP and the NTK among images (n, height, width, channels), right to 30 digits."""
    with workdps(WORKING_DIGITS):
        end = propagate(network, moments(np.asarray(images)))
        assert end.k.shape[2:] == (1, 1, 1, 1), "the network keeps positions"
        return end.k[:, :, 0, 0, 0, 0], end.t[:, :, 0, 0, 0, 0]


def moments(images: NDArray[Any]) -> Moments:
    """Return the moments of the input: K[p, p'] = x[p]·x'[p']/channels, T = 0."""
    x = np.frompyfunc(exact, 1, 1)(images)
    channels = images.shape[-1]
    k = np.tensordot(x, x, axes=(-1, -1)) / mpf(channels)
    return Moments(k.transpose(0, 3, 1, 2, 4, 5), zeros(k.transpose(0, 3, 1, 2, 4, 5)), channels)


def zeros(like: Tensor) -> Tensor:
    """Return as many zeros."""
    return np.full(like.shape, mpf(0), dtype=object)


def propagate(layer: Network, m: Moments) -> Moments:
    """Send the moments through one layer or network."""
    kind, *rest = layer
    if kind == "serial":
        for part in rest:
            m = propagate(part, m)
        return m
    if kind == "residual":
        return add([m, propagate(["serial", *rest], m)])
    if kind in JOINS:
        return JOINS[kind]([propagate(branch, m) for branch in rest])
    if kind in LAYERS:
        return LAYERS[kind](m, *rest)
    return activation(m, kind, rest)


def sources(size: int, window: int, stride: int, padding: str) -> NDArray[np.intp]:
    """Return which positions each window sees, (outputs, window); `size` itself is outside."""
    if padding == "VALID":
        outputs, low = (size - window) // stride + 1, 0
        assert outputs > 0, "the window does not fit"
    else:
        outputs = -(-size // stride)
        low = max((outputs - 1) * stride + window - size, 0) // 2
    seen = np.arange(outputs)[:, None] * stride + np.arange(window) - low
    if padding == "CIRCULAR":
        return seen % size
    return np.where((seen >= 0) & (seen < size), seen, size)


def at(k: Tensor, axis: int, positions: NDArray[np.intp]) -> Tensor:
    """Return the entries at positions along an axis; what is outside is 0."""
    outside = zeros(np.take(k, [0], axis))
    return np.take(np.concatenate([k, outside], axis), positions, axis)


def windows(
    k: Tensor, window: Sequence[int], strides: Sequence[int], padding: str, *, together: bool
) -> Tensor:
    """Sum over windows: with both positions at one place of them (together), or at any two."""
    sizes = zip(k.shape[2:4], window, strides, strict=True)
    seen = [sources(*size, padding) for size in sizes]
    places = list(product(*map(range, window)))

    def shifted(k: Tensor, axes: Sequence[int], place: Sequence[int]) -> Tensor:
        for axis, positions, offset in zip(axes, seen, place, strict=True):
            k = at(k, axis, positions[:, offset])
        return k

    if together:
        return total([shifted(shifted(k, IMAGE, place), OTHER, place) for place in places])
    k = total([shifted(k, IMAGE, place) for place in places])
    return total([shifted(k, OTHER, place) for place in places])


def total(terms: Sequence[Tensor]) -> Tensor:
    """Return the sum of tensors."""
    return np.sum(terms, axis=0)


def conv(m: Moments, *parameters: Any) -> Moments:
    """Apply k ← σ_w²·mean(k) + σ_b², the mean over the filter, zero outside of the image.

    T ← σ_w²·mean(T) + what is trained here: the new k; in the standard parameterization the mean of
    the old k, times the number of weights a channel has, and 1 for a bias; nothing where the layer
    is frozen.
    """
    height, width, down, right, padding, w_std, b_std = parameters[:7]
    channels, training = (*parameters[7:], *(None, "ntk")[len(parameters) - 7 :])
    size = height * width
    mean = m.map(
        lambda k: windows(k, (height, width), (down, right), padding, together=True) / mpf(size)
    )
    w, b = mpf(w_std) ** 2, mpf(b_std or 0) ** 2
    k = w * mean.k + b
    own = {
        "ntk": k,
        "standard": m.width * size * mean.k + (b_std is not None),
        "frozen": mpf(0),
    }[training]
    return Moments(k, own + w * mean.t, channels or 1)


def dense(m: Moments, *parameters: Any) -> Moments:
    """Apply a convolution whose filter is one position."""
    return conv(m, 1, 1, 1, 1, "VALID", *parameters)


def sum_pool(m: Moments, height: int, width: int, down: int, right: int, padding: str) -> Moments:
    """Sum over both windows."""
    return m.map(lambda k: windows(k, (height, width), (down, right), padding, together=False))


def avg_pool(m: Moments, height: int, width: int, down: int, right: int, padding: str) -> Moments:
    """Average over both windows, of which what is outside of the image is a part."""
    pooled = sum_pool(m, height, width, down, right, padding)
    return pooled.map(lambda k: k / mpf(height * width) ** 2)


def global_sum_pool(m: Moments) -> Moments:
    """Sum over all pairs of positions."""
    return m.map(lambda k: k.sum((*IMAGE, *OTHER), keepdims=True))


def global_avg_pool(m: Moments) -> Moments:
    """Average over all pairs of positions."""
    return global_sum_pool(m).map(lambda k: k / mpf(positions(m)) ** 2)


def flatten(m: Moments) -> Moments:
    """Average over positions, each with itself in the other image."""
    h, w = m.k.shape[2:4]
    places = list(product(range(h), range(w)))
    mean = m.map(lambda k: total([k[:, :, r, c, r, c] for r, c in places]) / mpf(len(places)))
    mean = mean.map(lambda k: k[:, :, None, None, None, None])
    return replace(mean, width=m.width * len(places))


def positions(m: Moments) -> int:
    """Return the number of positions."""
    return int(np.prod(m.k.shape[2:4]))


def variances(m: Moments) -> tuple[Tensor, Tensor]:
    """Return K[i, i, p, p] and K[j, j, p', p'], to go with K[i, j, p, p']."""
    n, _, h, w = m.k.shape[:4]
    i, r, c = np.ogrid[:n, :h, :w]
    own = m.k[i, i, r, c, r, c]
    return own[:, None, :, :, None, None], own[None, :, None, None, :, :]


def layer_norm(m: Moments, eps: float) -> Moments:
    """Divide by √((p + ε)(q + ε)), over the channels of each position."""
    p, q = (v + mpf(eps) for v in variances(m))
    size = np.frompyfunc(sqrt, 1, 1)(p * q)
    size[size == 0] = mpf(1)
    return m.map(lambda k: k / size)


def activation(m: Moments, kind: str, parameters: Sequence[float]) -> Moments:
    """Apply k ← E[φ(u)φ(v)] and T ← E[φ'(u)φ'(v)]·T, entry by entry."""
    constants = [mpf(value) for value in parameters]
    p, q = variances(m)

    @cache
    def dual(p: Any, k: Any, q: Any) -> Any:
        return DUALS[kind](p, k, q, *constants)

    k, slope = np.frompyfunc(dual, 3, 2)(np.minimum(p, q), m.k, np.maximum(p, q))
    # Where a variance is zero the derivative of a kinked φ may be undefined; T is then zero.
    return replace(m, k=k, t=np.where(m.t == 0, m.t, slope * m.t))


def add(branches: Sequence[Moments]) -> Moments:
    """Add branches that are independent of each other."""
    k, t = (total([getattr(m, name) for m in branches]) for name in "kt")
    return Moments(k, t, max(m.width for m in branches))


def concatenate(branches: Sequence[Moments]) -> Moments:
    """Average over branches side by side, in proportion to their widths."""
    width = sum(m.width for m in branches)

    def weighted(m: Moments) -> Moments:
        return m.map(lambda k: k * m.width / width)

    return replace(add([weighted(m) for m in branches]), width=width)


def multiply(branches: Sequence[Moments]) -> Moments:
    """Multiply branches that are independent of each other; T by the product rule."""
    first, *others = branches
    for m in others:
        t = first.t * m.k + first.k * m.t
        first = Moments(first.k * m.k, t, max(first.width, m.width))
    return first


LAYERS: dict[str, Callable[..., Moments]] = {
    "conv": conv,
    "dense": dense,
    "avg_pool": avg_pool,
    "sum_pool": sum_pool,
    "global_avg_pool": global_avg_pool,
    "global_sum_pool": global_sum_pool,
    "flatten": flatten,
    "layer_norm": layer_norm,
}
JOINS: dict[str, Callable[[Sequence[Moments]], Moments]] = {
    "sum": add,
    "concatenate": concatenate,
    "product": multiply,
}
