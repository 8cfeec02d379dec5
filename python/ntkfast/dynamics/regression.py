"""Kernel regression: where training ends, without the way there."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._gram import as_diagonal, number_or_shape
from ntkfast.dynamics._arguments import as_cross_kernel, as_targets
from ntkfast.linalg import Cholesky, as_square, matmul
from ntkfast.solvers import Prepared, RefinedSolver, Solver

__all__ = ["KernelRegression"]

_REMEDY = "give more diag_reg, or take GradientFlow at t = inf, which serves singular kernels"


@dataclass(frozen=True, eq=False, repr=False, init=False)
class KernelRegression(Displayed):
    """Kernel (ridge) regression, f(x) = Θ(x, X)·(Θ + r)⁻¹·y: training at t = ∞ from f_0 = 0.

    A Cholesky factor is all it takes, at a thirtieth of the cost of the eigendecomposition that
    `GradientFlow` needs for the times before. For an initial function f_0 give y − f_0(X) as the
    targets, and add f_0 to what is predicted.

    Parameters
    ----------
    theta
        The NTK (or any kernel) between the n training points, shape (n, n). An array of float64 is
        kept as it is, not copied: leave it alone afterwards.
    y
        Targets, shape (n,), (n, c) or (n, …).
    diag_reg
        The regularisation r ≥ 0, a number or one a point, shape (n,). At 0 the training points
        are interpolated.

    Attributes
    ----------
    coefficients
        Shape of ``y``: α = (Θ + r)⁻¹·y, with which f(x) = Θ(x, X)·α.
    solver, prepared
        What solved the system, a `nk.solvers.Solver`, and what it made ready, a
        `nk.solvers.Prepared`: all that further right-hand sides take. With ``y`` and ``diag_reg``
        this is the whole of what was learnt.
    cholesky
        The factor of Θ + r, in its own precision: computed on first use where one in float32 was
        enough to solve.
    jitter
        What was added to the diagonal beyond ``diag_reg``: 0 unless Θ + r is singular to working
        precision, then at most √ε times its largest diagonal entry, and said in a RuntimeWarning.
    condition_estimate
        (max L_ii/min L_ii)² of the factor L: a lower bound of the condition number, to the digits
        of the precision that L was computed in.
    seconds
        Wall-clock time of the factorisation and the solve.

    Raises
    ------
    TypeError
        Arguments that are not real numbers.
    ValueError
        ``theta`` is not square, symmetric or finite; ``y`` or ``diag_reg`` has another length;
        ``diag_reg`` is negative.
    NumericalError
        Θ + r is not positive semi-definite, beyond what the bounded jitter can mend; or so small
        that α overflows.

    Notes
    -----
    Costs n³/3 and 2·n²·c. From 512 points on, float64 systems with a condition number below some
    10⁵ are factorised in float32, twice as fast, and refined until the residual is of the size
    that a solve in float64 leaves; where that does not converge, they are factorised in float64
    after all.

    Where Θ is singular, points that coincide with equal labels are learnt, and of contradictory
    labels the mean: up to the jitter j as errors of j/λ (relative) and ε/j.
    `GradientFlow` at t = ∞ gives that limit without jitter.

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

    def __init__(
        self, theta: npt.ArrayLike, y: npt.ArrayLike, *, diag_reg: npt.ArrayLike = 0.0
    ) -> None:
        gram = as_square(theta, "theta")
        targets = as_targets(y, len(gram))
        ridge = as_diagonal(diag_reg, len(gram), "diag_reg")
        self._learn(RefinedSolver(), gram, targets, ridge, name="theta", remedy=_REMEDY)

    @classmethod
    def _of(
        cls,
        solver: Solver,
        gram: FloatArray,
        y: FloatArray,
        diagonal: FloatArray,
        *,
        name: str,
        remedy: str,
    ) -> KernelRegression:
        """Return the regression of checked arrays, which messages call by their `name`."""
        regression = cls.__new__(cls)
        regression._learn(solver, gram, y, diagonal, name=name, remedy=remedy)
        return regression

    def _learn(
        self,
        solver: Solver,
        gram: FloatArray,
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
            coefficients=solution.reshape(y.shape),
            seconds=time.perf_counter() - begun,
        )  # frozen from here on

    @property
    def cholesky(self) -> Cholesky:
        """The factor of Θ + r."""
        return self.prepared.cholesky

    @property
    def jitter(self) -> float:
        """What was added to the diagonal beyond ``diag_reg``."""
        return self.prepared.jitter

    @property
    def condition_estimate(self) -> float:
        """A lower bound of the condition number of Θ + r; NaN for an empty matrix."""
        return self.prepared.condition_estimate

    def predict(self, k_test_train: npt.ArrayLike) -> FloatArray:
        """Compute f on any points.

        Parameters
        ----------
        k_test_train
            Shape (m, n): Θ between the m points and the n training points.

        Returns
        -------
        ndarray
            Shape (m,) + y.shape[1:]. Costs 2·m·n·c.
        """
        kernel = as_cross_kernel(k_test_train, len(self.y))
        return matmul(kernel, _by_output(self.coefficients)).reshape(len(kernel), *self.y.shape[1:])

    def predict_train(self) -> FloatArray:
        """Compute f on the training points, y − r·α: the targets themselves where r = 0.

        Returns
        -------
        ndarray
            Shape of ``y``.
        """
        return self.y - self._by_point(self.diagonal) * self.coefficients

    def leave_one_out(self) -> FloatArray:
        """Compute what each training point is predicted as by all the others.

        Returns
        -------
        ndarray
            Shape of ``y``: y_i − α_i/[(Θ + r)⁻¹]_ii. Costs 2·n³ once, not n factorisations.
        """
        return self.y - self.coefficients / self._by_point(self.inverse_diagonal)

    @property
    def diagonal(self) -> FloatArray:
        """Shape (n,): what was added to the diagonal of Θ, ``diag_reg`` and ``jitter``."""
        return self.prepared.diagonal

    @property
    def inverse_diagonal(self) -> FloatArray:
        """Shape (n,): the diagonal of (Θ + r)⁻¹. Costs 2·n³ once."""
        return self.prepared.inverse_diagonal

    def _by_point(self, values: FloatArray) -> FloatArray:
        """Shape (n, 1, …), which broadcasts with y."""
        return values.reshape(-1, *[1] * (self.y.ndim - 1))

    def _facts(self) -> Iterator[Fact]:
        yield "n=", len(self.y)
        yield "y of shape", self.y.shape
        yield "diag_reg=", number_or_shape(self.diag_reg)
        yield "jitter=", f"{self.jitter:.2g}"
        yield "condition number", f">= {self.condition_estimate:.3g}"
        yield "", self.coefficients.dtype

    def _remarks(self) -> Iterator[str]:
        yield f"factorised and solved in {self.seconds:.3g} s"
        if self.jitter:
            yield (
                f"singular to working precision: a jitter of {self.jitter:.2g} was added to the "
                "diagonal; look for duplicate points, or regularise more"
            )


def _by_output(values: FloatArray) -> FloatArray:
    """Shape (n, c): a column for each output."""
    return values.reshape(len(values), math.prod(values.shape[1:]))
