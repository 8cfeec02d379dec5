"""What each layer of a network does to the kernels of a point with itself, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ntkfast._display import table
from ntkfast._ntkfast import Program, trace
from ntkfast._scalars import as_count, as_real

__all__ = ["LayerSummary", "Norms", "Summary", "summarise"]

Row: TypeAlias = tuple[str, ...]
Norms: TypeAlias = float | Sequence[float] | npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LayerSummary:
    """One layer at one input norm.

    Attributes
    ----------
    norm
        ‖x‖/√d of the input; its variance is the square of that.
    layer
        Which layer, by its place in the network.
    variance
        K(x, x) behind the layer.
    chi
        Of a Dense, χ = σ_w²·E[φ'(z)²], with φ the activation between it and the Dense before, and z
        the Gaussian that enters φ; without an activation between, σ_w². It is the factor by which
        the two together multiply an NTK that arrives, and small differences of inputs: below 1 they
        fade with depth, above 1 they grow. None for all other layers.
    ntk
        T(x, x) behind the layer.
    share
        Which part of the NTK of the whole network is due to the weights and biases of this layer
        and of those above it in the table, from 0 to 1. 0 where that NTK is 0.
    """

    norm: float
    layer: str
    variance: float
    chi: float | None
    ntk: float
    share: float


@dataclass(frozen=True)
class Summary:
    """The layers of a network, norm by norm, in the order in which the input meets them.

    ``print(summary)`` shows it as a table. A join, such as a Residual, stands after its branches;
    Identity changes nothing and is left out.
    """

    rows: tuple[LayerSummary, ...]

    def __str__(self) -> str:
        return "\n\n".join(_as_text(head, rows) for head, rows in self._tables())

    def _repr_html_(self) -> str:
        return "\n".join(table(head, rows) for head, rows in self._tables())

    def _tables(self) -> Iterator[tuple[Row, list[Row]]]:
        """Yield the head and the rows of the table of each norm."""
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
    """Return the layers of a compiled network at one or several input norms."""
    given = norm.tolist() if isinstance(norm, np.ndarray) else norm
    if isinstance(given, (list, tuple)):
        norms = [as_real(value, f"norm[{i}]", least=0.0) for i, value in enumerate(given)]
        norms = list(dict.fromkeys(norms))  # equal norms are shown once
        if not norms:
            raise ValueError("norm is empty; expected a number >= 0 or a list of them")
    else:
        norms = [as_real(given, "norm", least=0.0)]
    features = as_count(n_features, "n_features", least=1)
    traces = trace(program, np.array(norms), features)
    return Summary(
        tuple(
            LayerSummary(norm, *layer)
            for norm, layers in zip(norms, traces, strict=True)
            for layer in layers
        )
    )
