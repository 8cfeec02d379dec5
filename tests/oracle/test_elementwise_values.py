"""The committed values of functions applied to every neuron: closed forms and other integrals."""

from itertools import pairwise
from typing import Any

import pytest
from mpmath import erf, erfc, exp, inf, isinf, linspace, mp, mpf, pi, quad, sqrt, workdps

from reference.elementwise import CASES, Case, committed
from reference.elementwise_closed import CLOSED, Pair

TOLERANCE = 1e-18  # of √(K_ii K_jj)
BY_NAME = {case.name: case for case in CASES}


def moments(points: list[list[float]], i: int, j: int) -> tuple[Any, Any, Any]:
    """Return E[u²], E[uv] and E[v²] of two rows."""
    x, y = ([mpf(entry) for entry in points[row]] for row in (i, j))
    with workdps(120):
        return mp.fdot(x, x) / len(x), mp.fdot(x, y) / len(x), mp.fdot(y, y) / len(x)


def pairs(entry: dict[str, Any]) -> dict[tuple[int, int], Pair]:
    """Return both values by pair of rows, as committed."""
    n = len(entry["points"])
    upper = [(i, j) for i in range(n) for j in range(i, n)]
    both = zip(map(mpf, entry["nngp"]), map(mpf, entry["slope"]), strict=True)
    return dict(zip(upper, both, strict=True))


def assert_close(found: Pair, values: dict[tuple[int, int], Pair], i: int, j: int) -> None:
    for which, value in enumerate(found):
        committed_value = values[i, j][which]
        if isinf(value):
            assert committed_value == value
            continue
        scale = sqrt(values[i, i][which] * values[j, j][which])
        gap = abs(committed_value - value)
        assert gap <= TOLERANCE * (abs(value) if isinf(scale) else scale), (i, j, which)


@pytest.mark.parametrize("name", CLOSED)
def test_values_are_the_closed_forms(name: str) -> None:
    with workdps(60):
        for entry in committed(name).values():
            values = pairs(entry)
            for i, j in values:
                assert_close(CLOSED[name](*moments(entry["points"], i, j)), values, i, j)


@pytest.mark.parametrize(
    ("name", "factor", "shift"),
    [
        ("tanh_1e_310", 1e-310, 0),
        ("tanh_1e_150", 1e-150, 0),
        ("tanh_1e100", 1e100, 0),
        ("tanh_plus_1e6", 1, 1e6),
    ],
)
def test_values_of_scaled_and_shifted_functions_are_those_of_tanh(
    name: str, factor: float, shift: float
) -> None:
    with workdps(60):
        for rows, entry in committed(name).items():
            values, plain = pairs(entry), pairs(committed("tanh")[rows])
            for (i, j), (nngp, slope) in plain.items():
                factors = mpf(factor) ** 2
                assert_close((factors * nngp + mpf(shift) ** 2, factors * slope), values, i, j)


def test_hardtanh_of_one_row_is_its_closed_form() -> None:
    with workdps(60):
        for entry in committed("hardtanh").values():
            values = pairs(entry)
            for i in range(len(entry["points"])):
                p, _, _ = moments(entry["points"], i, i)
                edge = 1 / sqrt(2 * p)
                inside, outside = erf(edge), erfc(edge)
                value = p * inside - sqrt(2 * p / pi) * exp(-edge * edge) + outside
                assert_close((value, inside), values, i, i)


def test_every_function_has_its_sets() -> None:
    for case in CASES:
        assert set(committed(case.name)) == set(case.sets)


def density(z: Any) -> Any:
    return exp(-z * z / 2) / sqrt(2 * pi)


def trapezoid(case: Case, p: Any, k: Any, q: Any, step: float) -> Pair:
    """Integrate an analytic function over u = √p·z, v = √q·(ρz + √(1 − ρ²)·y)."""
    rho = k / sqrt(p * q)
    orthogonal = sqrt(1 - rho * rho)
    nodes = [step * mpf(n) for n in range(-round(9.4 / step), round(9.4 / step) + 1)]
    weights = [step * density(z) for z in nodes]
    total, slopes = mpf(0), mpf(0)
    for z, outer in zip(nodes, weights, strict=True):
        value, slope = case.exact(mp, sqrt(p) * z)
        inner = [case.exact(mp, sqrt(q) * (rho * z + orthogonal * y)) for y in nodes]
        total += outer * value * mp.fdot(weights, [each for each, _ in inner])
        slopes += outer * slope * mp.fdot(weights, [each for _, each in inner])
    return total, slopes


@pytest.mark.parametrize(
    ("name", "rows", "i", "j", "step"),
    [
        ("tanh", "one norm", 0, 2, 0.2),
        ("tanh", "mixed", 0, 1, 0.1),
        ("tanh_from_5", "one norm", 1, 2, 0.2),
        ("swish", "mixed", 1, 2, 0.2),
        ("softplus", "mixed", 0, 2, 0.2),
        ("mish", "one norm", 0, 2, 0.2),
        ("gelu", "one norm", 1, 2, 0.2),
        ("arctan", "one norm", 0, 2, 0.125),
        ("lorentzian", "one norm", 0, 2, 0.125),
        ("sqrt_one_plus_square", "one norm", 1, 2, 0.125),
        ("sech", "mixed", 0, 2, 0.125),
        ("sinc", "mixed", 1, 2, 0.2),
    ],
)
def test_values_of_analytic_functions_are_sums_over_a_lattice(
    name: str, rows: str, i: int, j: int, step: float
) -> None:
    entry = committed(name)[rows]
    with workdps(25):
        found = trapezoid(BY_NAME[name], *moments(entry["points"], i, j), step)
        assert_close(found, pairs(entry), i, j)


def linear_mean(case: Case, mean: Any, deviation: Any) -> Pair:
    """Return E[φ(v)] and E[φ'(v)] of a normal v, for a function linear between its splits."""
    edges = [-inf, *map(mpf, case.splits), inf]
    total, slopes = mpf(0), mpf(0)
    for low, high in pairwise(edges):
        inside = low + 1 if high == inf else high - 1 if low == -inf else (low + high) / 2
        value, slope = case.exact(mp, inside)
        start = value + slope * (mean - inside)
        a, b = (low - mean) / deviation, (high - mean) / deviation
        share = (erfc(a / sqrt(2)) - erfc(b / sqrt(2))) / 2
        if a < 0:
            share = (erfc(-b / sqrt(2)) - erfc(-a / sqrt(2))) / 2
        total += start * share + slope * deviation * (density(a) - density(b))
        slopes += slope * share
    return total, slopes


def broken_lines(case: Case, p: Any, k: Any, q: Any) -> Pair:
    """Integrate over u alone."""
    beta, tau = k / p, sqrt(q - k * k / p)
    reach = 13 * sqrt(p)
    smoothed = [
        (split + shift * tau) / beta for split in case.splits for shift in (-8, -3, 0, 3, 8)
    ]
    edges = [*linspace(-reach, reach, 5), *map(mpf, case.splits), *smoothed]
    edges = sorted({edge for edge in edges if abs(edge) <= reach})

    def integrand(u: Any, which: int) -> Any:
        value = case.exact(mp, u)[which]
        return value and density(u / sqrt(p)) * value * linear_mean(case, beta * u, tau)[which]

    def integral(which: int) -> Any:
        found = quad(lambda u: integrand(u, which), edges, method="gauss-legendre")
        return found / sqrt(p)

    return integral(0), integral(1)


@pytest.mark.parametrize(
    ("name", "rows", "i", "j"),
    [
        ("step_at_0_3", "one norm", 0, 1),
        ("triangle_wave", "one norm", 1, 2),
        ("hinge_at_6", "from one", 0, 2),
        ("hardtanh", "one norm", 0, 1),
        ("hardtanh", "six decades", 0, 2),
        ("relu6", "mixed", 1, 2),
        ("softshrink", "mixed", 0, 2),
        ("hardsigmoid", "one norm", 0, 2),
        ("abs_at_1", "one norm", 0, 1),
        ("abs_at_1", "mixed", 0, 2),
        ("leaky_relu_at_minus_0_5", "four decades", 0, 2),
    ],
)
def test_values_of_broken_lines_are_integrals_of_normal_probabilities(
    name: str, rows: str, i: int, j: int
) -> None:
    entry = committed(name)[rows]
    with workdps(25):
        found = broken_lines(BY_NAME[name], *moments(entry["points"], i, j))
        assert_close(found, pairs(entry), i, j)


def diagonal(case: Case, p: Any) -> Pair:
    """Integrate φ² and φ'² over one variable."""
    s = sqrt(p)
    near = [
        centre + side * width * 3**n
        for centre, width in case.features
        for side in (1, -1)
        for n in range(1, 6)
    ]
    edges = sorted({*linspace(-10, 10, 9), *(mpf(z) / s for z in (*near, *case.splits))})

    def integral(which: int) -> Any:
        return quad(lambda z: density(z) * case.exact(mp, s * z)[which] ** 2, edges)

    return integral(0), integral(1)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("hardswish", "mixed"),
        ("elu_0_7", "mixed"),
        ("softsign", "one norm"),
        ("z_log_abs", "mixed"),
        ("tanh_and_bump_1e6", "one norm"),
        ("arctan_100", "variance 100"),
        ("softplus_50", "one norm"),
    ],
)
def test_diagonals_are_integrals_over_one_variable(name: str, rows: str) -> None:
    entry = committed(name)[rows]
    with workdps(25):
        p, _, _ = moments(entry["points"], 2, 2)
        assert_close(diagonal(BY_NAME[name], p), pairs(entry), 2, 2)
