"""Chunks: every pass has the same points, and a source that can be read only once is refused."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ntkfast as nk

X, Y = np.arange(12.0).reshape(6, 2), np.arange(6.0)
PAIRS = [(X[:4], Y[:4]), (X[4:], Y[4:])]


def read() -> Iterator[tuple[Any, Any]]:
    yield from PAIRS


class Again:
    """Something that can be read several times and is no list, such as a loader of PyTorch."""

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(PAIRS)


@pytest.mark.parametrize("source", [read, PAIRS, tuple(PAIRS), lambda: PAIRS, Again(), Again])
def test_each_pass_begins_again(source: Any) -> None:
    chunks = nk.data.Chunks(source)
    next(iter(chunks))  # a pass that is broken off
    for _ in range(3):
        xs, ys = zip(*chunks, strict=True)
        assert np.array_equal(np.concatenate(xs), X)
        assert np.array_equal(np.concatenate(ys), Y)


def test_two_passes_at_a_time() -> None:
    chunks = nk.data.Chunks(read)
    for (x, _), (x_again, _) in zip(chunks, chunks, strict=True):
        assert np.array_equal(x, x_again)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("f4", "f4"), ("f8", "f8"), ("f2", "f8"), ("i4", "f8"), ("?", "f8"), (">f4", "f4")],
)
def test_types(given: str, expected: str) -> None:
    ((x, y),) = nk.data.Chunks([(X.astype(given), Y.astype(given))])
    assert x.dtype == y.dtype == np.dtype(expected)
    assert x.dtype.isnative


@pytest.mark.parametrize("shape", [(6, 2), (6, 5, 3), (6, 4, 4, 1)])
@pytest.mark.parametrize("outputs", [(), (1,), (3,), (2, 2), (0,)])
def test_shapes(shape: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    ((x, y),) = nk.data.Chunks([[np.ones(shape), np.ones((6, *outputs))]])
    assert x.shape == shape
    assert y.shape == (6, *outputs)


def test_empty_chunks_are_skipped() -> None:
    chunks = nk.data.Chunks([(X[:0], Y[:0]), *PAIRS, (X[:0], Y[:0])])
    assert [len(x) for x, _ in chunks] == [4, 2]


@pytest.mark.parametrize("source", [read(), iter(PAIRS), zip([X], [Y], strict=True), map(len, [])])
def test_an_iterator_is_refused(source: Any) -> None:
    with pytest.raises(TypeError, match=r"only once.*Chunks\(lambda: read\(\)\)"):
        nk.data.Chunks(source)


@pytest.mark.parametrize("source", [None, 3, 1.5])
def test_what_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(TypeError, match="expected a function that returns an iterable of pairs"):
        nk.data.Chunks(source)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValueError, match="source is empty"):
        nk.data.Chunks([])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("source", [read, lambda: iter(PAIRS), lambda: map(tuple, PAIRS)])
def test_an_exhausted_iterator_is_an_error(source: Any, whole: bool) -> None:
    once = source()
    chunks = nk.data.Chunks(lambda: once)
    list(chunks) if whole else next(iter(chunks))
    with pytest.raises(ValueError, match=r"iterator of the pass before.*Chunks\(lambda: read\(\)"):
        list(chunks)


def test_an_exhausted_iterator_within_a_new_one_is_an_error() -> None:
    once = iter(PAIRS)
    chunks = nk.data.Chunks(lambda: (pair for pair in once))
    assert len(list(chunks)) == 2
    with pytest.raises(ValueError, match="this pass had 0 points, and an earlier one 6"):
        list(chunks)


def test_a_pass_with_other_points_is_an_error() -> None:
    numbers = iter([2, 1])
    chunks = nk.data.Chunks(lambda: PAIRS[: next(numbers)])
    list(chunks)
    with pytest.raises(ValueError, match="this pass had 4 points, and an earlier one 6"):
        list(chunks)


@pytest.mark.parametrize("source", [list, lambda: [(X[:0], Y[:0])], [(X[:0], Y[:0])]])
def test_a_source_without_points_is_an_error(source: Any) -> None:
    with pytest.raises(ValueError, match="source has no points"):
        list(nk.data.Chunks(source))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ((X, Y), r"chunk 0 is of type ndarray and shape \(6, 2\); expected a pair.*\[\(x, y\)\]"),
        ([PAIRS[0], (X, Y, Y)], "chunk 1 is of type tuple and length 3"),
        ([X], "chunk 0 is of type ndarray"),
        (["xy"], "chunk 0 is of type str"),
        ([None], "chunk 0 is of type NoneType"),
        ([(X, np.array(list("abcdef")))], "y of chunk 0 has dtype <U1"),
        ([(None, Y)], "x of chunk 0 is None"),
        ([(X, None)], "y of chunk 0 is None"),
    ],
)
def test_what_is_no_pair_is_refused(pairs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        list(nk.data.Chunks(lambda: pairs))
    with pytest.raises(TypeError, match=message):
        list(nk.data.Chunks(pairs))


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((X[:, 0], Y), r"x of chunk 2 has shape \(6,\); expected rows"),
        ((X[:, :0], Y), "has no features"),
        ((X, Y[:5]), r"y of chunk 2 has shape \(5,\), and x has shape \(6, 2\); expected one"),
        ((X, 1.0), r"y of chunk 2 has shape \(\)"),
        ((X[:, :1], Y), r"x of chunk 2 has shape \(6, 1\); expected \(k, 2\), as in the first"),
        ((X, Y[:, None]), r"y of chunk 2 has shape \(6, 1\); expected \(k,\), as in the first"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(pair: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(nk.data.Chunks([*PAIRS, pair]))


def test_a_function_that_returns_nothing_is_refused() -> None:
    with pytest.raises(TypeError, match="source returned None; expected an iterable of pairs"):
        list(nk.data.Chunks(lambda: None))  # type: ignore[arg-type, return-value]


def test_a_pass_that_is_broken_off_closes_its_generator() -> None:
    closed = []

    def opens() -> Iterator[tuple[Any, Any]]:
        try:
            yield from PAIRS
        finally:
            closed.append(True)

    passing = iter(nk.data.Chunks(opens))
    next(passing)
    assert not closed
    passing.close()  # type: ignore[attr-defined]
    assert closed


def test_errors_of_the_source_pass_through() -> None:
    def fails() -> Iterator[tuple[Any, Any]]:
        yield PAIRS[0]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(nk.data.Chunks(fails))


def test_display() -> None:
    chunks = nk.data.Chunks(read)
    assert repr(chunks) == "Chunks(read)"
    list(chunks)
    assert repr(chunks) == "Chunks(read, n=6)"
    assert repr(nk.data.Chunks(PAIRS)) == "Chunks(2 chunks)"
    assert repr(nk.data.Chunks(Again())) == "Chunks(Again)"
    assert "<table>" in chunks._repr_html_()


def test_copies() -> None:
    chunks = nk.data.Chunks(PAIRS)
    list(chunks)
    for again in (copy.copy(chunks), pickle.loads(pickle.dumps(chunks))):
        assert repr(again) == "Chunks(2 chunks)"
        assert sum(len(x) for x, _ in again) == 6
