"""Optional dependencies: imported on use, with an error that says what to install."""

from __future__ import annotations

__all__ = ["MissingExtraError"]

_APART = ("dask", "zarr", "parquet", "jax", "torch")  # extras that 'ntkfast[all]' leaves out


class MissingExtraError(ImportError):
    """A function was called and its optional dependency is not installed.

    Parameters
    ----------
    what
        The function or feature that was requested.
    package
        The required package, by its name on PyPI.
    extra
        The extra of ntkfast that installs the package.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        others = "" if extra in _APART else ", or 'ntkfast[all]' for all common extras"
        super().__init__(
            f"{what} requires {package}, which cannot be imported: "
            f"pip install 'ntkfast[{extra}]'{others}"
        )
        self.what, self.package, self.extra = what, package, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        return type(self), (self.what, self.package, self.extra)
