"""The effect of each layer on the kernels of a point with itself, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._display import table
from ntkfast._ntkfast import Program, trace
from ntkfast._scalars import as_real, as_size

__all__ = ["LayerSummary", "Norms", "Summary", "summarise"]

Row: TypeAlias = tuple[str, ...]
Norms: TypeAlias = float | Sequence[float] | npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LayerSummary:
    """One layer at one input norm.

    Attributes
    ----------
    norm
        ‖x‖/√d of the input. Its square is the variance of the input.
    layer
        The layer, given by its place in the network.
    variance
        K(x, x) after the layer.
    chi
        For a Dense, χ = σ_w²·E[φ'(z)²], where φ is the activation between it and the previous
        Dense, and z is the Gaussian input of φ. Without an activation between them, χ = σ_w². χ is
        the factor by which the two layers multiply an incoming NTK and small differences of inputs:
        below 1 they vanish with depth, above 1 they grow. None for all other layers.
    ntk
        T(x, x) after the layer.
    share
        The part of the NTK of the whole network that is due to the weights and biases of this layer
        and of those above it in the table, from 0 to 1. It is 0 if that NTK is 0.
    """

    norm: float
    layer: str
    variance: float
    chi: float | None
    ntk: float
    share: float


@dataclass(frozen=True)
class Summary:
    """The layers of a network for each norm, in the order in which they are applied.

    ``print(summary)`` shows a table. A join, such as a Residual, appears after its branches.
    Identity changes nothing and is omitted.
    """

    rows: tuple[LayerSummary, ...]

    def __str__(self) -> str:
        return "\n\n".join(_as_text(head, rows) for head, rows in self._tables())

    def _repr_html_(self) -> str:
        return "\n".join(table(head, rows) for head, rows in self._tables())

    def _tables(self) -> Iterator[tuple[Row, list[Row]]]:
        """Yield the header and the rows of the table of each norm."""
        for norm, layers in groupby(self.rows, key=lambda row: row.norm):
            head = (f"norm {norm:g}", "variance", "chi", "NTK", "share of NTK")
            yield head, [_cells(layer) for layer in layers]


def _cells(row: LayerSummary) -> Row:
    chi = "" if row.chi is None else f"{row.chi:.5g}"
    return row.layer, f"{row.variance:.5g}", chi, f"{row.ntk:.5g}", f"{row.share:.1%}"


def _as_text(head: Row, rows: list[Row]) -> str:
    cells = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])])
        for name, *numbers in cells
    )


def summarise(program: Program, norm: Norms, n_features: int) -> Summary:
    """Return the layers of a compiled network for one or several input norms."""
    given = norm.tolist() if isinstance(norm, np.ndarray) else norm
    if isinstance(given, (list, tuple)):
        norms = [as_real(value, f"norm[{i}]", least=0.0) for i, value in enumerate(given)]
        norms = list(dict.fromkeys(norms))  # equal norms are shown once
        if not norms:
            raise ValueError("norm is empty; expected a number >= 0 or a list of them")
    else:
        norms = [as_real(given, "norm", least=0.0)]
    features = as_size(n_features, "n_features", least=1)
    traces = trace(program, np.array(norms), features)
    return Summary(
        tuple(
            LayerSummary(norm, *layer)
            for norm, layers in zip(norms, traces, strict=True)
            for layer in layers
        )
    )
