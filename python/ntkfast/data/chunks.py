"""Points and targets that are read in chunks, anew for each pass."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeAlias

from ntkfast._arrays import FloatArray, as_floats, as_images
from ntkfast._display import Displayed, Fact

__all__ = ["Chunks"]

Pair: TypeAlias = tuple[FloatArray, FloatArray]

_ANEW = (
    "Each pass needs an iterator of its own: pass a function that makes a new one at each call, "
    "Chunks(lambda: read()), where read() opens its data again"
)


class Chunks(Displayed):
    """Points and targets in chunks, for data that do not fit into memory.

    Each ``iter(chunks)`` is a pass over all chunks from the beginning. Only one chunk is in memory
    at a time, unless the source holds more.

    Parameters
    ----------
    source : callable or iterable
        A function without arguments that returns an iterable of pairs (x, y), such as a generator
        function. It is called once per pass and must return the same points each time. Or an
        iterable that can be read several times, such as a list of pairs.

        x has shape (k, n_features), (k, length, channels) or (k, height, width, channels); y has
        shape (k,), (k, c) or (k, …). k may differ from chunk to chunk. float32 and float64 are
        kept; float16, integers and booleans become float64. Chunks without points are skipped. NaN
        and infinities are not looked for.

    Raises
    ------
    TypeError
        `source` is an iterator or a generator, which can be read only once, or something else that
        is neither a function nor an iterable. An element of a list is not a pair.
    ValueError
        `source` is an empty list.

    See Also
    --------
    read_chunks : chunks of NPY, CSV and Parquet files.

    Notes
    -----
    A pass raises TypeError if a chunk is not a pair of arrays of real numbers, and ValueError if
    the shapes of a chunk do not fit each other or the first chunk. It raises ValueError, too, if
    the function returns the iterator of the pass before, and at its end if there were no points, or
    not as many as in an earlier pass.

    Examples
    --------
    >>> def read():
    ...     for seed in range(3):
    ...         x = np.random.default_rng(seed).normal(size=(100, 2))
    ...         yield x, np.sin(x[:, 0])
    >>> import numpy as np
    >>> chunks = Chunks(read)
    >>> sum(len(x) for x, y in chunks)
    300
    >>> chunks
    Chunks(read, n=300)
    """

    def __init__(
        self, source: Callable[[], Iterable[tuple[Any, Any]]] | Iterable[tuple[Any, Any]]
    ) -> None:
        if isinstance(source, Iterator):
            raise TypeError(
                f"source is an iterator, of type {type(source).__name__}, which can be read only "
                f"once. {_ANEW}"
            )
        if not callable(source) and not isinstance(source, Iterable):
            raise TypeError(
                f"source is of type {type(source).__name__}; expected a function that returns an "
                "iterable of pairs (x, y), or a list of pairs"
            )
        if isinstance(source, (list, tuple)):
            if not source:
                raise ValueError("source is empty; expected at least one pair (x, y)")
            for i, pair in enumerate(source):
                _as_pair(pair, i)
        self._source = source
        self._n: int | None = None  # points of a complete pass
        self._last: object = None  # the iterator of the last pass

    def __iter__(self) -> Iterator[Pair]:
        pairs = self._source() if callable(self._source) else self._source
        if not isinstance(pairs, Iterable):
            raise TypeError(
                f"source returned {pairs!r}; expected an iterable of pairs (x, y), such as a list, "
                "or use yield for each pair"
            )
        if isinstance(pairs, Iterator):
            if pairs is self._last:
                raise ValueError(f"source returned the iterator of the pass before. {_ANEW}")
            self._last = pairs
        n, shapes = 0, None
        try:
            for i, pair in enumerate(pairs):
                x, y = _as_arrays(pair, i)
                if not len(x):
                    continue
                shapes = shapes or (x.shape[1:], y.shape[1:])
                _check_shapes(x, y, shapes, i)
                n += len(x)
                yield x, y
        finally:
            if isinstance(pairs, Generator):
                pairs.close()  # and with it open files, also after a pass that was broken off
        self._check_number(n)

    def _check_number(self, n: int) -> None:
        if self._n is None and not n:
            raise ValueError("source has no points; expected at least one chunk with points")
        if self._n is not None and n != self._n:
            raise ValueError(
                f"this pass had {n} points, and an earlier one {self._n}; expected the same points "
                f"in each pass. {_ANEW}"
            )
        self._n = n

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._source,)  # a copy begins anew

    def _facts(self) -> Iterator[Fact]:
        source = self._source
        if isinstance(source, Displayed):
            yield "", source
        elif isinstance(source, (list, tuple)):
            yield "", f"{len(source)} chunks"
        else:
            yield "", getattr(source, "__name__", type(source).__name__)
        if self._n is not None:
            yield "n=", self._n


def _as_pair(pair: object, i: int) -> tuple[object, object]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        shape = getattr(pair, "shape", None)
        given = f"of type {type(pair).__name__}"
        if shape is not None:
            given += f" and shape {tuple(shape)}"
        elif isinstance(pair, (tuple, list)):
            given += f" and length {len(pair)}"
        raise TypeError(
            f"chunk {i} is {given}; expected a pair (x, y). For a single chunk use Chunks([(x, y)])"
        )
    x, y = pair
    return x, y


def _as_arrays(pair: object, i: int) -> Pair:
    points, targets = _as_pair(pair, i)
    x = as_images(points, f"x of chunk {i}", None)  # type: ignore[arg-type]
    y = as_floats(targets, f"y of chunk {i}")
    if y.ndim == 0 or len(y) != len(x):
        raise ValueError(
            f"y of chunk {i} has shape {y.shape}, and x has shape {x.shape}; expected one target "
            f"per point, ({len(x)},) or ({len(x)}, n_outputs)"
        )
    return x, y


def _check_shapes(x: FloatArray, y: FloatArray, shapes: tuple[Any, Any], i: int) -> None:
    """Compare a chunk with the first one."""
    for name, array, shape in (("x", x, shapes[0]), ("y", y, shapes[1])):
        if array.shape[1:] != shape:
            expected = ", ".join(map(str, ("k", *shape))) + ("" if shape else ",")
            raise ValueError(
                f"{name} of chunk {i} has shape {array.shape}; expected ({expected}), as in the "
                "first chunk"
            )
