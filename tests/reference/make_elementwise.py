"""Write values/elementwise/*.json. See README.md; this takes half an hour and needs gmpy2.

cd tests && python -m reference.make_elementwise [NAME ...]
"""

import json
import sys
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import gmpy2
from gmpy2 import mpq

from reference.elementwise import CASES, Case, rows
from reference.plane import COARSE, FINE, Plane

FOLDER = Path(__file__).parent / "values" / "elementwise"
TOLERANCE = 1e-20  # of √(K_ii K_jj)
Values = dict[tuple[int, int], tuple[Any, Any]]


def values(plane: Plane, x: list[list[float]]) -> Values:
    """Return E[φφ] and E[φ'φ'] of the pairs of rows, on and above the diagonal."""
    exact = [[mpq(entry) for entry in row] for row in x]
    n, d = len(x), len(x[0])
    moments = [[sum(map(mpq.__mul__, r, t)) / d for t in exact] for r in exact]
    found = {}
    for i, j in combinations_with_replacement(range(n), 2):
        p, k, q = moments[i][i], moments[i][j], moments[j][j]
        nngp, slope = plane.expectations(p, k, q)
        if plane.case.rough and k > 0 and k * k == p * q:
            slope = gmpy2.inf()
        found[i, j] = nngp, slope
    return found


def disagreement(coarse: Values, fine: Values) -> float:
    """Return the largest |difference| / √(K_ii K_jj) of both kernels."""
    worst = 0.0
    for (i, j), pair in fine.items():
        for which, value in enumerate(pair):
            gap = abs(coarse[i, j][which] - value)
            if gap == 0 or gmpy2.is_infinite(value):
                continue
            scale = gmpy2.sqrt(fine[i, i][which] * fine[j, j][which])
            worst = max(worst, float(gap / (abs(value) if gmpy2.is_infinite(scale) else scale)))
    return worst


def write(case: Case) -> float:
    """Write the values of a function, and return how far the two rules are apart."""
    entries, worst = {}, 0.0
    for name in case.sets:
        x = rows(name).tolist()
        coarse, fine = (values(Plane(case, rule), x) for rule in (COARSE, FINE))
        apart = disagreement(coarse, fine)
        worst = max(worst, apart)
        if not apart <= TOLERANCE:
            print(f"{case.name}, {name}: the rules are {apart:.1e} apart", flush=True)
            continue
        nngp, slope = zip(*fine.values(), strict=True)
        entries[name] = {
            "points": x,
            "nngp": [f"{value:.27e}" for value in nngp],
            "slope": [f"{value:.27e}" for value in slope],
        }
    text = json.dumps(entries, indent=0)
    (FOLDER / f"{case.name}.json").write_text(text + "\n", encoding="utf-8")
    return worst


def main() -> None:
    """Write the values of all functions, or of those named."""
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        if len(sys.argv) == 1 or case.name in sys.argv:
            print(f"{case.name} {write(case):.1e}", flush=True)


if __name__ == "__main__":
    main()
