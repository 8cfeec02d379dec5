"""Infinitely wide networks trained from random initial weights: their mean and their spread."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Fact
from ntkfast._gram import as_gram, with_relative
from ntkfast._progress import Progress
from ntkfast._scalars import as_choice, as_real, as_tolerance
from ntkfast.dynamics._arguments import Reduction, Times, as_settings, as_targets
from ntkfast.dynamics._by_products import EvolutionByProducts
from ntkfast.dynamics._evolution import Evolution
from ntkfast.dynamics._limit import Limit, moments_at
from ntkfast.dynamics._predictions import Blocks, Predictions
from ntkfast.dynamics._predictive import as_training_points
from ntkfast.dynamics._products import Products
from ntkfast.dynamics._solvers import fits
from ntkfast.dynamics.flow import GradientFlow
from ntkfast.dynamics.normal import Normal
from ntkfast.networks import Network
from ntkfast.operators import KernelOperator, Operator
from ntkfast.solvers import Solver
from ntkfast.solvers._symmetry import as_symmetric
from ntkfast.solvers.cholesky import prepare_regular

__all__ = ["Ensemble"]

SolverName = Literal["auto", "cholesky", "cg", "eigen"]

_SETTINGS = ("learning_rate", "reduction", "diag_reg", "relative_diag_reg")


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Ensemble(Predictions):
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
    solver
        ``"cholesky"``: a factor for t = ∞, if Θ + r is regular, and otherwise eigenvectors.
        ``"eigen"``: eigenvectors for all times. ``"cg"``: products with operators, without any
        n × n array. ``"auto"``: ``"cg"`` for more than 10,000 points, or if a factor would take
        more than half of the memory that is free; otherwise ``"cholesky"``.
    tol
        For ``"cg"``: the error of solutions, as for `GradientFlow` of an operator.
    memory
        For ``"cg"``: bytes for blocks of each kernel that are kept, as for `nk.KernelOperator`.
    progress
        True for a tqdm bar, or any ``callable(done, total)``: for Σ, as tiles finish; for
        ``"cg"``, for products and solutions.

    Attributes
    ----------
    flow
        The training itself, from f_0 = 0: a `GradientFlow` with its ``solver`` and the ``prepared``
        system, which contains the ``spectrum``. It is computed on first use: for a finite time, or
        for t = ∞ if Θ + r is singular to working precision.
    nngp
        Shape (n, n): Σ between the training points; with ``"cg"`` a `nk.KernelOperator`.
    network, x
        As passed by the user; None if the ensemble was made by `from_kernels`.
    y, learning_rate, reduction, diag_reg, relative_diag_reg, trained, solver, tol
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

    With ``"cg"`` nothing is computed at first. A mean costs the products of a `GradientFlow`, and a
    variance those of one further output: 128 test points are solved together at t = ∞, and 16 at
    finite times. Memory: kept blocks of the kernels, and some hundred vectors.

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
    nngp: FloatArray | Operator
    learning_rate: float
    reduction: Reduction
    diag_reg: float
    relative_diag_reg: float
    trained: str
    solver: SolverName = "auto"
    tol: float = 1e-6

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
        solver: SolverName = "auto",
        tol: float = 1e-6,
        memory: float | None = None,
        progress: Progress = None,
    ) -> None:
        trained_ = as_choice(trained, "trained", ("all", "readout"))
        network, points = as_training_points(network, x)
        targets = as_targets(y, len(points), "x")
        settings = as_settings(learning_rate, reduction, diag_reg, relative_diag_reg)
        if isinstance(solver, Solver):
            raise TypeError(
                f"solver is {solver!r}; an Ensemble solves several systems and takes a name: pass "
                "solver='cg' or 'cholesky', and its tol and memory beside it"
            )
        name = as_choice(solver, "solver", ("auto", "cholesky", "eigen", "cg"))
        as_tolerance(tol)
        if memory is not None:
            as_real(memory, "memory", least=0.0)
        nngp: FloatArray | Operator
        if name == "cg" or (name == "auto" and not fits(len(points), points.dtype)):
            kind = KernelOperator.like(x)
            nngp = kind(network, points, kernel="nngp", memory=memory, progress=progress)
        else:
            nngp = network.nngp(points, progress=progress)
        vars(self).update(
            network=network,
            x=points,
            y=targets,
            nngp=nngp,
            trained=trained_,
            solver=name,
            tol=tol,
            **settings,
        )  # frozen from here on

    @classmethod
    def from_kernels(cls, nngp: npt.ArrayLike | Operator, flow: GradientFlow) -> Ensemble:
        """Make an ensemble from Gram matrices: precomputed ones, sums, or any pair (Σ, Θ).

        Parameters
        ----------
        nngp
            Shape (n, n): Σ between the training points, as from ``net.nngp(x)``. An operator, if
            the flow has one.
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
        gram: FloatArray | Operator
        if isinstance(flow.prepared, Products):
            gram = as_symmetric(nngp, "nngp")
        else:
            gram = as_gram(nngp, "nngp", "net.nngp(x)")
        n = len(flow.y)
        if gram.shape != (n, n):
            raise ValueError(
                f"nngp has shape {gram.shape}; expected ({n}, {n}), like the kernel of the flow"
            )
        ensemble = cls.__new__(cls)
        settings = {name: getattr(flow, name) for name in _SETTINGS}
        vars(ensemble).update(
            network=None, x=None, y=flow.y, nngp=gram, flow=flow, trained="all", **settings
        )
        if isinstance(flow.prepared, Products):
            vars(ensemble).update(solver="cg", tol=flow.prepared.tol)
        return ensemble

    @cached_property
    def flow(self) -> GradientFlow:
        """The training itself. Costs Θ and its eigendecomposition on first use."""
        settings: dict[str, Any] = {name: getattr(self, name) for name in _SETTINGS}
        progress = self.nngp.progress if isinstance(self.nngp, KernelOperator) else None
        return GradientFlow(self._theta(), self.y, tol=self.tol, progress=progress, **settings)

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
        if isinstance(self.nngp, Operator):
            chosen = " (solver='auto': a factor would be large)" if self.solver == "auto" else ""
            yield f"solved by products with operators to {self.tol:g}{chosen}"
        limit: Limit | None = known.get("_limit")
        if limit is not None:
            yield f"factorised for t = inf in {limit.prepared.seconds:.3g} s"
        if "flow" in known:
            yield from self.flow._remarks()

    def _theta(self) -> FloatArray | Operator:
        """Θ between the training points."""
        nngp = self.nngp
        if self.network is None or self.x is None or self.trained == "readout":
            return nngp
        if isinstance(nngp, KernelOperator):
            own: dict[str, Any] = {"memory": nngp.memory, "progress": nngp.progress}
            return type(nngp)(self.network, self.x, **own)
        return self.network.ntk(self.x)

    def __getstate__(self) -> dict[str, Any]:
        """Return what was learnt, and the flow if it was computed, but not what follows."""
        return {k: v for k, v in vars(self).items() if k not in ("_limit", "_evolution")}

    @cached_property
    def _limit(self) -> Limit | None:
        """The way to t = ∞ by a Cholesky factor; None if Θ + r may be singular."""
        theta, nngp = self._theta(), self.nngp
        if self.solver == "eigen" or isinstance(theta, Operator) or isinstance(nngp, Operator):
            return None
        absolute = np.asarray(self.diag_reg)
        ridge = float(with_relative(absolute, self.relative_diag_reg, theta, "theta"))
        prepared = prepare_regular(theta, ridge)
        if prepared is None:
            return None
        targets = self.y.reshape(len(self.y), math.prod(self.y.shape[1:]))
        return Limit(prepared, targets, nngp, self.trained == "readout")

    @cached_property
    def _evolution(self) -> Evolution | EvolutionByProducts:
        if isinstance(self.nngp, Operator):
            return EvolutionByProducts(self.flow, self.nngp)
        return Evolution(self.flow, self.nngp, self.trained == "readout")

    def _gaussians(self, times: Times, blocks: Blocks, kind: str, noise: float) -> list[Normal]:
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
