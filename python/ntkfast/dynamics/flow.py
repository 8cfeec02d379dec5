"""Gradient flow: the limit of gradient descent with infinitely small steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from ntkfast._progress import Progress
from ntkfast.dynamics._arguments import Reduction
from ntkfast.dynamics.rules import ContinuousTime
from ntkfast.dynamics.spectral import SpectralTraining
from ntkfast.operators import Operator
from ntkfast.spectrum import Spectrum

__all__ = ["GradientFlow"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class GradientFlow(SpectralTraining):
    """Gradient flow on squared error, df/dt = −η·Θ·∇_f L, solved in closed form.

    With Θ = U·diag(λ)·Uᵀ and r the regularisation, A_t = U·[−expm1(−η(λ+r)t)/(λ+r)]·Uᵀ gives
    f_t = f_0 + Θ·A_t·(y − f_0) on the training points and f_0 + Θ*·A_t·(y − f_0) anywhere else.

    At t = ∞ and r = 0 the outputs interpolate the training points. If Θ is singular to working
    precision (λ + r ≤ n·ε·λ_max, `Spectrum.tolerance`), this is the solution of minimum norm: the
    components outside the range of Θ stay at f_0. With r > 0 training converges to kernel ridge
    regression, which does not interpolate, on the training points neither: from f_0 = 0 they go to
    Θ·(Θ + r)⁻¹·y.

    Parameters
    ----------
    theta
        The NTK between the n training points, shape (n, n), or its `Spectrum` if available. The
        eigendecomposition is nearly all of the cost. An operator, such as `nk.KernelOperator`, is
        not decomposed: results come from products with it, for any number of points.
    y
        Targets, shape (n,), (n, c) for c outputs, or (n, …).
    learning_rate
        η > 0, in inverse units of time and of Θ.
    reduction
        ``"sum"``: L = ½‖f − y‖². ``"mean"``: L = ½·mean((f − y)²), which divides η by n·c.
    diag_reg
        Number to add to the diagonal of Θ, ≥ 0.
    relative_diag_reg
        The same in units of mean(diag Θ), ≥ 0; both may be given.
    tol
        For operators: the error of results relative to y − f_0, 0 < tol < 1. Products are taken
        until the estimated error is at most ``tol``; ``prepared.report`` has both.
    progress
        True for a tqdm bar, or any ``callable(done, total)``. The eigendecomposition is one step,
        reported before it and after it. With an operator, every result reports correct digits, in
        tenths of a digit.

    Attributes
    ----------
    rule
        `ntkfast.dynamics.rules.ContinuousTime`: the effect of training on a single mode.
    solver, prepared
        The `nk.solvers.EigenSolver` that decomposed Θ, and the system that it prepared: the
        ``spectrum``, the regularisation ``ridge``, and the ``seconds`` that it took. With an
        operator: the `nk.solvers.ConjugateGradients` for t = ∞, and the products, whose ``report``
        gives their number, the estimated error, memory and time.
    y, learning_rate, reduction, diag_reg, relative_diag_reg
        As passed by the user.

    Raises
    ------
    TypeError
        An argument does not consist of real numbers.
    ValueError
        ``theta`` is not square, symmetric, finite or positive semi-definite (eigenvalues slightly
        below zero count as zero), ``y`` has another length, or a number is out of range. An
        operator shows negative eigenvalues only when results are computed.

    Warns
    -----
    RuntimeWarning
        The products with an operator end before ``tol`` is reached, because the time is long.

    Notes
    -----
    Modes whose λ + r may be pure rounding (up to `Spectrum.tolerance`) are trained only while the
    rounding has no visible effect: from t = 1/(η·tolerance) on they stay at f_0, as at t = ∞.
    Before, the data determine the outputs only up to η·t·tolerance of the residual along these
    modes. Such a time warns if that is more than a thousandth. For contradictory labels of
    duplicate points, use t = ∞.

    With an operator, finite times cost one product for all outputs per step of the block Lanczos
    method with full reorthogonalisation: about 5 at t = 10/(η·λ_max), and more at later times, as
    smaller eigenvalues count. The basis is kept, 8·n bytes per product and output, and grows for
    later times; other initial outputs start another one. More than 128 outputs are trained in
    groups, of which the last keeps its basis. Operators have no ``spectrum``.

    Results have the wider type of ``theta`` and ``y`` (and of kernels and initial outputs given as
    arrays). For float32 results, the targets must be float32 too.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), arXiv:1806.07572; Lee et al. (2019), arXiv:1902.06720.
    Products: Golub, Meurant (2010), Matrices, Moments and Quadrature; Botchev, Grimm, Hochbruck
    (2013), doi:10.1137/110820191, for the error.

    Examples
    --------
    >>> flow = GradientFlow([[2.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    >>> flow.predict_train(t=[0.0, float("inf")])
    array([[0., 0.],
           [1., 1.]])
    """

    rule: ContinuousTime

    def __init__(
        self,
        theta: npt.ArrayLike | Spectrum | Operator,
        y: npt.ArrayLike,
        *,
        learning_rate: float = 1.0,
        reduction: Reduction = "sum",
        diag_reg: float = 0.0,
        relative_diag_reg: float = 0.0,
        tol: float = 1e-6,
        progress: Progress = None,
    ) -> None:
        super().__init__(
            theta,
            y,
            ContinuousTime(),
            learning_rate=learning_rate,
            reduction=reduction,
            diag_reg=diag_reg,
            relative_diag_reg=relative_diag_reg,
            tol=tol,
            progress=progress,
        )
