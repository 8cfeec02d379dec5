"""Points in Parquet files, read in batches by PyArrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkfast._arrays import as_floats
from ntkfast._optional import MissingExtraError
from ntkfast.data._table import Group, Pieces, Table

__all__ = ["ParquetTable"]


class ParquetTable(Table):
    """Columns with names and types."""

    @classmethod
    def open(cls, path: Path) -> ParquetTable:
        """Read the names and types of the columns."""
        with _opened(path) as file:
            schema = file.schema_arrow
            names = tuple(schema.names)
            types = tuple(_type(field.type) for field in schema)
        for name, count in Counter(names).items():
            if count > 1:
                raise ValueError(f"{path} has {count} columns {name!r}; rename all but one")
        return cls(path, (len(names),), names, types)

    def pieces(self, groups: Sequence[Group], rows: int) -> Pieces:
        """Yield the groups of columns of one batch after the other."""
        chosen = [range(len(self.names)) if group is None else group for group in groups]
        names = [[self.names[column] for column in group] for group in chosen]
        wanted = list(dict.fromkeys(chain.from_iterable(names)))
        start = 0
        with _opened(self.path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=wanted):
                arrays = {name: self._array(batch, name, start) for name in wanted}
                yield tuple(_stacked([arrays[name] for name in group], batch) for group in names)
                start += batch.num_rows

    def _array(self, batch: Any, name: str, start: int) -> NDArray[Any]:
        column = batch.column(name)
        if column.null_count:
            row = start + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise ValueError(
                f"{self.path}, row {row} (from 0): column {name!r} has no value; fill in missing "
                "values first"
            )
        return as_floats(column.to_numpy(zero_copy_only=False), f"{self.path}, column {name!r},")


def _stacked(columns: list[NDArray[Any]], batch: Any) -> NDArray[Any]:
    return np.stack(columns, axis=1) if columns else np.empty((batch.num_rows, 0))


def _type(kind: Any) -> np.dtype[Any]:
    """Return the type that a column has as an array of floats; object if it has no numbers."""
    import pyarrow as pa

    if pa.types.is_float32(kind):
        return np.dtype(np.float32)
    numeric = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    return np.dtype(np.float64 if numeric else object)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("a Parquet file", "pyarrow", "parquet") from error
    try:
        with path.open("rb") as content, parquet.ParquetFile(content) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        # Errors of the system, such as a file that is not there, and of memory are no faults of
        # the file.
        if isinstance(error, MemoryError) or getattr(error, "errno", None):
            raise
        raise ValueError(f"{path} is truncated or not a Parquet file ({error})") from None
