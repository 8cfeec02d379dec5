"""Print the polynomial tables of ``rust/ntkfast-core/src/simd/coefficients.rs``.

Near-minimax polynomials: interpolation at Chebyshev nodes in 60 digits, then the monomial
coefficients in the variable itself. Every table is headed by its largest relative error after
rounding the coefficients to double precision, evaluated in 60 digits.

    python tests/reference/make_coefficients.py > rust/ntkfast-core/src/simd/coefficients.rs
"""

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 60

Function = Callable[[mp.mpf], mp.mpf]


def angle(delta: mp.mpf) -> mp.mpf:
    """P with arccos(1 - δ) = √δ · P(δ)."""
    if delta == 0:
        return mp.sqrt(2)
    root = mp.sqrt(delta)
    return 2 * mp.asin(root / mp.sqrt(2)) / root


def defect(delta: mp.mpf) -> mp.mpf:
    """Q with 1 - κ1(1 - δ) = δ · (1 - √δ · Q(δ)), that is (sin θ - θ cos θ)/(π δ^{3/2})."""
    if delta == 0:
        return 2 * mp.sqrt(2) / (3 * mp.pi)
    root = mp.sqrt(delta)
    theta = 2 * mp.asin(root / mp.sqrt(2))
    return (mp.sin(theta) - theta * mp.cos(theta)) / (mp.pi * root**3)


def arctangent(square: mp.mpf) -> mp.mpf:
    """A with arctan t = t · A(t²)."""
    if square == 0:
        return mp.mpf(1)
    root = mp.sqrt(square)
    return mp.atan(root) / root


def decay(z: mp.mpf) -> mp.mpf:
    """D with 1 - e^{-z} = z · D(z)."""
    return -mp.expm1(-z) / z if z else mp.mpf(1)


def fit(function: Function, start: mp.mpf, end: mp.mpf, degree: int) -> list[float]:
    """Coefficients, lowest first, of the interpolant on [start, end]."""
    count = degree + 1
    middle, half = (start + end) / 2, (end - start) / 2
    nodes = [middle - half * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
    matrix = mp.matrix(count, count)
    for row, node in enumerate(nodes):
        for column in range(count):
            matrix[row, column] = node**column
    solution = mp.lu_solve(matrix, mp.matrix([function(node) for node in nodes]))
    return [float(value) for value in solution]


def error(function: Function, start: mp.mpf, end: mp.mpf, coefficients: list[float]) -> float:
    """Largest relative error on a fine grid."""
    worst = mp.mpf(0)
    for k in range(501):
        point = start + (end - start) * k / 500
        value = mp.polyval([mp.mpf(c) for c in reversed(coefficients)], point)
        worst = max(worst, abs(value / function(point) - 1))
    return float(worst)


UNIT = mp.mpf(0), mp.mpf(1)

TABLES: list[tuple[str, str, Function, tuple[mp.mpf, mp.mpf], tuple[int, int]]] = [
    ("ANGLE", "`P` on [0, 1]: arccos(1 - δ) = √δ·P(δ)", angle, UNIT, (17, 7)),
    ("DEFECT", "`Q` on [0, 1]: 1 - κ1(1 - δ) = δ(1 - √δ·Q(δ))", defect, UNIT, (16, 6)),
    (
        "ARCTANGENT",
        "`A` on [0, tan²(π/8)]: arctan t = t·A(t²)",
        arctangent,
        (mp.mpf(0), mp.tan(mp.pi / 8) ** 2),
        (10, 4),
    ),
    (
        "DECAY",
        "`D` on [-ln(2)/2, ln(2)/2]: 1 - e^{-z} = z·D(z)",
        decay,
        (-mp.log(2) / 2, mp.log(2) / 2),
        (10, 5),
    ),
]


def main() -> None:
    print(
        "//! Polynomial tables, lowest power first, made by tests/reference/make_coefficients.py.\n"
    )
    for name, meaning, function, (start, end), degrees in TABLES:
        for width, degree in zip((64, 32), degrees, strict=True):
            coefficients = fit(function, start, end, degree)
            worst = error(function, start, end, coefficients)
            print(f"/// {meaning}; relative error {worst:.1e}.")
            print(f"pub const {name}_{width}: [f64; {degree + 1}] = [")
            for value in coefficients:
                print(f"    {value!r},")
            print("];")


if __name__ == "__main__":
    main()
