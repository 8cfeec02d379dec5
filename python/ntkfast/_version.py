"""The version of the package, and a check of that on the other side of a connection."""

from __future__ import annotations

from ntkfast._ntkfast import info

__all__ = ["VERSION", "check_version"]

VERSION: str = info()["version"]


def check_version(theirs: str) -> None:
    """Refuse work of a client that has another version of ntkfast."""
    if theirs != VERSION:
        raise RuntimeError(
            f"this worker has ntkfast {VERSION}, and the client has ntkfast {theirs}: install the "
            "same version on both, because other versions may compute other bits"
        )
