"""The mean kernels of random finite convolutional networks, compared as in `test_finite`."""

import numpy as np
import pytest

import finite
import finite_images  # noqa: F401  (adds its layers to `finite`)
from catalogue import build
from images import IMAGE_NETWORKS, random_images
from reference import images as literal
from tolerances import pair_scale

WIDTH, DRAWS, SIGMAS = 16, 400, 5
IMAGES = random_images(2, 3, 3, 2)

NAMES = [
    *("cntk, flatten", "bias", "valid", "circular", "even filters", "strides, circular"),
    *("uneven strides", "average pooling, same", "sum pooling", "pooling of a Gaussian"),
    *("layer norm", "residual", "strided shortcut", "concatenate", "two ends", "standard"),
    *("standard, strides", "frozen"),
]


@pytest.mark.parametrize("name", NAMES)
def test_kernels_are_means_over_finite_networks(name: str) -> None:
    gaps = []
    for factor in (1, 2):
        description = finite.sized(IMAGE_NETWORKS[name], WIDTH, factor)
        sampled = finite.kernels(description, IMAGES, DRAWS, np.random.default_rng([1, factor]))
        gaps.append([])
        kernels = build(description).kernels(IMAGES)
        formulae = literal.kernels(description, IMAGES)
        for draws, k, formula in zip(sampled, kernels, formulae, strict=True):
            np.testing.assert_allclose(k, formula.astype(np.float64), rtol=1e-10)
            scale = pair_scale(np.diagonal(k), np.diagonal(k))
            error = draws.std(axis=0, dtype=np.float64) / DRAWS**0.5
            gaps[-1].append(((draws.mean(axis=0, dtype=np.float64) - k) / scale, error / scale))
    for (far, _), (near, error) in zip(*gaps, strict=True):
        rounding = 1e-5  # the networks are in float32
        assert np.all(np.abs(near) <= SIGMAS * error + np.abs(far - near) + rounding)
