"""Limits of threadpoolctl: ``threadpool_limits(limits=2)`` holds for this package, too."""

from __future__ import annotations

from ntkfast._ntkfast import info, num_threads
from ntkfast._workers import Setting, limit, setting

__all__ = ["register"]

_SOURCE = "threadpoolctl"

# What was in force before the first limit, and the number of threads then.
_before: tuple[Setting, int] | None = None


def register() -> None:
    """Make this package known to threadpoolctl, if that is installed. Imports no other package."""
    try:
        import threadpoolctl
    except ImportError:
        return
    if not hasattr(threadpoolctl, "register"):  # before version 3.2
        return

    class Controller(threadpoolctl.LibController):  # type: ignore[misc]
        """The threads of ntkfast, as threadpoolctl reads and limits them."""

        user_api = "ntkfast"
        internal_api = "ntkfast"
        filename_prefixes = ("_ntkfast",)

        def get_num_threads(self) -> int:
            """Return the number of threads of a call."""
            return num_threads()

        def set_num_threads(self, number: int) -> None:
            """Limit it, or take the limit back."""
            _limit(number)

        def get_version(self) -> str:
            """Return the version of the package."""
            return str(info()["version"])

    threadpoolctl.register(Controller)


def _limit(number: int) -> None:
    """Set a number. threadpoolctl ends a limit with the number before it: that is no limit then."""
    global _before  # noqa: PLW0603 - as the number itself
    if setting().source != _SOURCE:
        _before = setting(), num_threads()
    if _before is not None and number == _before[1]:
        limit(_before[0])
    else:
        limit(Setting(max(1, min(number, 4096)), source=_SOURCE))
