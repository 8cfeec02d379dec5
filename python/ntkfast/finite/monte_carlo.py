"""Kernels as means over random finite networks, with standard errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import as_points
from ntkfast._display import Displayed, Fact
from ntkfast._memory import check
from ntkfast._progress import Progress, reporting
from ntkfast._scalars import as_size
from ntkfast._seed import Seed, as_generator
from ntkfast.finite._arguments import as_inputs, as_rows, as_second
from ntkfast.finite.initial import init
from ntkfast.networks import Network
from ntkfast.networks.activations import Array

__all__ = ["MonteCarloKernels", "monte_carlo_kernels"]


@dataclass(frozen=True, eq=False, repr=False)
class MonteCarloKernels(Displayed):
    """Means of the kernels of random finite networks.

    Attributes
    ----------
    nngp, ntk
        Shape (n, m): the means.
    nngp_error, ntk_error
        Shape (n, m): their standard errors, from the spread of the networks.
    n_samples
        Number of networks.
    """

    nngp: Array
    ntk: Array
    nngp_error: Array
    ntk_error: Array
    n_samples: int

    def _facts(self) -> Iterator[Fact]:
        yield "", f"{self.n_samples} networks"
        yield "shape", self.ntk.shape
        errors = (error.max(initial=0.0) for error in (self.nngp_error, self.ntk_error))
        yield "largest standard errors:", "nngp {:.3g}, ntk {:.3g}".format(*errors)


class _Mean:
    """A mean and its standard error, updated per sample by the recurrence of Welford (1962)."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.count, self.mean, self._squares = 0, np.zeros(shape), np.zeros(shape)

    def add(self, sample: Array) -> None:
        """Add one sample."""
        self.count += 1
        gap = sample - self.mean
        self.mean += gap / self.count
        self._squares += gap * (sample - self.mean)

    @property
    def error(self) -> Array:
        """The standard error of the mean."""
        result: Array = np.sqrt(self._squares / (self.count - 1) / self.count)
        return result


def monte_carlo_kernels(
    network: Network,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    n_samples: int,
    seed: Seed,
    width: int | None = None,
    progress: Progress = None,
) -> MonteCarloKernels:
    """Average the NNGP kernel and the NTK over random networks of finite width.

    Parameters
    ----------
    network
        The architecture. If the readout has no width, it has one output.
    x
        Shape (n, n_features).
    x2
        Shape (m, n_features). If omitted, it is ``x``.
    n_samples
        Number of networks, ≥ 2.
    seed
        As for `init`. The same integer gives the same result, and its first networks do not depend
        on ``n_samples``.
    width
        Width of hidden layers without a width.
    progress
        True for a tqdm bar, or any ``callable(done, total)``, called after each network.

    Returns
    -------
    MonteCarloKernels

    Raises
    ------
    TypeError, ValueError, NumericalError
        As for `init` and `FiniteNetwork`.

    Notes
    -----
    Networks are drawn one after another. The memory is that of one network and six arrays (n, m).
    Each network needs one pass per kernel. The result is the mean at this width. For networks with
    more than one hidden layer it differs from the infinite-width kernel by O(1/width).

    Examples
    --------
    >>> from ntkfast import mlp
    >>> net, x = mlp(1, w_std=2**0.5), [[1.0, 0.5], [-0.3, 2.0]]
    >>> sampled = monte_carlo_kernels(net, x, n_samples=100, seed=0, width=64)
    >>> bool((abs(sampled.ntk - net.ntk(x)) < 4 * sampled.ntk_error).all())
    True
    """
    network = as_rows(network)
    n_samples = as_size(n_samples, "n_samples", least=2)
    rng = as_generator(seed)
    points = as_inputs(x, "x", as_points(x, "x").shape[1])
    others = as_second(x, x2, points.shape[1])
    shape = (len(points), len(points if others is None else others))
    check(6 * 8 * math.prod(shape), f"six arrays of shape {shape} in float64", "use fewer points")
    nngp, ntk = _Mean(shape), _Mean(shape)
    with reporting(progress, "Monte Carlo", "network") as report:
        for done in range(1, n_samples + 1):
            finite = init(network, points.shape[1], rng, width=width)
            nngp.add(finite.nngp(points, others))
            ntk.add(finite.ntk(points, others))
            if report is not None:
                report(done, n_samples)
    return MonteCarloKernels(nngp.mean, ntk.mean, nngp.error, ntk.error, n_samples)
