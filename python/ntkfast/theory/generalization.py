"""Generalisation to unseen points, from a kernel and labels."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.dynamics._arguments import check_order
from ntkfast.spectrum import Spectrum
from ntkfast.theory.convergence import as_spectrum, label_projections

__all__ = ["generalization_measure"]


def generalization_measure(
    theta: npt.ArrayLike | Spectrum, y: npt.ArrayLike, f0: npt.ArrayLike = 0.0
) -> FloatArray:
    """Compute √(2·(y − f_0)ᵀ·Θ⁻¹·(y − f_0)/n), a complexity of the labels under the kernel.

    Theorem (Arora et al. 2019): consider a two-layer ReLU network that is wide enough, starts from
    a small initialisation, and whose hidden layer is trained to t = ∞ on n independent points of
    unit norm. For any loss that is 1-Lipschitz, within [0, 1] and 0 at y, its population loss is at
    most this value plus O(√(log(n/(λ_0·δ))/n)), with probability 1 − δ. Θ is H^∞ = x·x'(π − θ)/2π.

    It is also √2/√n times the smallest norm, in the space of the kernel, of a function that fits
    the labels. Training to t = ∞ finds this function.

    Parameters
    ----------
    theta
        A Gram matrix, shape (n, n), or its `Spectrum`.
    y
        Labels, shape (n,), (n, c) or (n, …).
    f0
        The untrained outputs: a number, or an array that broadcasts to ``y``.

    Returns
    -------
    ndarray
        Shape y.shape[1:], one number per output. Infinite if Θ is singular to working precision and
        the labels are outside its range, because no function of the space fits them.

    References
    ----------
    Arora, Du, Hu, Li, Wang (2019), arXiv:1901.08584, theorem 5.1.
    """
    check_order(theta, y, "theta")
    spectrum = as_spectrum(theta)
    projections = label_projections(spectrum, y, f0).astype(np.float64)
    n, shape = len(projections), projections.shape[1:]
    parts = projections.reshape(n, math.prod(shape))
    values = spectrum.eigenvalues.astype(np.float64)
    reached = values > spectrum.tolerance
    # Rounding turns (n·ε)² of the labels into directions outside the range of Θ.
    rounding = (10 * n * float(np.finfo(spectrum.eigenvalues.dtype).eps)) ** 2
    missed = parts[~reached].sum(axis=0) > rounding * parts.sum(axis=0)
    # Square roots first, because squared labels over eigenvalues may overflow when the result fits.
    sizes = np.sqrt(parts[reached]) / np.sqrt(values[reached])[:, None]
    measure = np.linalg.norm(sizes, axis=0) * math.sqrt(2 / max(n, 1))
    return np.where(missed, np.inf, measure).reshape(shape)[()]
