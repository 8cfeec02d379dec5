"""The polynomial tables of the core equal those that the script next to the references computes."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processes import python

ROOT = Path(__file__).parents[2]
TABLE = re.compile(r"pub const (\w+): \[f64; (\d+)\] = \[([^]]*)\];")


def tables(source: str) -> dict[str, NDArray[np.float64]]:
    """Return the coefficients by name."""
    found = {}
    for name, count, body in TABLE.findall(source):
        found[name] = np.array(body.split(",")[:-1], dtype=np.float64)
        assert len(found[name]) == int(count)
    return found


def test_tables_are_what_the_script_computes() -> None:
    core = tables((ROOT / "rust/ntkfast-core/src/simd/coefficients.rs").read_text("utf-8"))
    result = python("tests/reference/make_coefficients.py", PYTHONIOENCODING="utf-8")
    assert result.returncode == 0, result.stderr
    computed = tables(result.stdout)
    assert len(computed) == 12
    assert core.keys() == computed.keys()
    for name, expected in computed.items():
        # The last bit is up to the version of mpmath.
        np.testing.assert_array_max_ulp(core[name], expected, maxulp=1)
