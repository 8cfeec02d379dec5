"""Bayesian inference: the Gaussian process of a network at initialisation, given the data."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._gram import as_diagonal, as_gram, with_relative
from ntkfast._progress import Progress, one_step
from ntkfast._scalars import as_flag, as_real
from ntkfast.dynamics._append import with_points_of_network
from ntkfast.dynamics._arguments import as_targets, check_order
from ntkfast.dynamics._choice import chosen_by_evidence, tell_of_jitter
from ntkfast.dynamics._conditioned import ConditionedGaussian
from ntkfast.dynamics._evidence import Candidate
from ntkfast.dynamics._predictive import (
    as_training_points,
)
from ntkfast.dynamics._scaled import as_factors, scaled_features
from ntkfast.dynamics._solvers import SolverChoice, as_solver, chosen, kernel_between
from ntkfast.dynamics.regression import KernelRegression
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator, Operator
from ntkfast.solvers._symmetry import as_symmetric

__all__ = ["Posterior"]

_REMEDY = "look for duplicate points, or increase noise_variance"


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Posterior(ConditionedGaussian):
    """The NNGP posterior: Gaussian process regression with the covariance of an infinite network.

    With K = Σ + σ² and Σ the NNGP: mean Σ*·K⁻¹·y and covariance Σ** − Σ*·K⁻¹·Σ*ᵀ, computed from a
    Cholesky factor of K. It corresponds to an `Ensemble` in which only the readout is trained, with
    exact Bayesian inference instead of gradient flow.

    Parameters
    ----------
    network
        The architecture.
    x
        Training points, one sample per row; copied.
    y
        Targets, shape (n,), (n, c) or (n, …). The prior has mean zero, so centre them if necessary.
    noise_variance
        Variance σ² ≥ 0 of the noise on the targets, a number or one per point, shape (n,).
    feature_scales, feature_center
        Scales ≥ 0 and a centre of the features, numbers or shapes (n_features,): kernels are those
        of (x − feature_center)·feature_scales, at all points. None: 1 and 0.
    relative_diag_reg
        Further noise variance in units of mean(diag Σ), a number ≥ 0. K is then
        Σ + σ² + relative_diag_reg·mean(diag Σ), and means, variances, the evidence and
        leave-one-out are those of data with this noise. ``noise_variance=0`` with
        ``relative_diag_reg=r`` is ``diag_reg=r`` in neural-tangents.
    solver
        ``"cholesky"``, ``"cg"``, ``"eigen"``, or a solver of `nk.solvers`. ``"auto"``: a Cholesky
        factor in the precision of the points if Σ and the factor fit into the memory that is free;
        a factor in float32 in the place of Σ (`nk.solvers.SingleCholeskySolver`) if that fits;
        otherwise conjugate gradients, which take one ``noise_variance`` for all points.
    tol
        Residual of the mean's coefficients, relative to y, for solvers by products; None: theirs.
    memory
        Bytes for parts of Σ that are kept, for solvers by products; see `nk.KernelOperator`.
    progress
        True for tqdm bars, or any ``callable(done, total)``: first for the kernel, as tiles finish,
        and then for the factorisation or the solution.

    Attributes
    ----------
    regression
        The mean, a `KernelRegression` with its targets ``y``, its ``coefficients`` K⁻¹·y, its
        ``solver``, the ``prepared`` system K, the ``cholesky`` factor of K, its
        ``condition_estimate``, and the ``jitter`` that was needed, which counts as noise.
    feature_scales, feature_center
        Shape (n_features,) or None: as passed by the user, or as `maximize` chose them.
    network, x
        As passed by the user; None if the posterior was made by `from_kernels`.
    noise_variance, relative_diag_reg
        As passed by the user; ``noise_variance`` is a number, shape (), or shape (n,). Their sum is
        ``regression.diag_reg``.

    Raises
    ------
    TypeError
        ``network`` is not a network, or an array does not consist of real numbers.
    ValueError
        ``y`` or ``noise_variance`` has another length, a variance is negative or exceeds the range
        of a float, or the network rejects the points.
    NumericalError
        K is not positive semi-definite, even with the largest jitter.

    Notes
    -----
    Costs the kernel and n³/3 with a factor; see `nk.solvers` for others. Only a factor in the
    precision of the points is exact in everything. With one in float32, and with conjugate
    gradients, means have the residual `tol`, variances are known to 1 % if rounding permits (the
    result has ``variance_bounds``), and the evidence and leave-one-out are estimates, whose errors
    ``regression.prepared`` has as ``log_determinant_error`` and ``inverse_diagonal_error``.

    References
    ----------
    Lee et al. (2018), arXiv:1711.00165. Rasmussen and Williams (2006), Gaussian Processes for
    Machine Learning, chapters 2 (regression) and 5 (marginal likelihood, leave-one-out).

    Examples
    --------
    >>> from ntkfast import mlp
    >>> posterior = Posterior(mlp(1, b_std=1.0), [[0.0], [1.0]], [0.0, 1.0], noise_variance=0.01)
    >>> at_3 = posterior.predict([[3.0]], covariance="diagonal")
    >>> round(at_3.log_density([2.0], noise_variance=0.01), 3)  # of a noisy observation
    -1.072
    """

    network: Network | None
    x: FloatArray | None
    noise_variance: FloatArray
    regression: KernelRegression
    relative_diag_reg: float = 0.0
    feature_scales: FloatArray | None = None
    feature_center: FloatArray | None = None

    def __init__(
        self,
        network: Network,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        noise_variance: npt.ArrayLike = 1e-3,
        relative_diag_reg: float = 0.0,
        feature_scales: npt.ArrayLike | None = None,
        feature_center: npt.ArrayLike | None = None,
        solver: SolverChoice = "auto",
        tol: float | None = None,
        memory: float | None = None,
        progress: Progress = None,
    ) -> None:
        network, points = as_training_points(network, x)
        targets = as_targets(y, len(points), "x")
        noise = as_diagonal(noise_variance, len(points), "noise_variance")
        relative = as_real(relative_diag_reg, "relative_diag_reg", least=0.0)
        scales = as_factors(feature_scales, "feature_scales", points, least=0.0)
        center = as_factors(feature_center, "feature_center", points)
        gram = kernel_between(
            network,
            scaled_features(points, center, scales),
            "nngp",
            solver=as_solver(solver, tol),
            ridge=noise,
            memory=memory,
            progress=progress,
            kind=KernelOperator.like(x),
        )
        by_products = isinstance(gram, Operator)  # which reports its own steps
        with one_step(None if by_products else progress, "Posterior"):
            self._learn(gram, targets, noise, relative, "the NNGP of x", solver, tol, progress)
        vars(self).update(network=network, x=points)
        vars(self).update(feature_scales=scales, feature_center=center)  # frozen from here on

    @classmethod
    def from_kernels(
        cls,
        nngp: npt.ArrayLike | Operator,
        y: npt.ArrayLike,
        *,
        noise_variance: npt.ArrayLike = 1e-3,
        relative_diag_reg: float = 0.0,
        solver: SolverChoice = "auto",
        tol: float | None = None,
        progress: Progress = None,
    ) -> Posterior:
        """Make a posterior from a Gram matrix: a precomputed one, a sum, or any covariance.

        Parameters
        ----------
        nngp
            Shape (n, n): Σ between the training points, as from ``net.nngp(x)``, or an operator.
        y, noise_variance, relative_diag_reg, solver, tol, progress
            As for the class.

        Returns
        -------
        Posterior
            It has no network. Predict with `predict_kernels`. The errors are those of the class,
            and ValueError for a matrix that is not symmetric and finite.
        """
        check_order(nngp, y, "nngp")
        if isinstance(nngp, Operator):
            gram: FloatArray | Operator = as_symmetric(nngp, "nngp")
        else:
            gram = as_gram(nngp, "nngp", "net.nngp(x)")
        targets = as_targets(y, len(gram), "nngp")
        noise = as_diagonal(noise_variance, len(gram), "noise_variance")
        relative = as_real(relative_diag_reg, "relative_diag_reg", least=0.0)
        posterior = cls.__new__(cls)
        posterior._learn(gram, targets, noise, relative, "nngp", solver, tol, progress)
        vars(posterior).update(network=None, x=None)
        return posterior

    def _learn(
        self,
        gram: FloatArray | Operator,
        y: FloatArray,
        noise: FloatArray,
        relative: float,
        name: str,
        solver: SolverChoice,
        tol: float | None,
        progress: Progress,
    ) -> None:
        method, theta = chosen(solver, gram, noise, tol=tol, progress=progress, factors=True)
        ridge = with_relative(noise, relative, theta, name)
        regression = KernelRegression._of(method, theta, y, ridge, name=name, remedy=_REMEDY)
        vars(self).update(noise_variance=noise, relative_diag_reg=relative, regression=regression)

    @classmethod
    def maximize(
        cls,
        network: Network,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        noise_variance: npt.ArrayLike = 1e-2,
        span: float = 1e3,
        feature_scales: bool = False,
    ) -> Posterior:
        """Choose w_std, b_std and the noise by maximising the log marginal likelihood.

        The search has three factors: for every ``w_std`` of the network, for every ``b_std``, and
        for ``noise_variance``. Layers with equal values keep equal values, and zeros stay zero.

        Parameters
        ----------
        network, x, y
            As for the class. The network is the start of the search.
        noise_variance
            Start of the search, > 0: a number or one per point.
        span
            Each factor stays between 1/span and span.
        feature_scales
            Whether to choose a scale for each feature as well (automatic relevance determination).
            Features are centred, and their scales begin at 1 / standard deviation. Those without
            influence end near 1/span of that. It suits features in any units, such as years.

        Returns
        -------
        Posterior
            The posterior at the maximum, with the chosen ``network``, ``noise_variance`` and
            ``feature_scales``.

        Raises
        ------
        ImportError
            SciPy is not installed; install the extra `scipy`.
        TypeError, ValueError, NumericalError
            As for the class, a ``noise_variance`` of 0, or a start without a likelihood.

        Warns
        -----
        RuntimeWarning
            A factor ends at a bound, the search does not converge or finds nothing better than its
            start, or the kernel needed a jitter larger than the noise that is reported.

        Notes
        -----
        Uses SciPy's L-BFGS-B on the logarithms of the factors with exact derivatives, from the
        given start and from the best of nine candidates around it: some tens of posteriors, in
        float64, each with the inverse of its kernel. ``w_std`` stays between 0.1 and 10, if it
        starts there. Activations without a closed form are fitted for neighbourhoods, in which
        w_std and b_std change by factors of up to two, and not for each posterior. Networks on
        images, and activations that are integrated pair by pair, have no derivatives: the method of
        Nelder and Mead searches there. The maximum is local. If there may be several maxima, start
        from several networks and compare `log_marginal_likelihood`.
        With ``feature_scales`` each posterior has a gradient by the points, too, and a second
        search begins at the maximum with equal scales.
        """
        network, points = as_training_points(network, x)
        targets = as_targets(y, len(points), "x")
        noise = as_diagonal(noise_variance, len(points), "noise_variance")
        best, center = chosen_by_evidence(
            Candidate(network, noise),
            points,
            targets,
            scales=as_flag(feature_scales, "feature_scales"),
            span=span,
            remedy=_REMEDY,
        )
        posterior = cls(
            best.network,
            points,
            targets,
            noise_variance=best.noise,
            feature_scales=best.scales,
            feature_center=center,
        )
        tell_of_jitter(posterior.regression.jitter, best)
        return posterior

    def append(
        self,
        x_new: npt.ArrayLike,
        y_new: npt.ArrayLike,
        *,
        noise_variance: npt.ArrayLike | None = None,
    ) -> Posterior:
        """Return the posterior given b further points.

        Parameters
        ----------
        x_new, y_new
            Shapes (b, n_features) and (b,) + y.shape[1:]: the new points and their targets.
        noise_variance
            Their noise, a number or shape (b,), if the posterior has one number per point;
            otherwise None.

        Returns
        -------
        Posterior
            That of all points, to rounding. Costs the kernels of the new points and n²·b. It is
            computed afresh, at the cost of the first one, with a ``relative_diag_reg``, a jitter,
            an eigendecomposition, or new points of a wider type. A solution by products begins with
            the coefficients so far.
        """
        fit = replace(self.regression._fit, relative_diag_reg=self.relative_diag_reg)
        noise = self.noise_variance
        points, y, noise, found = with_points_of_network(
            fit, self.network, self.x, x_new, y_new, noise, noise_variance, self._features
        )
        if found is None:
            assert self.network is not None
            relative = self.relative_diag_reg
            return Posterior(
                self.network,
                points,
                y,
                noise_variance=noise,
                relative_diag_reg=relative,
                feature_scales=self.feature_scales,
                feature_center=self.feature_center,
                solver=self.regression.solver,
            )
        posterior = copy.copy(self)
        regression = self.regression._with(found)
        vars(posterior).update(x=points, noise_variance=noise, regression=regression)
        return posterior
