"""The fuzz target runs, on random bytes without coverage."""

import re

from processes import python


def test_random_bytes_for_two_seconds() -> None:
    result = python("fuzz/edge.py", "--blind", "--seconds", "2", timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    counts = re.search(r"([\d,]+) of +([\d,]+) inputs were arguments", result.stdout)
    assert counts, result.stdout
    complete, every = (int(count.replace(",", "")) for count in counts.groups())
    assert 0 < complete <= every
