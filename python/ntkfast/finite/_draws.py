"""Random networks of several widths, drawn one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._progress import Progress, reporting
from ntkfast._scalars import as_count, as_size
from ntkfast.finite.initial import init
from ntkfast.finite.network import FiniteNetwork
from ntkfast.networks import Network

__all__ = ["Seeds", "Widths", "as_seeds", "as_widths", "draws"]

Widths: TypeAlias = npt.NDArray[np.int64]
Seeds: TypeAlias = int | Sequence[int]


def draws(
    network: Network,
    n_features: int,
    widths: Widths,
    seeds: Sequence[int],
    progress: Progress,
    *,
    output_dim: int | None = None,
    zero_output: bool = False,
) -> Iterator[FiniteNetwork]:
    """Draw a network for each width and seed, and report progress after each of them."""
    total = len(widths) * len(seeds)
    with reporting(progress, "networks", "network") as report:
        for done, (width, seed) in enumerate(product(widths, seeds), start=1):
            yield init(
                network,
                n_features,
                # The same seed gives different numbers at another width.
                np.random.SeedSequence((seed, int(width))),
                output_dim=output_dim,
                width=int(width),
                zero_output=zero_output,
            )
            if report is not None:
                report(done, total)


def as_widths(widths: Sequence[int], network: Network, n_features: int) -> Widths:
    """Return widths of hidden layers, at least two of which give different networks."""
    found = np.array([as_size(width, "widths", least=1) for width in widths], dtype=np.int64)
    if np.unique(found).size < 2:  # checked before networks are trained
        raise ValueError(f"widths is {found.tolist()}; expected at least two different widths")
    smallest = np.unique(found)[:2]
    sizes = [init(network, n_features, 0, width=int(width)).n_parameters for width in smallest]
    if sizes[0] == sizes[1]:
        raise ValueError(
            "widths has no effect: every hidden Dense of the network has its own width; "
            "leave the widths unset that are to be studied"
        )
    return found


def as_seeds(seeds: Seeds) -> list[int]:
    """Return seeds from a list of seeds, or from the number of seeds."""
    if isinstance(seeds, Sequence):
        found = [as_count(seed, "seeds", least=0) for seed in seeds]
        if not found:
            raise ValueError("seeds is empty; expected at least one")
        return found
    return list(range(as_size(seeds, "seeds", least=1)))
