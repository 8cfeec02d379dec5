"""The mean kernels of random finite networks equal the kernels, up to terms that fall with width.

The mean over networks of width m is K + c/m + O(1/m²). Besides the standard errors, the mean at
width 2m may therefore be as far from K as it is from the mean at width m. A term that is missing in
K, or superfluous, is in the difference at both widths, so the test detects it.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

import finite
from catalogue import NETWORKS, Description, build, kinds
from tolerances import pair_scale

WIDTH = 32  # of layers that do not say one
DRAWS = 800
SIGMAS = 5
POINTS = np.array([[1.1, -0.4, 0.3], [0.8, 0.5, -0.6], [-0.9, 0.7, 0.4]])

# A map of kernels that is no function of a neuron has no finite network.
FINITE = [name for name, net in NETWORKS.items() if "exp_normalized" not in kinds(net)]

Gaps = NDArray[np.float64]


def gaps(description: Description, factor: int) -> list[tuple[Gaps, Gaps]]:
    """Return, of NNGP and NTK, mean − kernel and its standard error, over √(K_ii K_jj)."""
    description = finite.sized(description, WIDTH, factor)
    sampled = finite.kernels(description, POINTS, DRAWS, np.random.default_rng([20260, factor]))
    found = []
    for draws, k in zip(sampled, build(description).kernels(POINTS), strict=True):
        # A kernel of zeros is the kernel of every finite network.
        scale = pair_scale(np.diagonal(k), np.diagonal(k)) if np.any(k) else np.ones_like(k)
        deviation = draws.std(axis=0, dtype=np.float64)
        mean = draws.mean(axis=0, dtype=np.float64)
        found.append(((mean - k) / scale, deviation / scale / DRAWS**0.5))
    return found


@pytest.mark.parametrize("name", FINITE)
def test_kernels_are_means_over_finite_networks(name: str) -> None:
    narrow, wide = (gaps(NETWORKS[name], factor) for factor in (1, 2))
    for (far, _), (near, error) in zip(narrow, wide, strict=True):
        rounding = 1e-5  # the networks are in float32
        assert np.all(np.abs(near) <= SIGMAS * error + np.abs(far - near) + rounding)
