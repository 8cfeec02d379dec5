"""What all blocks of a kernel have in common: computed once from all points, and sent to each.

The bits of a kernel depend on all of its points: on the range of their norms, and on the number of
pairs. A plan holds what follows from these, so that a block on any worker has the bits that it has
in the matrix of one call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial, reduce
from threading import Lock
from typing import TYPE_CHECKING, Any

import dask.array as da
from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from ntkfast._arrays import FloatArray
from ntkfast._ntkfast import Prepared
from ntkfast._version import VERSION, check_version
from ntkfast.dask.samples import naming_chunk
from ntkfast.kernels import as_samples, merged

if TYPE_CHECKING:
    from ntkfast.networks.base import Network

__all__ = ["Plan", "of"]

_Recipe = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A network, and what its kernels between all points depend on.

    Attributes
    ----------
    network
        The network.
    recipe
        What `Program.prepare_again` needs, as JSON.
    version
        The version of ntkfast that made the plan.
    """

    network: Network
    recipe: str
    version: str = VERSION

    @classmethod
    def with_recipe(cls, network: Network, recipe: _Recipe) -> Plan:
        """Return the plan for a network that was prepared with this recipe."""
        return cls(network, json.dumps(recipe, sort_keys=True))

    def prepared(self) -> Prepared:
        """Return the network prepared for all points; once per process, also in many threads.

        Raises
        ------
        RuntimeError
            This process has another version of ntkfast than the client.
        ValueError
            This process uses another instruction set than that in which the points were read.
        """
        check_version(self.version)
        slot = _slot(self)
        with slot.lock:
            if slot.prepared is None:
                again = self.network._program.prepare_again
                slot.prepared = again(json.loads(self.recipe))
            return slot.prepared


@dataclass
class _Slot:
    """A prepared network, and the lock of those who wait for it."""

    lock: Any = field(default_factory=Lock)
    prepared: Prepared | None = None


@lru_cache(maxsize=16)
def _slot(_: Plan) -> _Slot:
    return _Slot()


if hasattr(os, "register_at_fork"):  # a lock that was held in the parent would never be free
    os.register_at_fork(after_in_child=_slot.cache_clear)


def of(
    network: Network, x: da.Array, x2: da.Array | None = None, *, pairs: int | None = None
) -> Delayed:
    """Return the plan for kernels of all points, lazily: a small value for every block.

    Parameters
    ----------
    network
        The network.
    x, x2
        Points with whole samples in each chunk, see `samples.as_lazy`.
    pairs
        Number of pairs of the kernel in one call; None: all of ``x``, or of ``x`` and ``x2``.

    Returns
    -------
    Delayed
        Of a `Plan`; pass it to tasks that need `Plan.prepared`.
    """
    if pairs is None:
        pairs = len(x) * len(x if x2 is None else x2)
    sets = [x] if x2 is None else [x, x2]
    token = tokenize(network, [part.name for part in sets], pairs, VERSION)
    name = f"ntkfast-plan-{token}"
    graph: dict[Any, Any] = {}
    looks = []
    for label, part in zip(("x", "x2"), sets, strict=False):
        start = 0
        for index, size in enumerate(part.chunks[0]):
            look = partial(_recipe_of, VERSION, network, label, start)
            key = (f"ntkfast-recipe-{label}-{token}", index)
            graph[key] = (look, (part.name, index, *[0] * (part.ndim - 1)))
            looks.append(key)
            start += size
    graph[name] = (partial(_joined, network, pairs), looks)
    return Delayed(name, HighLevelGraph.from_collections(name, graph, dependencies=sets))


def _recipe_of(version: str, network: Network, name: str, start: int, chunk: FloatArray) -> _Recipe:
    """Return the recipe for the points of a chunk, which begins at the point `start`."""
    check_version(version)
    with naming_chunk(name, start):
        x = as_samples(network._program, chunk, name, network._rank)
        return network._program.prepare(x, None, 0).recipe


def _joined(network: Network, pairs: int, recipes: Iterable[_Recipe]) -> Plan:
    union: _Recipe = reduce(merged, recipes)
    return Plan.with_recipe(network, {**union, "pairs": pairs})
