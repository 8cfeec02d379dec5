"""Gradient descent in discrete steps, with or without momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from ntkfast._progress import Progress
from ntkfast.dynamics._arguments import Reduction
from ntkfast.dynamics.rules import HeavyBall
from ntkfast.dynamics.spectral import SpectralTraining
from ntkfast.operators import Operator
from ntkfast.spectrum import Spectrum

__all__ = ["GradientDescent"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class GradientDescent(SpectralTraining):
    """Gradient descent on squared error with a constant learning rate, exact at any step.

    The weights follow v ← m·v − η·∇L, w ← w + v from v = 0 (Polyak's heavy ball; plain descent for
    m = 0). For a mode with eigenvalue λ of Θ, the coefficients accumulate g_k times its residual,
    where g_{k+1} = (1 + m − η(λ+r))·g_k − m·g_{k−1} + η from g_0 = g_{−1} = 0, and r is the
    regularisation: f_k = f_0 + Θ·g_k(Θ)·(y − f_0). The recurrence is solved in closed form, so step
    10¹² costs as much as step 1. Without momentum or regularisation the residual is (1 − ηλ)^k.

    The methods are those of `GradientFlow`, with steps instead of times: integers ≥ 0, or inf for
    the limit, which is that of gradient flow.

    Parameters
    ----------
    theta
        The NTK between the n training points, shape (n, n), its `Spectrum` if available, or an
        operator, as for `GradientFlow`.
    y
        Targets, shape (n,), (n, c) or (n, …).
    learning_rate
        η > 0, in inverse units of Θ; below 2(1 + m)/(λ_max + r), see `nk.theory.max_learning_rate`.
    momentum
        m, 0 <= m < 1. The convention is that of `torch.optim.SGD` without dampening.
    reduction
        ``"sum"``: L = ½‖f − y‖². ``"mean"``: L = ½·mean((f − y)²), which divides η by n·c.
    diag_reg, relative_diag_reg
        Number to add to the diagonal of Θ, and the same in units of mean(diag Θ), both ≥ 0. They
        correspond to a penalty ½·r·‖w − w_0‖² on the weights.
    tol, progress
        As for `GradientFlow`.

    Attributes
    ----------
    rule
        `ntkfast.dynamics.rules.HeavyBall`, with its ``momentum``. Others as for `GradientFlow`.

    Raises
    ------
    TypeError
        An argument does not consist of real numbers.
    ValueError
        `GradientFlow` rejects the arguments, the momentum is out of range, or training does not
        converge at this learning rate. The message gives the largest stable one. With an operator,
        results raise it, not the constructor.

    Notes
    -----
    Errors are those caused by rounding η·λ: about k·ε·ηλ relative in a decaying mode, and more near
    a double root of the recurrence, where the problem itself is more sensitive. Modes whose λ + r
    may be pure rounding stay at f_0 from step (1 − m)/(η·tolerance) on, as in the limit.

    References
    ----------
    Polyak (1964), "Some methods of speeding up the convergence of iteration methods";
    Lee et al. (2019), arXiv:1902.06720, for linearised networks.

    Examples
    --------
    >>> descent = GradientDescent([[2.0, 0.0], [0.0, 1.0]], [1.0, 1.0], learning_rate=0.25)
    >>> descent.residual(t=[0, 1, 2])
    array([[1.    , 1.    ],
           [0.5   , 0.75  ],
           [0.25  , 0.5625]])
    """

    rule: HeavyBall

    def __init__(
        self,
        theta: npt.ArrayLike | Spectrum | Operator,
        y: npt.ArrayLike,
        *,
        learning_rate: float,
        momentum: float = 0.0,
        reduction: Reduction = "sum",
        diag_reg: float = 0.0,
        relative_diag_reg: float = 0.0,
        tol: float = 1e-6,
        progress: Progress = None,
    ) -> None:
        super().__init__(
            theta,
            y,
            HeavyBall(momentum),  # checked before the eigendecomposition
            learning_rate=learning_rate,
            reduction=reduction,
            diag_reg=diag_reg,
            relative_diag_reg=relative_diag_reg,
            tol=tol,
            progress=progress,
        )

    @property
    def momentum(self) -> float:
        """m, as passed by the user."""
        return self.rule.momentum
