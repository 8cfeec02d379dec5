"""Infinitely wide networks trained from random initial weights: their mean and their spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._calls import by_keyword
from ntkfast._display import Displayed, Fact
from ntkfast._gram import as_gram, with_relative
from ntkfast._progress import Progress, counted, one_step
from ntkfast._scalars import as_choice, as_real
from ntkfast.dynamics._arguments import (
    Reduction,
    Times,
    as_settings,
    as_targets,
    as_time,
    as_times,
)
from ntkfast.dynamics._evolution import (
    Block,
    Evolution,
    as_cross_kernels,
    blocks_of_kernels,
    blocks_of_network,
)
from ntkfast.dynamics._limit import Limit, moments_at
from ntkfast.dynamics._predictive import (
    Covariance,
    as_prior,
    as_test_points,
    as_training_points,
    covariance_kind,
    test_blocks,
)
from ntkfast.dynamics.flow import GradientFlow
from ntkfast.dynamics.normal import Normal
from ntkfast.kernels import Kernels
from ntkfast.networks import Network
from ntkfast.solvers.cholesky import prepare_regular

__all__ = ["Ensemble"]

_SETTINGS = ("learning_rate", "reduction", "diag_reg", "relative_diag_reg")


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Ensemble(Displayed):
    """The Gaussian over infinitely wide networks trained by gradient flow for a time t.

    At initialisation the outputs of infinitely wide networks are Gaussian with covariance Σ, the
    NNGP. Gradient flow maps them to f_t(x) = f_0(x) + B_t·(y − f_0(X)) with B_t = Θ(x, X)·A_t (see
    `GradientFlow`). They therefore stay Gaussian, with mean B_t·y and covariance
    Σ** + B_t·Σ·B_tᵀ − B_t·Σ*ᵀ − Σ*·B_tᵀ.

    Parameters
    ----------
    network
        The architecture.
    x
        Training points, one sample per row; copied.
    y
        Targets, shape (n,), (n, c) or (n, …).
    learning_rate, reduction, diag_reg, relative_diag_reg
        Parameters of the training, as for `GradientFlow`. A regularisation pulls towards f_0.
    trained
        ``"all"`` layers, or only the ``"readout"``: the last layer, for which Θ equals Σ.
    progress
        True for a tqdm bar, or any ``callable(done, total)``: for Σ, as tiles finish.

    Attributes
    ----------
    flow
        The training itself, from f_0 = 0: a `GradientFlow` with its ``solver`` and the ``prepared``
        system, which contains the ``spectrum``. It is computed on first use: for a finite time, or
        for t = ∞ if Θ + r is singular to working precision.
    nngp
        Shape (n, n): Σ between the training points.
    network, x
        As passed by the user; None if the ensemble was made by `from_kernels`.
    y, learning_rate, reduction, diag_reg, relative_diag_reg, trained
        As passed by the user.

    Raises
    ------
    TypeError
        ``network`` is not a network, or an array does not consist of real numbers.
    ValueError
        `GradientFlow` or the network rejects the arguments, or ``trained`` is unknown.

    Notes
    -----
    Costs Σ at first. Predictions at t = ∞ need Θ and a Cholesky factor of Θ + r, n³/3 once.
    Predictions at finite times need Θ and its eigendecomposition, about 9·n³ once, and the first
    covariance 4·n³ more. Memory: two n × n arrays at t = ∞, seven at finite times.

    References
    ----------
    Lee et al. (2019), arXiv:1902.06720: the mean and covariance of predictions.

    Examples
    --------
    >>> from ntkfast import mlp
    >>> ensemble = Ensemble(mlp(1, b_std=1.0), [[0.0], [1.0]], [0.0, 1.0])
    >>> ensemble.predict([[1.0], [3.0]], covariance="diagonal").std.round(3)
    array([0.   , 0.788])
    """

    network: Network | None
    x: FloatArray | None
    y: FloatArray
    nngp: FloatArray
    learning_rate: float
    reduction: Reduction
    diag_reg: float
    relative_diag_reg: float
    trained: str

    _kept: ClassVar[tuple[str, ...]] = ("flow",)  # written to files if it has been computed

    def __init__(
        self,
        network: Network,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        learning_rate: float = 1.0,
        reduction: Reduction = "sum",
        diag_reg: float = 0.0,
        relative_diag_reg: float = 0.0,
        trained: Literal["all", "readout"] = "all",
        progress: Progress = None,
    ) -> None:
        trained_ = as_choice(trained, "trained", ("all", "readout"))
        network, points = as_training_points(network, x)
        targets = as_targets(y, len(points), "x")
        settings = as_settings(learning_rate, reduction, diag_reg, relative_diag_reg)
        nngp = network.nngp(points, progress=progress)
        vars(self).update(
            network=network, x=points, y=targets, nngp=nngp, trained=trained_, **settings
        )  # frozen from here on

    @classmethod
    def from_kernels(cls, nngp: npt.ArrayLike, flow: GradientFlow) -> Ensemble:
        """Make an ensemble from Gram matrices: precomputed ones, sums, or any pair (Σ, Θ).

        Parameters
        ----------
        nngp
            Shape (n, n): Σ between the training points, as from ``net.nngp(x)``.
        flow
            The training: a `GradientFlow` with Θ between the training points and with the targets.

        Returns
        -------
        Ensemble
            It has no network. Predict with `predict_kernels`.

        Raises
        ------
        TypeError, ValueError
            ``nngp`` is not symmetric, finite and of the size of Θ, or ``flow`` has another type.

        Examples
        --------
        >>> import numpy as np
        >>> k = np.array([[2.0, 1.0], [1.0, 2.0]])
        >>> ensemble = Ensemble.from_kernels(k, GradientFlow(2 * k, [1.0, -1.0]))
        >>> ensemble.predict_kernels(Kernels(nngp=k[:1], ntk=2 * k[:1])).mean
        array([1.])
        """
        if not isinstance(flow, GradientFlow):
            raise TypeError(
                f"flow is of type {type(flow).__name__}; expected a GradientFlow(theta, y)"
            )
        gram = as_gram(nngp, "nngp", "net.nngp(x)")
        if len(gram) != flow.spectrum.n:
            raise ValueError(
                f"nngp has shape {gram.shape}; expected ({flow.spectrum.n}, {flow.spectrum.n}), "
                "like the kernel of the flow"
            )
        ensemble = cls.__new__(cls)
        settings = {name: getattr(flow, name) for name in _SETTINGS}
        vars(ensemble).update(
            network=None, x=None, y=flow.y, nngp=gram, flow=flow, trained="all", **settings
        )
        return ensemble

    @cached_property
    def flow(self) -> GradientFlow:
        """The training itself. Costs Θ and its eigendecomposition on first use."""
        settings: dict[str, Any] = {name: getattr(self, name) for name in _SETTINGS}
        return GradientFlow(self._theta(), self.y, **settings)

    @by_keyword("the test input")
    def predict(
        self,
        x_test: npt.ArrayLike | None = None,
        *,
        t: float = math.inf,
        covariance: Covariance = "none",
        noise_variance: float = 0.0,
        progress: Progress = None,
    ) -> Normal:
        """Compute the distribution of the trained networks' outputs.

        Parameters
        ----------
        x_test
            Shape (m, n_features); None for the training points.
        t
            Training time from 0 (the prior) to infinity. Use `trajectory` for several times.
        covariance
            ``"none"``; ``"diagonal"``, the variance of each point, computed in blocks of points
            without an m × m array; or ``"full"``.
        noise_variance
            Variance σ² of noise on the targets. Each network has its own draw of the noise, which
            adds σ²·B_t·B_tᵀ. The result does not include the noise of new observations.
        progress
            True for a tqdm bar, or any ``callable(done, total)``, called as blocks of ``x_test``
            finish. The training points, and all points of ``"full"``, are one block.

        Returns
        -------
        Normal
            The distribution at the m points, for each output.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong type, shape or range, or points are given without a network.

        Notes
        -----
        Costs the kernels and 2·m·n² for the mean, 4·m·n² more for variances (2·m·n² less if only
        the readout is trained), 2·m²·n more for the full covariance. It is positive semi-definite
        up to rounding, and no variance is negative.
        """
        return self.trajectory(
            x_test,
            t=as_time(t),
            covariance=covariance,
            noise_variance=noise_variance,
            progress=progress,
        )[0]

    @by_keyword("the test input")
    def trajectory(
        self,
        x_test: npt.ArrayLike | None = None,
        *,
        t: npt.ArrayLike,
        covariance: Covariance = "none",
        noise_variance: float = 0.0,
        progress: Progress = None,
    ) -> list[Normal]:
        """Compute the distributions at several times, computing the kernels once.

        Parameters
        ----------
        x_test
            As in `predict`.
        t
            Shape (k,): times from 0 to infinity.
        covariance, noise_variance, progress
            As in `predict`.

        Returns
        -------
        list of Normal
            One for each time.
        """
        times, shape = as_times(t)
        if len(shape) != 1:
            raise ValueError(f"t has shape {shape}; expected (k,), one time or more")
        kind = covariance_kind(covariance)
        noise = as_real(noise_variance, "noise_variance", least=0.0)
        if x_test is None:
            with one_step(progress, "Ensemble"):
                return self._gaussians(times, None, kind, noise)
        points = as_test_points(x_test, self.x, "Ensemble")
        count = len(list(test_blocks(len(points), len(self.nngp), kind)))

        def blocks() -> Iterator[Block]:
            made = blocks_of_network(self.network, points, self.x, self.trained, kind)
            return counted(progress, "Ensemble", made, count)

        return self._gaussians(times, blocks, kind, noise)

    @by_keyword("the test input")
    def predict_kernels(
        self,
        kernels: Kernels,
        nngp_test: npt.ArrayLike | None = None,
        *,
        t: float = math.inf,
        covariance: Covariance = "none",
        noise_variance: float = 0.0,
    ) -> Normal:
        """Compute the distribution of the trained networks' outputs from kernels.

        Parameters
        ----------
        kernels
            Shape (m, n): both kernels between the m points and the n training points, as from
            ``net.kernels(x_test, x)``. If only the readout is trained, only Σ is used.
        nngp_test
            Σ of the m points: shape (m, m), as from ``net.nngp(x_test)``. Its diagonal, (m,), is
            enough for ``covariance="diagonal"``, and None for ``"none"``.
        t, covariance, noise_variance
            As in `predict`.

        Returns
        -------
        Normal
            The distribution at the m points, for each output.
        """
        times = as_time(t)
        kind = covariance_kind(covariance)
        noise = as_real(noise_variance, "noise_variance", least=0.0)
        both = as_cross_kernels(kernels, len(self.nngp), self.trained)
        given = as_prior(nngp_test, len(both.nngp), kind)

        def blocks() -> Iterator[Block]:
            return blocks_of_kernels(both, given, kind)

        return self._gaussians(times, blocks, kind, noise)[0]

    def _facts(self) -> Iterator[Fact]:
        yield "", "kernels" if self.network is None else self.network
        if "flow" in vars(self):
            yield "", self.flow
        else:
            yield "n=", len(self.y)
            yield "y of shape", self.y.shape
            for name in _SETTINGS:
                value = getattr(self, name)
                yield f"{name}=", repr(value) if isinstance(value, str) else f"{value:g}"
        yield "trained=", repr(self.trained)

    def _remarks(self) -> Iterator[str]:
        known = vars(self)
        limit: Limit | None = known.get("_limit")
        if limit is not None:
            yield f"factorised for t = inf in {limit.prepared.seconds:.3g} s"
        if "flow" in known:
            yield from self.flow._remarks()

    def _theta(self) -> FloatArray:
        """Θ between the training points."""
        if self.network is None or self.x is None or self.trained == "readout":
            return self.nngp
        return self.network.ntk(self.x)

    def __getstate__(self) -> dict[str, Any]:
        """Return what was learnt, and the flow if it was computed, but not what follows."""
        return {k: v for k, v in vars(self).items() if k not in ("_limit", "_evolution")}

    @cached_property
    def _limit(self) -> Limit | None:
        """The way to t = ∞ by a Cholesky factor; None if Θ + r may be singular."""
        theta = self._theta()
        absolute = np.asarray(self.diag_reg)
        ridge = float(with_relative(absolute, self.relative_diag_reg, theta, "theta"))
        prepared = prepare_regular(theta, ridge)
        if prepared is None:
            return None
        targets = self.y.reshape(len(self.y), math.prod(self.y.shape[1:]))
        return Limit(prepared, targets, self.nngp, self.trained == "readout")

    @cached_property
    def _evolution(self) -> Evolution:
        return Evolution(self.flow, self.nngp, self.trained == "readout")

    def _gaussians(
        self, times: Times, blocks: Callable[[], Iterator[Block]] | None, kind: str, noise: float
    ) -> list[Normal]:
        """Return the distributions at test points, or at the training points for None."""
        limit = None
        if self.network is not None and np.isinf(times).any():
            limit = self._limit
        moments = moments_at(times, limit, lambda: self._evolution, blocks, kind, noise)
        return [
            Normal(
                mean.reshape(len(mean), *self.y.shape[1:]),
                covariance,
                f"networks trained by gradient flow to t = {t:g}",
            )
            for (mean, covariance), t in zip(moments, times, strict=True)
        ]
