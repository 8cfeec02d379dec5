"""Errors about optional dependencies name an extra that contains them."""

import re
from pathlib import Path

import pytest

from ntkfast._optional import MissingExtraError

ROOT = Path(__file__).parents[1]
SETTINGS = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
ALL = re.search(r'^all = \["ntkfast\[(.*)\]"\]$', SETTINGS, re.MULTILINE)


@pytest.mark.parametrize(
    "extra", ["plots", "sklearn", "progress", "scipy", "dask", "zarr", "parquet"]
)
def test_all_is_advised_where_it_contains_the_extra(extra: str) -> None:
    assert re.search(rf"^{extra} = \[", SETTINGS, re.MULTILINE)
    assert ALL is not None
    message = str(MissingExtraError("something", "package", extra))
    assert f"pip install 'ntkfast[{extra}]'" in message
    assert ("'ntkfast[all]'" in message) == (extra in ALL[1].split(","))
