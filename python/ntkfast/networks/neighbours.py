"""Kernels of networks that differ in the scales of their weights alone, with shared fits."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from ntkfast._arrays import FloatArray
from ntkfast._derivatives import Cotangent
from ntkfast._ntkfast import NumericalError
from ntkfast.derivatives import Parameter, by_parameters, vjp
from ntkfast.kernels import KernelName, evaluate
from ntkfast.networks.base import Network
from ntkfast.networks.composition import leaves
from ntkfast.networks.elementwise import Numerical

if TYPE_CHECKING:
    from ntkfast._ntkfast import Prepared

__all__ = ["Neighbours"]

Functions: TypeAlias = tuple[Numerical, ...]

# Neighbourhoods that are kept; a search that returns to one finds it.
_KEPT = 8


class Neighbours:
    """Gram matrices of networks that are neighbours, on samples whose norms are similar.

    An activation without a closed form is fitted to the standard deviations of the rows, which
    costs more than a small kernel. Here it is fitted for a neighbourhood: for the range that the
    first network has, times e^(±l·reach) before the l-th such activation. The networks are equal
    but for factors of their w_std and b_std. Each of them whose rows stay in the range shares the
    fits. A network beyond it begins another neighbourhood.

    The kernels have the precision of other kernels with fits, and the last bits of fits for wider
    ranges. Networks without such activations have the bits of `Network.ntk` and `Network.nngp`.

    Attributes
    ----------
    x
        The samples, which may be replaced.
    reach
        As above, a logarithm.
    """

    def __init__(self, x: FloatArray, reach: float) -> None:
        self.x, self.reach = x, reach
        self._kept: list[tuple[Functions, Prepared]] = []
        self._alone = False

    def gram(self, network: Network, kernel: KernelName) -> FloatArray:
        """Compute a kernel of the samples; the errors are those of `Network.ntk`."""
        return self._with_fits(network, lambda prepared: self._evaluate(network, prepared, kernel))

    def gradients(
        self,
        network: Network,
        parameters: list[Parameter],
        kernel: KernelName,
        rows: int | None = None,
    ) -> FloatArray:
        """Compute derivatives of that kernel, see `derivatives.by_parameters`; of some rows."""

        def work(prepared: Prepared | None) -> FloatArray:
            return by_parameters(
                network._program,
                self.x[:rows],
                None,
                parameters,
                kernel=kernel,
                progress=None,
                prepared=prepared,
            )

        return self._with_fits(network, work)

    def vjp(self, network: Network, g: Cotangent, kernel: KernelName) -> FloatArray:
        """Compute the gradient of Σ g∘K by the samples, see `derivatives.vjp`."""

        def work(prepared: Prepared | None) -> FloatArray:
            found = vjp(
                network._program,
                self.x,
                None,
                g,
                kernel=kernel,
                progress=None,
                prepared=prepared,
            )
            assert not isinstance(found, tuple)
            return found

        return self._with_fits(network, work)

    def _with_fits(
        self, network: Network, work: Callable[[Prepared | None], FloatArray]
    ) -> FloatArray:
        """Return what `work` makes of the network with shared fits; of None if there are none."""
        functions = _functions(network)
        if functions and not self._alone:
            for of, prepared in self._kept:
                if of != functions:
                    continue
                with suppress(ValueError):  # of samples that these fits, or no network, cover
                    return work(network._program.prepare_like(prepared))
            own = self._around(network)
            if own is not None:
                self._kept = [(functions, own), *self._kept[: _KEPT - 1]]
                return work(own)
        return work(None)

    def _around(self, network: Network) -> Prepared | None:
        """Return the network with fits for a neighbourhood; None if they are not as exact."""
        recipe = network._program.prepare(self.x).recipe
        fits = [
            _widened(scales, math.exp(self.reach * order))
            for order, scales in enumerate(recipe["fits"], start=1)
        ]
        try:
            return network._program.prepare_again({**recipe, "fits": fits})
        except (ValueError, NumericalError):
            self._alone = True
            return None

    def _evaluate(
        self, network: Network, prepared: Prepared | None, kernel: KernelName
    ) -> FloatArray:
        return evaluate(
            network._program if prepared is None else prepared,
            self.x,
            None,
            wanted=(kernel,),
            out=(None,),
            diagonal=False,
            progress=None,
            rank=network._rank,
        )[0]


def _widened(scales: dict[str, Any], factor: float) -> dict[str, Any]:
    slack = factor * (1 + 1e-6)
    return {**scales, "low": scales["low"] / slack, "high": scales["high"] * slack}


def _functions(network: Network) -> Functions:
    """Return the activations without a closed form, in order."""
    return tuple(layer for layer in leaves(network) if isinstance(layer, Numerical))
