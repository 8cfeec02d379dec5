"""Files from which a solve goes on after the process has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._atomic import replacing
from ntkfast.data.files import read_npz

__all__ = ["Checkpoint", "check_folder"]

# Seconds between two states that are written.
_INTERVAL = 60.0
_INSTEAD = "remove it, or choose another file"


def check_folder(path: str | PathLike[str] | None) -> None:
    """Reject a file whose folder does not exist, before a minute of work shows it."""
    if path is not None and not isinstance(path, (str, PathLike)):
        raise TypeError(
            f"checkpoint is {path!r}, of type {type(path).__name__}; expected the name of a file"
        )
    if path is not None and (Path(path).is_dir() or not Path(path).absolute().parent.is_dir()):
        raise ValueError(f"checkpoint is {path}; expected a file in a folder that exists")


@dataclass
class Checkpoint:
    """A file for the states of one system, with its fingerprint; None: nothing is written."""

    path: Path | None
    fingerprint: str
    _last: float = field(default_factory=time.monotonic)

    def read(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the arrays of the last state, if there is one; refuse that of another system."""
        if self.path is None or not self.path.exists():
            return None
        try:
            arrays = read_npz(self.path, compressed=False)
        except ValueError as error:
            raise ValueError(f"checkpoint {error}; {_INSTEAD}") from None
        if "fingerprint" not in arrays or str(arrays["fingerprint"]) != self.fingerprint:
            raise ValueError(
                f"checkpoint {self.path} belongs to another system, right-hand side or solver; "
                f"{_INSTEAD}"
            )
        return arrays

    def offer(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Write a state, if the last one is long ago."""
        if time.monotonic() - self._last >= _INTERVAL:
            self.write(arrays)

    def write(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Write a state now."""
        if self.path is None:
            return
        with replacing(self.path) as file:
            members: dict[str, Any] = {"fingerprint": np.array(self.fingerprint), **arrays}
            np.savez(file, **members)
        self._last = time.monotonic()

    def end(self) -> None:
        """Remove the file."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
