"""What a kernel and labels say about points not seen."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast.spectrum import Spectrum
from ntkfast.theory.convergence import as_spectrum, label_projections

__all__ = ["generalization_measure"]


def generalization_measure(
    theta: npt.ArrayLike | Spectrum, y: npt.ArrayLike, f0: npt.ArrayLike = 0.0
) -> FloatArray:
    """Compute √(2·(y − f_0)ᵀ·Θ⁻¹·(y − f_0)/n), a complexity of the labels under the kernel.

    Theorem (Arora et al. 2019): a two-layer ReLU network whose hidden layer is trained to the end,
    wide enough, from a small initialisation, on n independent points of unit norm, has a population
    loss (of any loss that is 1-Lipschitz, within [0, 1] and 0 at y) of at most this, plus
    O(√(log(n/(λ_0·δ))/n)), with probability 1 − δ. Θ is H^∞ = x·x'(π − θ)/2π.

    It is also √2/√n times the least norm of a function in the space of the kernel that fits the
    labels, which is what training to the end finds.

    Parameters
    ----------
    theta
        A Gram matrix, shape (n, n), or its `Spectrum`.
    y
        Labels, shape (n,), (n, c) or (n, …).
    f0
        The untrained network: a number, or what broadcasts to ``y``.

    Returns
    -------
    ndarray
        Shape y.shape[1:], a number for each output. Infinite where Θ is singular to working
        precision and the labels leave its range: no function of the space fits them.

    References
    ----------
    Arora, Du, Hu, Li, Wang (2019), arXiv:1901.08584, theorem 5.1.
    """
    spectrum = as_spectrum(theta)
    projections = label_projections(spectrum, y, f0).astype(np.float64)
    n, shape = len(projections), projections.shape[1:]
    parts = projections.reshape(n, math.prod(shape))
    values = spectrum.eigenvalues.astype(np.float64)
    reached = values > spectrum.tolerance
    # (n·ε)² of the labels is what rounding turns into directions that Θ does not reach.
    rounding = (10 * n * float(np.finfo(spectrum.eigenvalues.dtype).eps)) ** 2
    missed = parts[~reached].sum(axis=0) > rounding * parts.sum(axis=0)
    # Roots first: squares of labels over eigenvalues may leave the range where the result does not.
    sizes = np.sqrt(parts[reached]) / np.sqrt(values[reached])[:, None]
    measure = np.linalg.norm(sizes, axis=0) * math.sqrt(2 / max(n, 1))
    return np.where(missed, np.inf, measure).reshape(shape)[()]
