"""Helpers for tests of error messages."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def assert_refused(
    call: Callable[[], object], error: type[BaseException], words: Iterable[Any]
) -> None:
    """Require an error whose text has all of the words."""
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
