"""Widths at which the kernel of a network stays constant, as proved in two papers.

Both assume two layers, f(x) = (1/√m)·Σ a_r·max(w_rᵀx, 0), with trained hidden weights, fixed
a_r = ±1, ‖x_i‖ = 1 and bounded labels. λ_0 is the smallest eigenvalue of H^∞ = x·x'(π − θ)/2π on
the n training points. The orders Ω(…) and O(…) are returned with constant 1: they show how the
required width scales, not how many neurons to use.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._scalars import as_count, as_real
from ntkfast.dynamics._arguments import as_times

__all__ = ["arora_width", "du_learning_rate", "du_rate", "du_width"]


@by_keyword()
def du_rate(lambda_min: float, *, t: npt.ArrayLike, learning_rate: float) -> FloatArray:
    """Compute (1 − η·λ_0/2)^t, which bounds ‖y − f_t‖²/‖y − f_0‖² for a wide network.

    Theorem: this holds for all t with probability 1 − δ over the initialisation, given the width of
    `du_width` and the learning rate of `du_learning_rate` (see the module for the network).

    Parameters
    ----------
    lambda_min
        λ_0 ≥ 0.
    t
        Numbers of steps ≥ 0, an array of any shape; may be infinite.
    learning_rate
        η > 0, with η·λ_0 <= 2.

    Returns
    -------
    ndarray
        Shape t.shape.

    References
    ----------
    Du, Zhai, Poczos, Singh (2019), arXiv:1810.02054, theorem 4.1.
    """
    steps, shape = as_times(t)
    smallest = as_real(lambda_min, "lambda_min", least=0.0)
    rate = as_real(learning_rate, "learning_rate", least=0.0, above=True)
    if not rate * smallest <= 2:
        raise ValueError(
            f"learning_rate is {rate:g}, so learning_rate * lambda_min is "
            f"{rate * smallest:g}; expected at most 2: the theorem needs O(lambda_min/n**2)"
        )
    factor = np.float64(-rate * smallest / 2)
    result = np.zeros(steps.size) if factor == -1 else np.ones(steps.size)
    if -1 < factor < 0:
        result = np.exp(steps * np.log1p(factor))
    result[steps == 0] = 1.0
    return result.reshape(shape)[()]


def du_learning_rate(n: int, lambda_min: float) -> float:
    """Compute λ_0/n², the order of the learning rate for which `du_rate` holds.

    References
    ----------
    Du, Zhai, Poczos, Singh (2019), arXiv:1810.02054, theorem 4.1.
    """
    return as_real(lambda_min, "lambda_min", least=0.0) / as_count(n, "n", least=1) ** 2


def du_width(n: int, lambda_min: float, delta: float) -> float:
    """Compute n⁶/(λ_0⁴·δ³), the order of the width for which `du_rate` holds.

    Parameters
    ----------
    n
        Number of training points.
    lambda_min
        λ_0 ≥ 0. The width is infinite for 0.
    delta
        δ, the probability of failure, 0 < δ < 1.

    References
    ----------
    Du, Zhai, Poczos, Singh (2019), arXiv:1810.02054, theorem 4.1.
    """
    return _order(
        (as_count(n, "n", least=1), 6),
        (as_real(lambda_min, "lambda_min", least=0.0), -4),
        (_probability(delta, "delta"), -3),
    )


def arora_width(
    n: int, lambda_min: float, delta: float, epsilon: float, kappa: float | None = None
) -> float:
    """Compute n⁷/(λ_0⁴·κ²·δ⁴·ε²), the order of the width for `discrete_residual_norm`.

    Parameters
    ----------
    n
        Number of training points.
    lambda_min
        λ_0 ≥ 0. The width is infinite for 0.
    delta
        δ, the probability of failure, 0 < δ < 1.
    epsilon
        ε > 0, the permitted error of the norm of the residual.
    kappa
        κ > 0, the standard deviation of the initial weights, O(ε·δ/√n). The default is this value
        with constant 1.

    References
    ----------
    Arora, Du, Hu, Li, Wang (2019), arXiv:1901.08584, theorem 4.1.
    """
    n = as_count(n, "n", least=1)
    delta = _probability(delta, "delta")
    epsilon = as_real(epsilon, "epsilon", least=0.0, above=True)
    scale = epsilon * delta / math.sqrt(n)
    if kappa is not None:
        scale = as_real(kappa, "kappa", least=0.0, above=True)
    smallest = as_real(lambda_min, "lambda_min", least=0.0)
    return _order((n, 7), (smallest, -4), (scale, -2), (delta, -4), (epsilon, -2))


def _order(*powers: tuple[float, int]) -> float:
    """Multiply powers of numbers >= 0; the result is within the range of a float or infinite."""
    if any(base == 0 for base, _ in powers):
        return math.inf
    logarithm = math.fsum(power * math.log(base) for base, power in powers)
    return math.exp(logarithm) if logarithm < 709 else math.inf


def _probability(value: object, name: str) -> float:
    number = as_real(value, name, least=0.0, above=True)
    if number >= 1:
        raise ValueError(f"{name} is {number!r}; expected a probability, 0 < {name} < 1")
    return number
