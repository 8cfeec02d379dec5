"""Operators on functions of a point, as users write them and as sums of partial derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ntkfast._scalars import as_count, as_real

__all__ = ["Functionals", "Operator", "Partial", "as_functionals"]

Name: TypeAlias = Literal["value", "gradient", "laplacian"]
Scalar: TypeAlias = Literal["value", "laplacian"] | tuple[Literal["d", "d2"], int]
Operator: TypeAlias = Name | tuple[Literal["d", "d2"], int] | Mapping[Scalar, float]

# The order of a derivative and its coordinate, or None: the value, or the sum over all of them.
Partial: TypeAlias = tuple[int, int | None]

_EXPECTED = (
    '"value", "gradient", "laplacian", ("d", k) or ("d2", k) for a coordinate k, or a dictionary '
    'of weights such as {"laplacian": -1.0, "value": 2.0}'
)


@dataclass(frozen=True)
class Functionals:
    """What an operator makes of a function at a point: some numbers, each a weighted sum."""

    sums: tuple[dict[Partial, float], ...]
    # Whether results have an axis for them.
    is_vector: bool

    @property
    def order(self) -> int:
        """Return the highest order of a derivative."""
        return max((order for each in self.sums for order, _ in each), default=0)


def as_functionals(given: object, name: str, features: int) -> Functionals:
    """Return an operator on functions of so many features as sums of partial derivatives."""
    if isinstance(given, str) and given == "gradient":
        return Functionals(tuple({(1, k): 1.0} for k in range(features)), True)
    if not isinstance(given, Mapping):
        return Functionals(({_partial(given, name, features): 1.0},), False)
    total: dict[Partial, float] = {}
    for each, weight in given.items():
        if isinstance(each, str) and each == "gradient":
            raise ValueError(
                f'{name} has "gradient" in a sum, which has a number at each point; expected '
                '("d", k) for a coordinate k'
            )
        partial = _partial(each, name, features)
        total[partial] = total.get(partial, 0.0) + as_real(weight, f"{name}[{each!r}]")
    if not total:
        raise ValueError(f"{name} is an empty dictionary; expected {_EXPECTED}")
    return Functionals((total,), False)


def _partial(given: object, name: str, features: int) -> Partial:
    if isinstance(given, str):
        if given == "value":
            return 0, None
        if given == "laplacian":
            return 2, None
        raise ValueError(f"{name} is {given!r}; expected {_EXPECTED}")
    if not isinstance(given, tuple):
        raise TypeError(f"{name} is of type {type(given).__name__}; expected {_EXPECTED}")
    if len(given) != 2 or given[0] not in ("d", "d2"):
        raise ValueError(f"{name} is {given!r}; expected {_EXPECTED}")
    kind, coordinate = given
    axis = as_count(coordinate, f"{name}: the coordinate", least=0, most=features - 1)
    return (1 if kind == "d" else 2), axis
