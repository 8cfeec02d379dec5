"""The committed 50-digit values, and the errors of the package relative to them."""

import json
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np

from contract import KERNELS, Points
from tolerances import exact_error

FOLDER = Path(__file__).parent
CASES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("values/*.json"))
}
PRECISION = 100  # twice what the values have
Pairs = dict[tuple[int, int], tuple[str, str]]


def read_points() -> dict[str, Any]:
    """Return the arrays of points.npz by name."""
    with np.load(FOLDER / "points.npz") as file:
        return dict(file)


def references(name: str, key: str, points: dict[str, Any]) -> Pairs:
    """Return NNGP and NTK of the pairs of a case, as text."""
    values = CASES[name]["values"][key]
    rows = zip(points["pairs"].tolist(), values["nngp"], values["ntk"], strict=True)
    return {(i, j): (nngp, ntk) for (i, j), nngp, ntk in rows}


def errors(network: Any, x: Points, expected: Pairs, power: int = 0) -> dict[str, float]:
    """Return |error| / √(K_ii K_jj) of both kernels at every pair, by name.

    The points may be those of the expected values times 2**power.
    """
    got = network.kernels(x)
    found = {}
    with localcontext() as context:
        context.prec = PRECISION
        factor = Decimal(4) ** power
        for which, name in enumerate(KERNELS):
            true = {pair: Decimal(values[which]) * factor for pair, values in expected.items()}
            k = getattr(got, name)
            for (i, j), value in true.items():
                scale = (true[i, i] * true[j, j]).sqrt()
                found[f"{name} {i}, {j}"] = exact_error(k[i, j], value, scale)
    return found
