"""Networks on images for the contract, in the lists of `catalogue`, and images with edge cases."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalogue import Description

Images = NDArray[np.floating[Any]]


def conv(
    *filter_and_strides: int,
    padding: str = "SAME",
    w_std: float = 1.4,
    b_std: float | None = None,
    width: int | None = None,
    training: str = "ntk",
) -> Description:
    """Return a convolution: height and width of its filter, and strides where they are not 1."""
    height, wide, down, right = (*filter_and_strides, 1, 1)[:4]
    return ["conv", height, wide, down, right, padding, w_std, b_std, width, training]


def pool(kind: str, *window_and_strides: int, padding: str = "VALID") -> Description:
    """Return "avg_pool" or "sum_pool"; the strides are the window where they are not given."""
    window = window_and_strides[:2]
    return [kind, *window, *(window_and_strides[2:] or window), padding]


RELU, ERF, ABS = ["relu"], ["erf", 1.0, 1.0, 0.0], ["abs"]
GAP, FLATTEN = ["global_avg_pool"], ["flatten"]
DENSE, BIASED = ["dense", 1.2, None], ["dense", 1.1, 0.3]
CONV, SMALL = conv(3, 3), conv(2, 2, b_std=0.2)
STANDARD = conv(2, 3, w_std=1.2, b_std=0.2, width=24, training="standard")
AT_ZERO = conv(3, 3, w_std=1.2, b_std=0.0, width=16, training="standard")

IMAGE_NETWORKS: dict[str, Description] = {
    "flatten": ["serial", FLATTEN, DENSE, RELU, DENSE],
    "pooled pixels": ["serial", GAP, BIASED],
    "linear": ["serial", CONV, GAP, DENSE],
    "cntk": ["serial", CONV, RELU, CONV, RELU, GAP, DENSE],
    "cntk, flatten": ["serial", CONV, RELU, CONV, RELU, FLATTEN, DENSE],
    "bias": ["serial", SMALL, RELU, SMALL, RELU, GAP, BIASED],
    "bias, flatten": ["serial", SMALL, RELU, SMALL, RELU, FLATTEN, BIASED],
    "valid": ["serial", conv(2, 2, padding="VALID"), RELU, conv(2, 1, padding="VALID"), RELU, GAP],
    "circular": ["serial", *[conv(3, 3, padding="CIRCULAR", b_std=0.1), RELU] * 2, GAP, DENSE],
    "circular, flatten": ["serial", *[conv(3, 2, padding="CIRCULAR"), RELU] * 2, FLATTEN, DENSE],
    "a filter beyond the image": ["serial", conv(7, 9, b_std=0.1), RELU, CONV, GAP, DENSE],
    "around the image twice": ["serial", conv(7, 9, padding="CIRCULAR"), RELU, CONV, GAP],
    "even filters": ["serial", conv(4, 2), RELU, conv(2, 4, b_std=0.1), ABS, GAP, DENSE],
    "strides": ["serial", conv(3, 3, 2, 2), RELU, CONV, RELU, GAP, DENSE],
    "uneven strides": ["serial", conv(2, 2, 1, 3, b_std=0.1), RELU, CONV, RELU, FLATTEN, DENSE],
    "strides, valid": ["serial", conv(2, 3, 2, 1, padding="VALID"), RELU, GAP, DENSE],
    "strides, circular": ["serial", conv(3, 3, 2, 3, padding="CIRCULAR"), RELU, CONV, RELU, GAP],
    "strides beyond the filter": ["serial", conv(1, 2, 3, 3), RELU, GAP, BIASED],
    "dense before and between": ["serial", BIASED, RELU, CONV, RELU, DENSE, RELU, GAP, DENSE],
    "average pooling": ["serial", CONV, RELU, pool("avg_pool", 2, 2), CONV, RELU, GAP, DENSE],
    "average pooling, then flatten": [
        *("serial", SMALL, RELU, pool("avg_pool", 2, 2, 1, 1), FLATTEN, DENSE, RELU, DENSE)
    ],
    "average pooling of pixels": ["serial", pool("avg_pool", 2, 1), CONV, RELU, GAP, DENSE],
    "average pooling, same": [
        *("serial", CONV, RELU, pool("avg_pool", 3, 2, 2, 2, padding="SAME"), CONV, ABS, GAP, DENSE)
    ],
    "average pooling, circular": [
        *("serial", CONV, RELU, pool("avg_pool", 2, 3, 1, 2, padding="CIRCULAR"), CONV, RELU, GAP)
    ],
    "sum pooling": [
        *("serial", CONV, RELU, pool("sum_pool", 2, 2, 1, 1), conv(3, 3, w_std=0.4), RELU, FLATTEN)
    ],
    "sum of sums": ["serial", SMALL, ABS, pool("sum_pool", 1, 2), ["global_sum_pool"], BIASED],
    "pooling of a Gaussian": ["serial", CONV, pool("avg_pool", 2, 2), RELU, GAP, DENSE],
    "pooling, then layers": ["serial", CONV, RELU, GAP, BIASED, ["residual", RELU, DENSE]],
    "layer norm": [
        *("serial", SMALL, ["layer_norm", 1e-3], RELU, CONV, ["layer_norm", 0.1], RELU, GAP, DENSE)
    ],
    "residual": ["serial", CONV, ["residual", RELU, CONV, RELU, SMALL], RELU, GAP, DENSE],
    "residual, flatten": ["serial", CONV, ["residual", RELU, SMALL], RELU, FLATTEN, BIASED],
    "strided shortcut": [
        "serial",
        CONV,
        ["sum", ["serial", RELU, conv(3, 3, 2, 2), RELU, CONV], conv(1, 1, 2, 2)],
        RELU,
        GAP,
        DENSE,
    ],
    "product": ["serial", CONV, ["product", ["serial", RELU, SMALL], ERF], SMALL, RELU, GAP, DENSE],
    "concatenate": ["serial", CONV, ["concatenate", RELU, ["serial", ABS, CONV]], CONV, RELU, GAP],
    "concatenate, widths": [
        "serial",
        ["concatenate", conv(3, 3, width=8), conv(1, 1, width=24, b_std=0.1)],
        conv(3, 3, width=8),
        RELU,
        GAP,
        DENSE,
    ],
    "two ends": [
        "serial",
        CONV,
        RELU,
        ["sum", ["serial", GAP, DENSE], ["serial", FLATTEN, BIASED]],
        RELU,
        DENSE,
    ],
    "standard": ["serial", STANDARD, RELU, STANDARD, RELU, GAP, ["dense", 1.0, 0.1, 1, "standard"]],
    "standard, flatten": [
        *("serial", STANDARD, ERF, STANDARD, RELU, FLATTEN, ["dense", 1.0, 0.1, 1, "standard"])
    ],
    "standard, bias at zero": ["serial", AT_ZERO, RELU, AT_ZERO, RELU, GAP, DENSE],
    "standard, strides": [
        "serial",
        conv(3, 2, 2, 2, padding="VALID", b_std=0.3, width=8, training="standard"),
        RELU,
        conv(1, 1, width=8, training="standard"),
        FLATTEN,
    ],
    "frozen": [
        *("serial", conv(3, 3, training="frozen"), RELU, CONV, RELU, GAP),
        ["dense", 1.0, None, None, "frozen"],
    ],
    "frozen but the readout": ["serial", conv(3, 3, training="frozen"), RELU, FLATTEN, DENSE],
    "smooth": ["serial", SMALL, ERF, SMALL, ["gelu"], GAP, DENSE],
    "smooth, flatten": ["serial", CONV, ["sin", 1.2, 0.8, 0.3], CONV, ERF, FLATTEN, DENSE],
    "sign": ["serial", CONV, ["sign"], CONV, RELU, GAP, DENSE],
    "gaussian": ["serial", SMALL, ["gaussian", 1.2, -0.6], FLATTEN, BIASED],
    "leaky": ["serial", SMALL, ["leaky_relu", 0.2], CONV, ["abrelu", -0.5, 1.5], GAP, DENSE],
}


# Networks that mix positions and have an activation behind that: what coincides there has lost
# half of its digits.
POOLED = {
    *("average pooling", "average pooling, then flatten", "average pooling of pixels"),
    *("average pooling, same", "average pooling, circular", "sum pooling", "two ends"),
    *("pooling of a Gaussian", "pooling, then layers"),
}


def on_rows(description: Description) -> Description:
    """Return the network that remains on images of one position."""
    kind, *rest = description
    if kind == "conv":
        return ["dense", *rest[5:]]
    if kind in ("flatten", "global_avg_pool", "global_sum_pool", "avg_pool", "sum_pool"):
        return ["identity"]
    return [kind, *(on_rows(p) if isinstance(p, (list, tuple)) else p for p in rest)]


def without_windows(description: Description) -> Description:
    """Return the network with filters and windows of one position."""
    kind, *rest = description
    if kind in ("conv", "avg_pool", "sum_pool"):
        return [kind, 1, 1, *rest[2:]]
    return [kind, *(without_windows(p) if isinstance(p, (list, tuple)) else p for p in rest)]


def random_images(n: int, *shape: int, seed: int = 0) -> Images:
    """Return images of Gaussian pixels."""
    return np.random.default_rng([seed, n, *shape]).standard_normal((n, *shape))


def hard_images() -> dict[str, Images]:
    """Return sets of small images, each with a trap."""
    a, b = random_images(2, 3, 4, 2)
    zero, constant = np.zeros_like(a), np.ones_like(a) * [0.5, -1.0]
    spotted, shuffled = a.copy(), a[::-1, [2, 0, 3, 1]]
    spotted[1:, 2:] = 0.0
    sets = {
        "random": [a, b],
        "duplicates": [a, b, a],
        "zero": [zero, a, zero],
        "constant colour": [constant, a, 3 * constant],
        "coinciding pixels": [a, shuffled],
        "patches of zeros": [spotted, a],
        "negative": [a, -a],
        "antipodal pixels": [a, a * np.sign(b[..., :1])],
        "scaled": [a, 3.7 * a, -1e-3 * a],
    }
    return {name: np.array(images) for name, images in sets.items()}


SHAPES = [(1, 1, 3), (1, 4, 2), (5, 1, 1), (2, 2, 1), (3, 3, 1), (4, 4, 2), (5, 3, 3)]
