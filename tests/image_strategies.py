"""Hypothesis strategies: networks on images, and the images."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from catalogue import Description
from images import Images
from reference.images import sources
from strategies import activations, dense

Layers = list[Any]


class Chain:
    """Layers that are drawn one after another, and the size of the image behind them."""

    def __init__(self, draw: st.DrawFn, size: tuple[int, int], width: int | None) -> None:
        self.draw, self.size, self.width = draw, size, width
        self.layers: Layers = []

    def geometry(self, *, keep_size: bool = False) -> Layers:
        """Return window, strides and padding, and go to the size behind them."""
        paddings = ["SAME", "CIRCULAR"] if keep_size else ["SAME", "CIRCULAR", "VALID"]
        padding = self.draw(st.sampled_from(paddings))
        most = self.size if padding == "VALID" else (5, 5)
        window = [self.draw(st.integers(1, min(bound, 5))) for bound in most]
        stride = st.just(1) if keep_size else st.sampled_from([1, 1, 1, 2, 3])
        strides = [self.draw(stride) for _ in window]
        axes = zip(self.size, window, strides, strict=True)
        height, width = (len(sources(*axis, padding)) for axis in axes)
        self.size = height, width
        return [*window, *strides, padding]

    def conv(self, *, keep_size: bool = False) -> Layers:
        """Return a convolution, with a width also a frozen one or one in standard form."""
        _, w_std, b_std, *rest = self.draw(dense(self.width))
        geometry = self.geometry(keep_size=keep_size)
        return ["conv", *geometry, w_std, b_std, *(rest or [None, "ntk"])]

    def branch(self) -> Layers:
        """Return layers that a residual can have."""
        return [self.draw(activations()), self.conv(keep_size=True)]

    def block(self) -> None:
        """Add layers from a Gaussian value to a Gaussian value."""
        kind = self.draw(st.sampled_from(["chain", "chain", "pool", "norm", "residual", "product"]))
        activation = self.draw(activations())
        if kind == "chain":
            self.layers += [activation, self.conv()]
        elif kind == "norm":
            self.layers.append(["layer_norm", 0.1])
        elif kind == "pool":
            pool = self.draw(st.sampled_from(["avg_pool", "sum_pool"]))
            self.layers += [activation, [pool, *self.geometry()], self.conv()]
        elif kind == "residual":
            self.layers.append(["residual", *self.branch()])
        else:
            join = self.draw(st.sampled_from(["product", "concatenate"]))
            branches = [["serial", *self.branch()] for _ in range(2)]
            self.layers += [["layer_norm", 0.1], [join, *branches], self.conv()]


@st.composite
def image_networks(draw: st.DrawFn, size: tuple[int, int]) -> Description:
    """Valid networks on images of a size."""
    chain = Chain(draw, size, draw(st.none() | st.integers(1, 8)))
    chain.layers.append(chain.conv())
    for _ in range(draw(st.integers(0, 2))):
        chain.block()
    chain.layers.append(draw(activations()))
    chain.layers.append([draw(st.sampled_from(["flatten", "global_avg_pool", "global_sum_pool"]))])
    if draw(st.booleans()):
        chain.layers.append(draw(dense(chain.width)))
    return ["serial", *chain.layers]


@st.composite
def image_sets(draw: st.DrawFn) -> Images:
    """Two small images with zeros, and with patches that they share."""
    height, width, channels = (draw(st.integers(1, most)) for most in (4, 3, 2))
    colour = st.lists(st.integers(-3, 3), min_size=channels, max_size=channels)
    palette = draw(st.lists(colour, min_size=1, max_size=4))
    pixels = [draw(st.sampled_from(palette)) for _ in range(2 * height * width)]
    return np.array(pixels, np.float64).reshape(2, height, width, channels)
