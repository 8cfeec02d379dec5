"""Print the polynomial tables of ``rust/ntkfast-core/src/simd/coefficients.rs``.

The polynomials are nearly minimax: interpolation at Chebyshev nodes in 60 digits, then the monomial
coefficients in the variable itself. The heading of each table gives its largest relative error
after rounding the coefficients to double precision, evaluated in 60 digits.

    python tests/reference/make_coefficients.py > rust/ntkfast-core/src/simd/coefficients.rs
"""

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 60

Function = Callable[[mp.mpf], mp.mpf]


def angle(delta: mp.mpf) -> mp.mpf:
    """S with arccos(1 - δ) = √(δ(2 - δ)) · (1 + δ·S(δ))."""
    if delta == 0:
        return mp.mpf(1) / 3
    return (mp.acos(1 - delta) / mp.sqrt(delta * (2 - delta)) - 1) / delta


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


TABLES: list[tuple[str, str, Function, tuple[mp.mpf, mp.mpf], tuple[int, int]]] = [
    *(
        (
            f"ANGLE_{round(100 * float(end))}",
            f"`S` on [0, {end}]: arccos(1 - δ) = √(δ(2 - δ))·(1 + δ·S(δ))",
            angle,
            (mp.mpf(0), mp.mpf(end)),
            degrees,
        )
        for end, degrees in {"1": (19, 9), "0.7": (15, 7), "0.55": (13, 6), "0.3": (10, 5)}.items()
    ),
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
