"""Every public function when memory has run out: results or MemoryError, and no abort."""

import re
import sys
from pathlib import Path

import pytest

from processes import python, run

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="memory is limited by RLIMIT_AS of Linux"
    ),
]


def test_calls_under_shrinking_limits_give_results_or_memory_errors() -> None:
    script = Path(__file__).with_name("exhausted.py")
    result = python(str(script), timeout=300, OPENBLAS_NUM_THREADS="1")
    assert result.returncode == 0, result.stdout + result.stderr
    counts = re.search(r"(\d+) calls, (\d+) results, (\d+) errors", result.stdout)
    assert counts, result.stdout
    calls, results, errors = map(int, counts.groups())
    assert calls > 80
    assert results > 16 * calls  # the limits leave enough for most
    assert errors > calls  # and end below what the calls need


SMALL = """
    import resource
    from pathlib import Path
    import numpy as np
    import ntkfast as nk
    from ntkfast.linalg import matmul

    def addresses():
        return resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])

    a = np.eye(32) + 1
    before = addresses()
    matmul(a, a), nk.eigh(a), nk.cholesky(a)
    print(addresses() - before)
"""


def test_small_decompositions_take_little_memory() -> None:
    result = run(SMALL)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 16 * 2**20
