"""Rate of convergence of training, from the spectrum and the projections of the labels."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._scalars import as_count, as_real
from ntkfast.dynamics import GradientDescent, GradientFlow
from ntkfast.dynamics._arguments import (
    Times,
    as_initial,
    as_momentum,
    as_targets,
    as_times,
    check_order,
)
from ntkfast.dynamics._filters import lost_in_rounding
from ntkfast.linalg import matmul
from ntkfast.solvers.eigen import check_semidefinite
from ntkfast.spectrum import Spectrum, eigh

__all__ = [
    "as_spectrum",
    "condition_number",
    "discrete_residual_norm",
    "label_loss",
    "label_loss_bound",
    "label_projections",
    "loss_bound",
    "max_learning_rate",
]

Kernel = npt.ArrayLike | Spectrum


def as_spectrum(theta: Kernel) -> Spectrum:
    """Return the eigendecomposition of a Gram matrix, or the argument if it is one."""
    spectrum = theta if isinstance(theta, Spectrum) else eigh(theta)
    check_semidefinite(spectrum)
    return spectrum


def condition_number(theta: Kernel) -> float:
    """Compute λ_max/λ_min, the ratio of the training times of the slowest and the fastest mode.

    Gradient descent with its largest learning rate needs about that many steps. The result is
    infinite for a singular kernel, and meaningless beyond 1/ε.

    Parameters
    ----------
    theta
        A Gram matrix, shape (n, n), or its `Spectrum`. A matrix costs about 9·n³.

    References
    ----------
    Xiao, Pennington, Schoenholz (2020), "Disentangling Trainability and Generalization in Deep
    Neural Networks", arXiv:1912.13053: κ as the measure of trainability.
    """
    return as_spectrum(theta).condition_number


def max_learning_rate(theta: Kernel, *, momentum: float = 0.0, diag_reg: float = 0.0) -> float:
    """Compute 2(1 + m)/(λ_max + r), below which gradient descent on squared error converges.

    Theorem: on a quadratic loss, heavy-ball descent converges from any start if and only if
    0 < η(λ + r) < 2(1 + m) for all eigenvalues λ, given 0 <= m < 1. At the limit itself the fastest
    mode oscillates forever.

    Parameters
    ----------
    theta
        A Gram matrix, shape (n, n), or its `Spectrum`.
    momentum
        m, 0 <= m < 1.
    diag_reg
        r ≥ 0.

    Returns
    -------
    float
        For ``reduction="sum"``. Multiply by y.size for ``"mean"``. Infinite if λ_max + r = 0.

    References
    ----------
    Polyak (1964), "Some methods of speeding up the convergence of iteration methods";
    Lee et al. (2019), arXiv:1902.06720: its role for wide networks, without momentum.
    """
    momentum = as_momentum(momentum)
    ridge = as_real(diag_reg, "diag_reg", least=0.0)
    largest = float(as_spectrum(theta).eigenvalues.max(initial=0.0)) + ridge
    return 2 * (1 + momentum) / largest if largest > 0 else math.inf


@by_keyword()
def loss_bound(
    theta: Kernel, loss0: float, *, t: npt.ArrayLike, learning_rate: float = 1.0
) -> FloatArray:
    """Compute e^{−2·η·λ_min·t}·L_0, which the loss of a gradient flow never exceeds.

    Theorem: under df/dt = −ηΘ(f − y) with a constant Θ, L_t = ½‖f_t − y‖² <= e^{−2ηλ_min·t}·L_0.
    Residuals in the eigenspace of λ_min attain it.

    Parameters
    ----------
    theta
        A Gram matrix, shape (n, n), or its `Spectrum`.
    loss0
        L_0 ≥ 0.
    t
        Times ≥ 0 of any shape; may be infinite.
    learning_rate
        η. For ``reduction="mean"`` divide it by y.size.

    Returns
    -------
    ndarray
        Shape t.shape.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), arXiv:1806.07572; Du, Zhai, Poczos, Singh (2019),
    arXiv:1810.02054, theorem 3.2, with λ_0/2 instead of λ_min for finite width.
    """
    times, shape = as_times(t)
    start = as_real(loss0, "loss0", least=0.0)
    rate = as_real(learning_rate, "learning_rate", least=0.0, above=True)
    spectrum = as_spectrum(theta)
    smallest = max(float(spectrum.eigenvalues.min(initial=math.inf)), 0.0)
    return (start * _decay(rate, np.array([smallest]), times, spectrum)[:, 0]).reshape(shape)[()]


def _decay(
    rate: float, values: npt.NDArray[np.float64], times: Times, spectrum: Spectrum
) -> npt.NDArray[np.float64]:
    """e^{−2ηλt}, shape (k, n), and 1 for modes that `GradientFlow` leaves untrained."""
    exponent = np.zeros((times.size, values.size))
    begun = times > 0  # avoids 0·∞ if ηλ overflows
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        exponent[begun] = 2 * np.multiply.outer(times[begun], rate * values)
        exponent[lost_in_rounding(values, spectrum.tolerance, rate, times)] = 0.0
        return np.exp(-exponent)


def label_projections(theta: Kernel, y: npt.ArrayLike, f0: npt.ArrayLike = 0.0) -> FloatArray:
    """Compute (v_iᵀ(y − f_0))², the squared projection of the labels on each eigenvector.

    Labels with large projections on top eigenvectors are learnt fast. Random labels spread evenly.

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
        Shape of ``y``: row i belongs to eigenvalue i in ascending order. The sum is ‖y − f_0‖².
        Within an eigenspace only the sum is meaningful.

    References
    ----------
    Arora, Du, Hu, Li, Wang (2019), arXiv:1901.08584, theorem 4.1.
    """
    check_order(theta, y, "theta")
    spectrum = as_spectrum(theta)
    targets = as_targets(y, spectrum.n)
    residual = targets - as_initial(f0, "f0", targets.shape, targets.dtype)
    columns = residual.reshape(len(residual), math.prod(residual.shape[1:]))
    return np.square(matmul(spectrum.eigenvectors.T, columns)).reshape(residual.shape)


@by_keyword()
def label_loss(
    theta: Kernel,
    y: npt.ArrayLike,
    f0: npt.ArrayLike = 0.0,
    *,
    t: npt.ArrayLike,
    learning_rate: float = 1.0,
) -> FloatArray:
    """Compute ½·Σ e^{−2·η·λ_i·t}·(v_iᵀ(y − f_0))², the loss of a gradient flow from its labels.

    Theorem: an equality for squared error and a constant Θ. For finite width it holds up to an
    error that vanishes as the width grows. `GradientFlow.loss` returns the same number.

    Parameters
    ----------
    theta, y, f0
        As in `label_projections`.
    t
        Times ≥ 0 of any shape; may be infinite.
    learning_rate
        η. For ``reduction="mean"`` divide it by y.size.

    Returns
    -------
    ndarray
        Shape t.shape.

    References
    ----------
    Arora, Du, Hu, Li, Wang (2019), arXiv:1901.08584, theorem 4.1, for gradient descent.
    """
    return GradientFlow(as_spectrum(theta), y, learning_rate=learning_rate).loss(f0, t=t)


@by_keyword()
def label_loss_bound(
    theta: Kernel,
    y: npt.ArrayLike,
    f0: npt.ArrayLike = 0.0,
    *,
    t: npt.ArrayLike,
    top: int | None = None,
    learning_rate: float = 1.0,
) -> FloatArray:
    """Compute ½·[e^{−2·η·λ_k·t}·P_k + (P − P_k)], a bound on the loss from the top k eigenvectors.

    P_k is the part of P = ‖y − f_0‖² along the eigenvectors of the k largest eigenvalues, of which
    λ_k is the smallest. The bound follows from `label_loss`, because each of these parts decays at
    least as fast as e^{−2ηλ_k·t} and the others do not grow. With k = n it is `loss_bound`. It is
    attained if the top k eigenvalues are equal and the others are 0.

    Parameters
    ----------
    theta, y, f0, t, learning_rate
        As in `label_loss`.
    top
        k, from 0 to n. If omitted, the best k is used for each time.

    Returns
    -------
    ndarray
        Shape t.shape.

    References
    ----------
    Arora, Du, Hu, Li, Wang (2019), arXiv:1901.08584, after theorem 4.1: labels that align with the
    top eigenvectors are learnt fast.
    """
    times, shape = as_times(t)
    rate = as_real(learning_rate, "learning_rate", least=0.0, above=True)
    spectrum = as_spectrum(theta)
    n = spectrum.n
    if top is not None and as_count(top, "top", least=0) > n:
        raise ValueError(f"top is {top}; expected at most {n}, the number of eigenvectors")
    parts = label_projections(spectrum, y, f0).astype(np.float64)
    parts = parts.reshape(n, math.prod(parts.shape[1:])).sum(axis=1)[::-1]
    values = np.maximum(spectrum.eigenvalues[::-1].astype(np.float64), 0.0)
    decaying = np.append(0.0, np.cumsum(parts))
    remaining = np.append(np.cumsum(parts[::-1])[::-1], 0.0)  # sums keep the digits of small parts
    decay = np.hstack([np.ones((times.size, 1)), _decay(rate, values, times, spectrum)])
    bounds = 0.5 * (decay * decaying + remaining)
    chosen: FloatArray = bounds.min(axis=1) if top is None else bounds[:, top]
    return chosen.reshape(shape)[()]


@by_keyword()
def discrete_residual_norm(
    theta: Kernel,
    y: npt.ArrayLike,
    f0: npt.ArrayLike = 0.0,
    *,
    t: npt.ArrayLike,
    learning_rate: float,
) -> FloatArray:
    """Compute √(Σ (1 − η·λ_i)^{2t}·(v_iᵀ(y − f_0))²), the residual after t steps.

    Theorem (Arora et al. 2019): consider a two-layer ReLU network in which the hidden layer is
    trained, inputs of unit norm and labels |y| <= 1. With probability 1 − δ, ‖y − f_t‖ is within ±ε
    of this value for all t, where Θ is H^∞ = x·x'(π − θ)/2π, η = O(λ_min/n²) and the width is that
    of `arora_width`. For infinite width, or a linear model, it is an equality for every stable η.

    Parameters
    ----------
    theta, y, f0
        As in `label_projections`.
    t
        Numbers of steps of any shape: integers ≥ 0, or inf.
    learning_rate
        η > 0, below `max_learning_rate`.

    Returns
    -------
    ndarray
        Shape t.shape.

    References
    ----------
    Arora, Du, Hu, Li, Wang (2019), arXiv:1901.08584, theorem 4.1.
    """
    descent = GradientDescent(as_spectrum(theta), y, learning_rate=learning_rate)
    norm: FloatArray = np.sqrt(2 * descent.loss(f0, t=t))
    return norm
