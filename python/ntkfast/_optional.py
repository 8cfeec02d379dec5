"""Optional dependencies: imported where they are used, with an error that says what to install."""

from __future__ import annotations

__all__ = ["MissingExtraError"]


class MissingExtraError(ImportError):
    """A function was called whose optional dependency is not installed.

    Parameters
    ----------
    what
        The function or feature that was asked for.
    package
        The package that it needs, as PyPI calls it.
    extra
        The extra of ntkfast that installs the package.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs {package}, which cannot be imported: "
            f"pip install 'ntkfast[{extra}]', or 'ntkfast[all]' for every extra"
        )
        self.what, self.package, self.extra = what, package, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        return type(self), (self.what, self.package, self.extra)
