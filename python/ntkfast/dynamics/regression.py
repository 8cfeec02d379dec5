"""Kernel regression: the t → ∞ limit of training, computed directly."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._gram import as_diagonal, number_or_shape, with_relative
from ntkfast._progress import Progress, one_step
from ntkfast._scalars import as_real
from ntkfast.dynamics._append import Fit, with_kernels, with_points
from ntkfast.dynamics._arguments import as_targets, check_order
from ntkfast.dynamics._chunks import outputs_from
from ntkfast.dynamics._solvers import SolverChoice, chosen
from ntkfast.linalg import Cholesky, as_square
from ntkfast.operators import Operator
from ntkfast.solvers import (
    ConjugateGradients,
    Prepared,
    PreparedByProducts,
    SingleCholeskySolver,
    Solver,
)

__all__ = ["KernelRegression"]

_REMEDY = "increase diag_reg, or use GradientFlow at t = inf, which handles singular kernels"


@dataclass(frozen=True, eq=False, repr=False, init=False)
class KernelRegression(Displayed):
    """Kernel (ridge) regression, f(x) = Θ(x, X)·(Θ + r)⁻¹·y: training at t = ∞ from f_0 = 0.

    It needs only a Cholesky factor, at a thirtieth of the cost of the eigendecomposition that
    `GradientFlow` needs for finite times. For an initial function f_0, pass y − f_0(X) as the
    targets and add f_0 to the predictions.

    Parameters
    ----------
    theta
        The NTK (or any kernel) between the n training points, shape (n, n): an array, or an
        operator such as `nk.KernelOperator`. A float64 array is kept without a copy; do not change
        it afterwards.
    y
        Targets, shape (n,), (n, c) or (n, …).
    diag_reg
        The regularisation r ≥ 0, a number or one per point, shape (n,). At 0 the outputs
        interpolate the training points.
    relative_diag_reg
        The same in units of mean(diag Θ), a number ≥ 0; both may be given, and r is their sum.
    solver
        ``"cholesky"``, ``"eigen"``, ``"cg"`` (`nk.solvers.ConjugateGradients`, which needs products
        alone), or a solver of `nk.solvers` with its own parameters. ``"auto"``: conjugate gradients
        for operators of more than 10,000 points, or whose factor would take more than half of the
        memory that is free, if ``diag_reg`` is one number; otherwise Cholesky. The factor of an
        operator is one in float32 in the memory of its matrix (`nk.solvers.SingleCholeskySolver`)
        if two matrices do not fit.
    tol
        Residual of the coefficients, relative to y, for solvers by products; None: 1e-6.
    progress
        True for a tqdm bar, or any ``callable(done, total)``. A solution by a factor is one step,
        reported before it and after it.

    Attributes
    ----------
    coefficients
        Shape of ``y``: α = (Θ + r)⁻¹·y, so that f(x) = Θ(x, X)·α.
    solver, prepared
        The `nk.solvers.Solver` that solved the system, and the `nk.solvers.Prepared` system, which
        solves for further right-hand sides. Together with ``y`` and the regularisation they hold
        everything that was learnt.
    y, diag_reg, relative_diag_reg
        As passed by the user.
    cholesky
        The factor of Θ + r, in its own precision. It is computed on first use if a float32 factor
        was enough for the solve.
    jitter
        Number added to the diagonal in addition to r. It is 0 unless Θ + r is singular
        to working precision. It is then at most √ε times the largest diagonal entry, and a
        RuntimeWarning reports it.
    condition_estimate
        (max L_ii/min L_ii)² of the factor L, or what the pivots of ``"cg"`` show: a lower bound of
        the condition number, to the digits of the precision in which they were computed.
    seconds
        Wall-clock time of the factorisation and the solve.

    Raises
    ------
    TypeError
        An argument does not consist of real numbers.
    ValueError
        ``theta`` is not square, symmetric or finite; ``y`` or ``diag_reg`` has another length; or
        a regularisation is negative or exceeds the range of a float.
    NumericalError
        Θ + r is not positive semi-definite, even with the largest jitter, or so small that α
        overflows.

    Notes
    -----
    Costs n³/3 and 2·n²·c. From 512 points on, float64 systems with a condition number below about
    10⁵ are factorised in float32, which is twice as fast, and refined until the residual is as
    small as that of a float64 solve. If the refinement does not converge, they are factorised in
    float64.

    If Θ is singular, duplicate points with equal labels are learnt, and for contradictory labels
    their mean is learnt, up to errors of j/λ (relative) and ε/j for the jitter j.
    `GradientFlow` at t = ∞ gives this limit without jitter.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), arXiv:1806.07572. Refinement: Higham (2002), Accuracy and
    Stability of Numerical Algorithms, chapter 12.

    Examples
    --------
    >>> KernelRegression([[2.0, 0.0], [0.0, 1.0]], [1.0, 3.0]).predict([[2.0, 1.0]])
    array([4.])
    """

    solver: Solver
    prepared: Prepared
    y: FloatArray
    diag_reg: FloatArray
    coefficients: FloatArray
    seconds: float
    relative_diag_reg: float = 0.0

    def __init__(
        self,
        theta: npt.ArrayLike | Operator,
        y: npt.ArrayLike,
        *,
        diag_reg: npt.ArrayLike = 0.0,
        relative_diag_reg: float = 0.0,
        solver: SolverChoice = "auto",
        tol: float | None = None,
        progress: Progress = None,
    ) -> None:
        check_order(theta, y, "theta")
        method, gram = chosen(solver, _as_matrix(theta), diag_reg, tol=tol, progress=progress)
        targets = as_targets(y, len(gram))
        absolute = as_diagonal(diag_reg, len(gram), "diag_reg")
        relative = as_real(relative_diag_reg, "relative_diag_reg", least=0.0)
        ridge = with_relative(absolute, relative, gram, "theta")
        own = isinstance(method, (ConjugateGradients, SingleCholeskySolver))  # which report more
        with one_step(None if own else progress, "KernelRegression"):
            self._learn(method, gram, targets, ridge, name="theta", remedy=_REMEDY)
        vars(self).update(diag_reg=absolute, relative_diag_reg=relative)

    @classmethod
    def _of(
        cls,
        solver: Solver,
        gram: FloatArray | Operator,
        y: FloatArray,
        diagonal: FloatArray,
        *,
        name: str,
        remedy: str,
    ) -> KernelRegression:
        """Return the regression of checked arrays; messages call the matrix `name`."""
        regression = cls.__new__(cls)
        regression._learn(solver, gram, y, diagonal, name=name, remedy=remedy)
        return regression

    def _learn(
        self,
        solver: Solver,
        gram: FloatArray | Operator,
        y: FloatArray,
        diagonal: FloatArray,
        *,
        name: str,
        remedy: str,
    ) -> None:
        begun = time.perf_counter()
        prepared, solution = solver.solve(gram, diagonal, _by_output(y), name=name, remedy=remedy)
        vars(self).update(
            solver=solver,
            prepared=prepared,
            y=y,
            diag_reg=diagonal,
            coefficients=solution.reshape(y.shape).astype(
                np.result_type(gram.dtype, y.dtype), copy=False
            ),
            seconds=time.perf_counter() - begun,
        )  # frozen from here on

    @property
    def cholesky(self) -> Cholesky:
        """The factor of Θ + r."""
        return self.prepared.cholesky

    @property
    def jitter(self) -> float:
        """Number added to the diagonal in addition to the regularisation."""
        return self.prepared.jitter

    @property
    def condition_estimate(self) -> float:
        """A lower bound of the condition number of Θ + r; NaN for an empty matrix."""
        return self.prepared.condition_estimate

    def predict(self, k_test_train: npt.ArrayLike | Operator) -> FloatArray:
        """Compute f at any points.

        Parameters
        ----------
        k_test_train
            Shape (m, n): Θ between the m points and the n training points. An operator, such as
            ``nk.KernelOperator(net, x_test, x, memory=0)``, is computed block by block. Or a
            dask.array, such as ``net.ntk(x_test, x)`` for an ``x_test`` that is one.

        Returns
        -------
        ndarray
            Shape (m,) + y.shape[1:]. Costs 2·m·n·c. For a dask.array it is one, lazy.
        """
        return outputs_from(self.coefficients, k_test_train)

    def predict_train(self) -> FloatArray:
        """Compute f on the training points, y − r·α, which equals the targets if r = 0.

        Returns
        -------
        ndarray
            Shape of ``y``.
        """
        return self.y - self._by_point(self.diagonal) * self.coefficients

    def leave_one_out(self) -> FloatArray:
        """Predict each training point from all the others.

        Returns
        -------
        ndarray
            Shape of ``y``: y_i − α_i/[(Θ + r)⁻¹]_ii. Costs n³/3 once instead of n factorisations.
            Conjugate gradients estimate it with random vectors: the root mean square of y minus
            the result is right to about 3 %, single points are not.
        """
        return self.y - self.coefficients / self._by_point(self.inverse_diagonal)

    def append(
        self,
        k_new_train: npt.ArrayLike,
        k_new: npt.ArrayLike,
        y_new: npt.ArrayLike,
        *,
        diag_reg: npt.ArrayLike | None = None,
    ) -> KernelRegression:
        """Return the regression of the training points and b further ones.

        Parameters
        ----------
        k_new_train, k_new
            Shapes (b, n) and (b, b): Θ between the new and the training points, and between the
            new points.
        y_new
            Shape (b,) + y.shape[1:]: the targets of the new points.
        diag_reg
            The regularisation of the new points, a number or shape (b,), if the regression has one
            number per point; otherwise None.

        Returns
        -------
        KernelRegression
            That of all points, to rounding. Costs n²·b for new rows of the factor and 2·n²·c for
            the solution; n³/3 once if there is no factor yet, as after a refined float32 solve.
            With ``"cg"``, a solution that begins with the coefficients so far.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong type or shape; the kernels are float64, and the factor
            float32; there are only eigenvectors; or the new points change what
            ``relative_diag_reg`` adds to the diagonal.
        NumericalError
            All points together need a jitter, or needed one before.
        """
        return self._with(with_kernels(self._fit, k_new_train, k_new, y_new, diag_reg))

    def append_points(self, x_new: npt.ArrayLike, y_new: npt.ArrayLike) -> KernelRegression:
        """Return the regression of the training points of a `nk.KernelOperator` and further ones.

        Parameters
        ----------
        x_new, y_new
            Shapes (b, n_features) and (b,) + y.shape[1:]: the new points and their targets.

        Returns
        -------
        KernelRegression
            That of all points to the residual of the solver, which begins with the coefficients so
            far. Kernels are computed again. ValueError if Θ is not a `nk.KernelOperator`, or was
            not solved by ``"cg"``.
        """
        return self._with(with_points(self._fit, x_new, y_new))

    @property
    def _fit(self) -> Fit:
        return Fit(**{field.name: getattr(self, field.name) for field in fields(Fit)})

    def _with(self, results: dict[str, Any]) -> KernelRegression:
        """Return a copy with other results."""
        regression = copy.copy(self)
        vars(regression).update(results)
        return regression

    @property
    def diagonal(self) -> FloatArray:
        """Shape (n,): numbers added to the diagonal of Θ, the regularisation plus ``jitter``."""
        return self.prepared.diagonal

    @property
    def inverse_diagonal(self) -> FloatArray:
        """Shape (n,): the diagonal of (Θ + r)⁻¹; see `leave_one_out` and `prepared`."""
        return self.prepared.inverse_diagonal

    def _by_point(self, values: FloatArray) -> FloatArray:
        """Shape (n, 1, …), which broadcasts with y."""
        return values.reshape(-1, *[1] * (self.y.ndim - 1))

    def _facts(self) -> Iterator[Fact]:
        yield "n=", len(self.y)
        yield "y of shape", self.y.shape
        yield "diag_reg=", number_or_shape(self.diag_reg)
        if self.relative_diag_reg:
            yield "relative_diag_reg=", f"{self.relative_diag_reg:g}"
        yield "jitter=", f"{self.jitter:.2g}"
        yield "condition number", f">= {self.condition_estimate:.3g}"
        yield "", self.coefficients.dtype

    def _remarks(self) -> Iterator[str]:
        yield f"solved by {type(self.solver).__name__} in {self.seconds:.3g} s"
        if isinstance(self.prepared, PreparedByProducts) and (report := self.prepared.report):
            reached = report.residuals.max(initial=0.0)
            yield f"last solution: residual {reached:.2g} after {report.products} products"
        if self.jitter:
            yield (
                f"singular to working precision: a jitter of {self.jitter:.2g} was added to the "
                "diagonal; look for duplicate points, or increase the regularisation"
            )


def _as_matrix(theta: npt.ArrayLike | Operator) -> FloatArray | Operator:
    """Return a square matrix or operator."""
    if not isinstance(theta, Operator):
        return as_square(theta, "theta")
    if theta.shape[0] != theta.shape[1]:
        raise ValueError(f"theta has shape {theta.shape}; expected a square operator, (n, n)")
    return theta


def _by_output(values: FloatArray) -> FloatArray:
    """Shape (n, c): one column per output."""
    return values.reshape(len(values), math.prod(values.shape[1:]))
