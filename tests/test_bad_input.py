"""Invalid arguments are rejected; messages name the argument, its value and what is expected."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from contract import KERNELS, kernel

NETWORK = nk.Serial(nk.Dense(w_std=1.4, b_std=0.1), nk.Relu(), nk.Dense())
GOOD = np.arange(12.0).reshape(4, 3)
METHODS = (*KERNELS, "kernels")


@pytest.fixture(autouse=True)
def _no_panic(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert "panicked" not in capfd.readouterr().err


def with_entry(row: int, column: int, value: float, dtype: Any = np.float64) -> Any:
    x = GOOD.astype(dtype)
    x[row, column] = value
    return x


SHAPE = r"expected \(n_samples, n_features\)"
REAL = "expected real numbers"
POINTS: list[tuple[str, Any, type[Exception], str]] = [
    ("nan", with_entry(3, 1, np.nan), ValueError, "NaN at row 3, column 1"),
    ("inf", with_entry(0, 2, np.inf), ValueError, "inf at row 0, column 2"),
    ("-inf", with_entry(2, 0, -np.inf), ValueError, "-inf at row 2, column 0"),
    ("nan32", with_entry(1, 1, np.nan, np.float32), ValueError, "NaN at row 1, column 1"),
    ("nan16", with_entry(1, 1, np.nan, np.float16), ValueError, "NaN at row 1, column 1"),
    ("nan in a list", [[0.0, 1.0, float("nan")]], ValueError, "NaN at row 0, column 2"),
    ("1-D", np.ones(3), ValueError, r"has shape \(3,\); " + SHAPE),
    ("0-D", np.float64(1.0), ValueError, r"has shape \(\); " + SHAPE),
    ("number", 7, ValueError, r"has shape \(\); " + SHAPE),
    ("3-D", np.ones((4, 3, 1)), ValueError, r"has shape \(4, 3, 1\); " + SHAPE),
    ("no features", np.ones((4, 0)), ValueError, r"has shape \(4, 0\).*" + SHAPE),
    ("empty list", [], ValueError, r"has shape \(0,\); " + SHAPE),
    ("ragged", [[1.0, 2.0], [3.0]], ValueError, "expected rows of numbers of equal length"),
    ("string", "points.npy", TypeError, f"dtype <U10; {REAL}"),
    ("strings", [["1", "2"]], TypeError, f"dtype <U1; {REAL}"),
    ("bytes", np.array([[b"1"]]), TypeError, f"dtype [|]S1; {REAL}"),
    ("objects", np.array([[1, None]], dtype=object), TypeError, f"dtype object; {REAL}"),
    ("None", None, TypeError, f"is None; {REAL}"),
    ("dict", {"a": 1}, TypeError, f"dtype object; {REAL}"),
    ("complex", GOOD * 1j, TypeError, f"dtype complex128; {REAL}"),
    ("complex list", [[1j]], TypeError, f"dtype complex128; {REAL}"),
    ("dates", np.zeros((2, 2), "datetime64[s]"), TypeError, REAL),
    ("records", np.zeros((2, 2), [("a", "f8")]), TypeError, REAL),
    ("masked", np.ma.masked_array(GOOD, GOOD > 3), TypeError, "masked"),
]
if np.dtype(np.longdouble) != np.dtype(np.float64):
    long = GOOD.astype(np.longdouble)
    POINTS.append(("longdouble", long, TypeError, f"dtype (float|longdouble)\\w*; {REAL}"))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("x", "error", "message"), [case[1:] for case in POINTS], ids=[case[0] for case in POINTS]
)
def test_points(method: str, x: Any, error: type[Exception], message: str) -> None:
    call = kernel(NETWORK, method)
    with pytest.raises(error, match=rf"^x .*{message}"):
        call(x)
    with pytest.raises(error, match=rf"^x .*{message}"):
        call(x, diagonal=True)
    with pytest.raises(error, match=rf"^x .*{message}"):
        call(x, GOOD)
    if x is not None:  # no second set of points
        with pytest.raises(error, match=rf"^x2 .*{message}"):
            call(GOOD, x)


@pytest.mark.parametrize(
    ("x", "advice"),
    [
        ([["1", "2"]], r"np\.asarray\(x\)\.astype\(np\.float64\)$"),
        (np.array([[1, 2]], dtype=object), r"np\.asarray\(x\)\.astype\(np\.float64\)$"),
        (GOOD * 1j, r"np\.real\(x\)$"),
        (np.zeros((2, 2), [("a", "f8")]), r"x\['a'\]$"),
        # Nothing that would work:
        (None, r"become float64 \(float16, integers, booleans\)$"),
        ([["1", "one"]], r"become float64 \(float16, integers, booleans\)$"),
        ([[1.0, None]], r"become float64 \(float16, integers, booleans\)$"),
        ([[10**400]], r"become float64 \(float16, integers, booleans\)$"),
        ({"a": 1}, r"become float64 \(float16, integers, booleans\)$"),
    ],
)
def test_conversions_are_advised_where_they_work(x: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        NETWORK.ntk(x)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_bad_entry_anywhere_is_found(value: float, order: Any, dtype: Any) -> None:
    clean = np.zeros((300, 37), dtype)
    for row, column in ((0, 0), (299, 36), (150, 0), (63, 31), (128, 36), (299, 0)):
        x = clean.copy(order=order)
        x[row, column] = value
        for call in (NETWORK.ntk, lambda a: NETWORK.nngp(a, diagonal=True)):
            with pytest.raises(ValueError, match=f"^x .* at row {row}, column {column}"):
                call(x)
        with pytest.raises(ValueError, match=f"^x2 .* at row {row}, column {column}"):
            NETWORK.ntk(clean, x)


@pytest.mark.parametrize("method", METHODS)
def test_points_of_different_dimension(method: str) -> None:
    with pytest.raises(ValueError, match=r"^x2 .*(?=.*\b5\b)(?=.*\b3\b)"):
        kernel(NETWORK, method)(GOOD, np.ones((2, 5)))


@pytest.mark.parametrize("method", METHODS)
def test_diagonal_of_two_sets(method: str) -> None:
    with pytest.raises(ValueError, match=r"diagonal=True.* x2"):
        kernel(NETWORK, method)(GOOD, GOOD, diagonal=True)


def read_only() -> Any:
    out = np.empty((4, 4))
    out.flags.writeable = False
    return out


OUTPUTS: list[tuple[str, Any, type[Exception], str]] = [
    ("shape", np.empty((4, 3)), ValueError, r"shape \(4, 3\).*expected.*\(4, 4\)"),
    ("1-D", np.empty(16), ValueError, r"shape \(16,\).*expected.*\(4, 4\)"),
    ("float32", np.empty((4, 4), np.float32), TypeError, "float32.*expected.*float64"),
    ("int", np.empty((4, 4), np.int64), TypeError, "int64.*expected.*float64"),
    ("swapped", np.empty((4, 4), ">f8"), TypeError, ">f8.*expected.*float64"),
    ("list", [[0.0] * 4] * 4, TypeError, "type list.*expected.*array"),
    ("read-only", read_only(), ValueError, "read-only.*expected"),
]


@pytest.mark.parametrize(
    ("out", "error", "message"), [case[1:] for case in OUTPUTS], ids=[case[0] for case in OUTPUTS]
)
def test_outputs(out: Any, error: type[Exception], message: str) -> None:
    for name in KERNELS:
        with pytest.raises(error, match=rf"^out .*{message}"):
            kernel(NETWORK, name)(GOOD, out=out)
        with pytest.raises(error, match=rf"^out .*{message}"):
            kernel(NETWORK, name)(GOOD, GOOD, out=out)
    with pytest.raises(error, match=rf"^out\.ntk .*{message}"):
        NETWORK.kernels(GOOD, out=(np.empty((4, 4)), out))
    with pytest.raises(error, match=rf"^out\.nngp .*{message}"):
        NETWORK.kernels(GOOD, out=(out, None))


def test_output_of_a_diagonal() -> None:
    with pytest.raises(ValueError, match=r"^out .*\(4, 4\).*expected.*\(4,\)"):
        NETWORK.ntk(GOOD, diagonal=True, out=np.empty((4, 4)))


@pytest.mark.parametrize("out", [np.empty((4, 4)), (np.empty((4, 4)),), "ab", 3])
def test_output_of_both_kernels_must_be_a_pair(out: Any) -> None:
    with pytest.raises(TypeError, match=r"^out.*expected"):
        NETWORK.kernels(GOOD, out=out)


@pytest.mark.parametrize("diagonal", [False, True])
def test_outputs_are_called_as_the_caller_knows_them(diagonal: bool) -> None:
    """`out` is one array for one kernel; the core finds entries that share memory."""
    shape = (4,) if diagonal else (4, 4)
    shared = np.lib.stride_tricks.as_strided(np.zeros(1), shape, (0,) * len(shape))
    own = np.empty(shape)
    for call in (NETWORK.ntk, NETWORK.nngp):
        with pytest.raises(ValueError, match=r"^out has entries that share memory"):
            call(GOOD, out=shared, diagonal=diagonal)
    for field, out in (("nngp", (shared, own)), ("ntk", (own, shared))):
        with pytest.raises(ValueError, match=rf"^out\.{field} has entries that share memory"):
            NETWORK.kernels(GOOD, out=out, diagonal=diagonal)
    if not diagonal:
        with pytest.raises(ValueError, match=r"^out has entries that share memory"):
            NETWORK.ntk(GOOD, GOOD.copy(), out=shared)


def test_output_that_overlaps_the_input() -> None:
    buffer = np.random.default_rng(0).standard_normal((8, 8))
    x, out = buffer[:, :3], buffer
    for call in (
        lambda: NETWORK.ntk(x, out=out),
        lambda: NETWORK.ntk(x, x.copy(), out=out),
        lambda: NETWORK.ntk(x.copy(), x, out=out),
        lambda: NETWORK.nngp(x, diagonal=True, out=buffer[0]),
    ):
        before = buffer.copy()
        with pytest.raises(ValueError, match=r"^out .*overlap"):
            call()
        np.testing.assert_array_equal(buffer, before)


def test_outputs_that_overlap_each_other_or_themselves() -> None:
    out = np.empty((4, 4))
    for pair in ((out, out), (out, out.T)):
        with pytest.raises(ValueError, match=r"^out\.ntk overlaps out\.nngp"):
            NETWORK.kernels(GOOD, out=pair)
    same_row = np.lib.stride_tricks.as_strided(np.empty(4), (4, 4), (0, 8))
    with pytest.raises(ValueError, match=r"^out.* share memory"):
        NETWORK.ntk(GOOD, out=same_row)


def test_arrays_over_one_buffer_overlap_whatever_their_base() -> None:
    buffer = bytearray(8 * 64)

    def over(offset: int, shape: tuple[int, ...]) -> Any:
        flat = np.frombuffer(buffer, count=int(np.prod(shape)), offset=8 * offset)
        return flat.reshape(shape)

    first, second, apart = over(0, (4, 4)), over(15, (4, 4)), over(16, (4, 4))
    with pytest.raises(ValueError, match=r"^out\.ntk overlaps out\.nngp"):
        NETWORK.kernels(GOOD, out=(first, second))
    x = over(8, (4, 3))
    x[:] = GOOD
    with pytest.raises(ValueError, match=r"^out overlaps x "):
        NETWORK.ntk(x, out=first)
    with pytest.raises(ValueError, match=r"^out overlaps x2 "):
        NETWORK.ntk(GOOD, x, out=first)
    with pytest.raises(ValueError, match=r"^out overlaps x "):
        NETWORK.ntk(x, diagonal=True, out=over(8, (4,)))
    np.testing.assert_array_equal(x, GOOD)
    expected = NETWORK.kernels(GOOD)
    NETWORK.kernels(GOOD, out=(first, apart))
    np.testing.assert_array_equal(first, expected.nngp)
    np.testing.assert_array_equal(apart, expected.ntk)


def test_outputs_that_interleave_do_not_overlap() -> None:
    # Columns of one buffer, none of them shared: a check of bounds alone would refuse them.
    buffer = np.zeros((4, 8))
    NETWORK.kernels(GOOD, out=(buffer[:, ::2], buffer[:, 1::2]))
    expected = NETWORK.kernels(GOOD)
    np.testing.assert_array_equal(buffer[:, ::2], expected.nngp)
    np.testing.assert_array_equal(buffer[:, 1::2], expected.ntk)


@pytest.mark.parametrize("progress", [3, "yes", 0.5])
def test_progress(progress: Any) -> None:
    for diagonal in (False, True):
        with pytest.raises(TypeError, match=r"^progress .*expected"):
            NETWORK.ntk(GOOD, diagonal=diagonal, progress=progress)


@pytest.mark.parametrize("name", ["w_std", "b_std"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1.0, ValueError),
        (-1e-300, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
        (10**400, ValueError),
        ("1.4", TypeError),
        (1j, TypeError),
        ([1.0], TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_standard_deviations(name: str, value: Any, error: type[Exception]) -> None:
    if name == "b_std" and value is None:  # no bias
        return
    with pytest.raises(error, match=rf"^Dense: {name} is .*expected a finite number >= 0"):
        nk.Dense(**{name: value})


@pytest.mark.parametrize("count", [0, -1, 10**30])
def test_numbers_of_threads_out_of_range(count: int) -> None:
    with pytest.raises(ValueError, match=rf"^n, .*must be an integer from 1 to .*not {count}"):
        nk.set_num_threads(count)


@pytest.mark.parametrize("count", [1.5, "2", None, [1], True])
def test_numbers_of_threads_of_another_type(count: Any) -> None:
    with pytest.raises(TypeError, match=r"^n is .*; expected an integer"):
        nk.set_num_threads(count)
