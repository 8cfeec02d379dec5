"""The evaluator against integrals and derivatives, and the coverage of the committed values."""

import pytest
from mpmath import mp, mpf, workdps

from reference import evaluator, quadrature
from reference.cases import CASES, read_points


@pytest.mark.parametrize("moments", quadrature.MOMENTS, ids=str)
@pytest.mark.parametrize(("kind", "parameters"), quadrature.EXAMPLES, ids=str)
def test_duals_of_the_evaluator_are_the_integrals(
    kind: str, parameters: tuple[str, ...], moments: tuple[str, str, str]
) -> None:
    assert quadrature.discrepancy(kind, parameters, moments) < 1e-28


def test_the_slope_of_a_kernel_map_is_its_derivative() -> None:
    with workdps(40):
        p, k, q, *parameters = map(mpf, ("0.7", "-0.4", "1.9", "1.3", "-0.6"))
        dual = evaluator.DUALS["exp_normalized"]
        slope = mp.diff(lambda k: dual(p, k, q, *parameters)[0], k)
        assert abs(slope - dual(p, k, q, *parameters)[1]) < 1e-30


def test_reference_files_cover_the_contract() -> None:
    points = read_points()
    names = list(points["names"])
    for label in ("identical", "parallel", "antipodal", "1e-12 apart", "1e-1 apart", "random 0"):
        assert [0, names.index(label)] in points["pairs"].tolist()
    for depth in (1, 3, 10, 50):
        for bias in ("", "_bias"):
            assert set(CASES[f"relu_{depth}{bias}"]["values"]) == {
                f"{dtype}/{d}" for dtype in ("float64", "float32") for d in ("d3", "d784")
            }
