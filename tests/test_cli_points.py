"""Tables of points for the command line: names are told from numbers, and no row is lost."""

from pathlib import Path

import numpy as np
import pytest

from gram_files import place
from ntkfast.cli import main
from ntkfast.cli._points import read_points

__all__ = ["place"]


@pytest.mark.parametrize(
    ("first", "fault"),
    [
        ("1,abc", "line 1, column 2 is 'abc'"),
        ("1,", "line 1, column 2 is empty"),
        ("NA,2", "line 1, column 1 is 'NA'"),
        ("# comment\n\n1,2x", "line 3, column 2 is '2x'"),
        ('"1","2"', "line 1, column 1 is '\"1\"'"),
        ("x,nan", "line 1, column 1 is 'x'"),
    ],
)
def test_a_first_row_with_one_bad_cell_is_no_row_of_names(
    first: str, fault: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x.csv").write_text(f"{first}\n3,4\n", encoding="utf-8")
    assert main(["gram", "x.csv", "k.npy", "--depth", "1"]) == 1
    assert f"ntkfast: x.csv: {fault}; expected numbers" in capsys.readouterr().err
    assert not list(place.glob("k.npy*"))


@pytest.mark.parametrize(
    ("before", "rows"),
    [
        ("", 1),
        ("height,weight", 1),
        (",weight", 1),
        ('"height, in m",weight', 1),
        ("1,2 # the first", 2),
        ("# made by hand\n1,2", 2),
        ("# made by hand\n\nheight,weight # in m and kg\n1,2", 2),
    ],
)
def test_no_row_of_numbers_is_taken_for_names(before: str, rows: int) -> None:
    Path("x.csv").write_text(f"{before}\n3,4\n", encoding="utf-8")
    np.testing.assert_array_equal(read_points("x.csv"), [[1, 2], [3, 4]][2 - rows :])
