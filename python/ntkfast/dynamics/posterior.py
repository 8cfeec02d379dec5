"""Bayesian inference: the Gaussian process of a network at initialisation, given the data."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed, Fact
from ntkfast._gram import as_diagonal, as_gram, number_or_shape, with_relative
from ntkfast._progress import Progress, counted, one_step
from ntkfast._scalars import as_real
from ntkfast._warnings import warn
from ntkfast.dynamics import _conditioning
from ntkfast.dynamics._append import with_points_of_network
from ntkfast.dynamics._arguments import as_cross_kernel, as_targets, check_order
from ntkfast.dynamics._evidence import maximize_evidence
from ntkfast.dynamics._predictive import (
    Covariance,
    as_prior,
    as_test_points,
    as_training_points,
    covariance_kind,
    test_blocks,
)
from ntkfast.dynamics.normal import Normal
from ntkfast.dynamics.regression import KernelRegression
from ntkfast.networks import Network
from ntkfast.networks.neighbours import Neighbours
from ntkfast.solvers import CholeskySolver

__all__ = ["Posterior"]

# Fits of activations serve changes of w_std and b_std by factors of up to e^0.7 = 2.
_REACH = 0.7
_REMEDY = "look for duplicate points, or increase noise_variance"


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Posterior(Displayed):
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
    relative_diag_reg
        Further noise variance in units of mean(diag Σ), a number ≥ 0. K is then
        Σ + σ² + relative_diag_reg·mean(diag Σ), and means, variances, the evidence and
        leave-one-out are those of data with this noise. ``noise_variance=0`` with
        ``relative_diag_reg=r`` is ``diag_reg=r`` in neural-tangents.
    progress
        True for tqdm bars, or any ``callable(done, total)``: first for the kernel, as tiles finish,
        and then for the factorisation, which is one step, reported before it and after it.

    Attributes
    ----------
    regression
        The mean, a `KernelRegression` with its targets ``y``, its ``coefficients`` K⁻¹·y, its
        ``solver``, the ``prepared`` system K, the ``cholesky`` factor of K, its
        ``condition_estimate``, and the ``jitter`` that was needed, which counts as noise.
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
    Costs the kernel and n³/3.

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

    def __init__(
        self,
        network: Network,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        noise_variance: npt.ArrayLike = 1e-3,
        relative_diag_reg: float = 0.0,
        progress: Progress = None,
    ) -> None:
        network, points = as_training_points(network, x)
        targets = as_targets(y, len(points), "x")
        noise = as_diagonal(noise_variance, len(points), "noise_variance")
        relative = as_real(relative_diag_reg, "relative_diag_reg", least=0.0)
        gram = network.nngp(points, progress=progress)
        with one_step(progress, "Posterior"):
            self._learn(gram, targets, noise, relative, "the NNGP of x")
        vars(self).update(network=network, x=points)  # frozen from here on

    @classmethod
    def from_kernels(
        cls,
        nngp: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        noise_variance: npt.ArrayLike = 1e-3,
        relative_diag_reg: float = 0.0,
    ) -> Posterior:
        """Make a posterior from a Gram matrix: a precomputed one, a sum, or any covariance.

        Parameters
        ----------
        nngp
            Shape (n, n): Σ between the training points, as from ``net.nngp(x)``.
        y, noise_variance, relative_diag_reg
            As for the class.

        Returns
        -------
        Posterior
            It has no network. Predict with `predict_kernels`. The errors are those of the class,
            and ValueError for a matrix that is not symmetric and finite.
        """
        check_order(nngp, y, "nngp")
        gram = as_gram(nngp, "nngp", "net.nngp(x)")
        targets = as_targets(y, len(gram), "nngp")
        noise = as_diagonal(noise_variance, len(gram), "noise_variance")
        relative = as_real(relative_diag_reg, "relative_diag_reg", least=0.0)
        posterior = cls.__new__(cls)
        posterior._learn(gram, targets, noise, relative, "nngp")
        vars(posterior).update(network=None, x=None)
        return posterior

    def _learn(
        self, gram: FloatArray, y: FloatArray, noise: FloatArray, relative: float, name: str
    ) -> None:
        regression = _regression(gram, y, with_relative(noise, relative, gram, name), name)
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

        Returns
        -------
        Posterior
            The posterior at the maximum, with the chosen ``network`` and ``noise_variance``.

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
        Uses SciPy's method of Nelder and Mead on the logarithms of the factors: one or two hundred
        posteriors, in float64. Activations without a closed form are fitted for neighbourhoods, in
        which w_std and b_std change by factors of up to two, and not for each posterior. The
        maximum is local. If there may be several maxima, start from
        several networks and compare `log_marginal_likelihood`.
        """
        network, points = as_training_points(network, x)
        targets = as_targets(y, len(points), "x")
        noise = as_diagonal(noise_variance, len(points), "noise_variance")

        near = Neighbours(points.astype(np.float64, copy=False), _REACH)

        def evidence(candidate: Network, variance: FloatArray) -> float:
            gram = near.gram(candidate, "nngp")
            return _evidence(_regression(gram, targets, variance, "the NNGP of x"))

        best, variance = maximize_evidence(evidence, network, noise, span)
        posterior = cls(best, points, targets, noise_variance=variance)
        jitter, least = posterior.regression.jitter, float(np.min(variance, initial=math.inf))
        if jitter > least:
            warn(
                f"Posterior.maximize: the noise_variance that it reports, {least:.2g}, is below "
                f"the jitter of {jitter:.2g} that the kernel needed, which counts as noise too; "
                "scale the features to mean 0 and standard deviation 1, or compute in float64"
            )
        return posterior

    @by_keyword("the test input")
    def predict(
        self,
        x_test: npt.ArrayLike | None = None,
        *,
        covariance: Covariance = "none",
        progress: Progress = None,
    ) -> Normal:
        """Compute the distribution of the function without noise.

        Parameters
        ----------
        x_test
            Shape (m, n_features); None for the training points.
        covariance
            ``"none"``; ``"diagonal"``, the variance of each point, computed in blocks of points
            without an m × m array; or ``"full"``.
        progress
            True for a tqdm bar, or any ``callable(done, total)``, called as blocks of ``x_test``
            finish. The training points, and all points of ``"full"``, are one block.

        Returns
        -------
        Normal
            The distribution at the m points, for each output. Its
            ``log_density(y_test, noise_variance=…)`` is the log predictive density of observations.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong type or shape, or points are given without a network.

        Notes
        -----
        Costs the kernel, 2·m·n for the mean, 2·m·n² for variances, 2·m²·n more for covariances.
        """
        kind = covariance_kind(covariance)
        if x_test is None:
            with one_step(progress, "Posterior"):
                return self._normal(*_conditioning.on_training_points(self.regression, kind))
        points = as_test_points(x_test, self.x, "Posterior")

        blocks = _conditioning.blocks_of_network(self.network, points, self.x, kind)
        count = len(list(test_blocks(len(points), len(self.regression.y), kind)))
        blocks = counted(progress, "Posterior", blocks, count)
        return self._normal(*_conditioning.on_test_points(self.regression, blocks))

    @by_keyword("the test input")
    def predict_kernels(
        self,
        nngp_test_train: npt.ArrayLike,
        nngp_test: npt.ArrayLike | None = None,
        *,
        covariance: Covariance = "none",
    ) -> Normal:
        """Compute the distribution of the function from kernels.

        Parameters
        ----------
        nngp_test_train
            Shape (m, n): Σ between the m points and the n training points.
        nngp_test
            Σ of the m points: shape (m, m), as from ``net.nngp(x_test)``. Its diagonal, (m,), is
            enough for ``covariance="diagonal"``, and None for ``"none"``.
        covariance
            As in `predict`.

        Returns
        -------
        Normal
            The distribution at the m points, for each output.
        """
        kind = covariance_kind(covariance)
        n = len(self.regression.y)
        cross = as_cross_kernel(nngp_test_train, n, "nngp_test_train", "net.nngp")
        given = as_prior(nngp_test, len(cross), kind)
        blocks = _conditioning.blocks_of_kernels(cross, given, kind)
        return self._normal(*_conditioning.on_test_points(self.regression, blocks))

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
            computed afresh, n³/3, with a ``relative_diag_reg``, with a jitter, or for new points of
            a wider type.
        """
        fit = replace(self.regression._fit, relative_diag_reg=self.relative_diag_reg)
        noise = self.noise_variance
        points, y, noise, found = with_points_of_network(
            fit, self.network, self.x, x_new, y_new, noise, noise_variance
        )
        if found is None:
            assert self.network is not None
            relative = self.relative_diag_reg
            return Posterior(
                self.network, points, y, noise_variance=noise, relative_diag_reg=relative
            )
        posterior = copy.copy(self)
        regression = self.regression._with(found)
        vars(posterior).update(x=points, noise_variance=noise, regression=regression)
        return posterior

    def log_marginal_likelihood(self) -> float:
        """Compute log p(y), the evidence for the network and the noise, summed over the outputs.

        For each output it is −½(yᵀK⁻¹y + log det K + n·log 2π).
        """
        return _evidence(self.regression)

    def leave_one_out(self) -> Normal:
        """Predict each training point from all the others.

        Returns
        -------
        Normal
            The distribution of the function: mean y_i − α_i/[K⁻¹]_ii, variance 1/[K⁻¹]_ii − σ². Its
            ``log_density(y, noise_variance=…)`` is the log predictive probability of
            leave-one-out cross-validation. Costs 2·n³ once instead of n factorisations.
        """
        variance = 1 / self.regression.inverse_diagonal - self.regression.diagonal
        mean = self.regression.leave_one_out()
        return Normal(mean, np.maximum(variance, 0), "NNGP posterior, leave-one-out")

    def _normal(self, mean: FloatArray, covariance: FloatArray | None) -> Normal:
        outputs = self.regression.y.shape[1:]
        return Normal(mean.reshape(len(mean), *outputs), covariance, "NNGP posterior")

    def _facts(self) -> Iterator[Fact]:
        yield "", "kernels" if self.network is None else self.network
        yield "noise_variance=", number_or_shape(self.noise_variance)
        if self.relative_diag_reg:
            yield "relative_diag_reg=", f"{self.relative_diag_reg:g}"
        yield "", self.regression

    def _remarks(self) -> Iterator[str]:
        return self.regression._remarks()


def _regression(
    gram: FloatArray, targets: FloatArray, noise: FloatArray, name: str
) -> KernelRegression:
    return KernelRegression._of(CholeskySolver(), gram, targets, noise, name=name, remedy=_REMEDY)


def _evidence(regression: KernelRegression) -> float:
    """Compute log p(y), summed over the outputs."""
    y, prepared = regression.y, regression.prepared
    fit = float(np.sum(y * regression.coefficients, dtype=np.float64))
    complexity = prepared.log_determinant + prepared.n * math.log(2 * math.pi)
    return -0.5 * (fit + math.prod(y.shape[1:]) * complexity)
