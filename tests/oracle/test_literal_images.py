"""The literal formulae of networks on images: their windows by hand, and one position as rows."""

import pytest
from mpmath import mpf

from images import IMAGE_NETWORKS, on_rows, random_images, without_windows
from reference import evaluator
from reference import images as literal


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "seen"),
    [
        (4, 3, 1, "SAME", ["_01", "012", "123", "23_"]),
        (3, 2, 1, "SAME", ["01", "12", "2_"]),
        (4, 3, 2, "SAME", ["012", "23_"]),  # one zero in all, behind
        (5, 3, 2, "SAME", ["_01", "123", "34_"]),
        (5, 4, 2, "SAME", ["_012", "1234", "34__"]),
        (4, 1, 3, "SAME", ["0", "3"]),
        (2, 5, 1, "SAME", ["__01_", "_01__"]),
        (5, 3, 2, "VALID", ["012", "234"]),
        (4, 3, 2, "VALID", ["012"]),
        (3, 3, 1, "CIRCULAR", ["201", "012", "120"]),
        (3, 2, 1, "CIRCULAR", ["01", "12", "20"]),
        (2, 5, 1, "CIRCULAR", ["01010", "10101"]),
    ],
)
def test_windows_of_the_literal_kernels_by_hand(
    size: int, window: int, stride: int, padding: str, seen: list[str]
) -> None:
    found = literal.sources(size, window, stride, padding)
    assert ["".join("_" if p == size else str(p) for p in row) for row in found] == seen


@pytest.mark.parametrize("name", ["cntk", "standard", "concatenate, widths", "layer norm", "sign"])
def test_literal_kernels_of_one_position_are_those_of_rows(name: str) -> None:
    x = random_images(2, 1, 1, 3)
    rows = evaluator.kernels(on_rows(IMAGE_NETWORKS[name]), x[0, 0, 0], x[1, 0, 0])
    found = literal.kernels(without_windows(IMAGE_NETWORKS[name]), x)
    for k, value in zip(found, rows, strict=True):
        assert abs(k[0, 1] - value) < mpf("1e-50")
