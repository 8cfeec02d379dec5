"""Tables, sparse matrices and dates: taken, or refused with what to do about them."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import ntkfast as nk

NET = nk.mlp(1, b_std=0.5)
NUMBERS = np.array([[1.0, 1.5, 2.0], [0.0, 2.5, 3.0]])
DAYS = pd.to_datetime(["2020-01-01", "2020-01-03"])


@pytest.mark.parametrize(
    "types",
    [
        (bool, np.float64, np.int64),
        (bool, np.float32, np.float32),
        ("boolean", np.float64, "Int64"),
        ("boolean", "Float64", "Int8"),
        (bool, np.float16, np.uint8),
    ],
)
def test_tables_of_numbers_and_booleans(types: Any) -> None:
    table = pd.DataFrame(NUMBERS, columns=["a", "b", "c"])
    table = table.astype(dict(zip("abc", types, strict=True)))
    np.testing.assert_array_equal(NET.ntk(table), NET.ntk(NUMBERS))
    np.testing.assert_array_equal(NET.ntk(table, NUMBERS), NET.ntk(NUMBERS, NUMBERS.copy()))
    flow = nk.GradientFlow(NET.ntk(table), table["a"])
    np.testing.assert_array_equal(flow.y, [1.0, 0.0])
    assert flow.y.dtype == np.float64


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"b": [1.5, 2.5], **columns})


def test_days_of_the_message_are_numbers() -> None:
    x = table(when=DAYS)
    with pytest.raises(TypeError) as caught:
        NET.ntk(x)
    days = eval(str(caught.value).partition("such as days: ")[2], {"x": x, "np": np})
    np.testing.assert_array_equal(days, [0, 2])
    for given in (DAYS.to_numpy(), list(DAYS), [day.date() for day in DAYS], x["when"]):
        with pytest.raises(TypeError, match=r"^y has dtype .* numbers of dates") as caught:
            nk.KernelRegression(np.eye(2), given)
        days = eval(str(caught.value).partition("such as days: ")[2], {"y": given, "np": np})
        np.testing.assert_array_equal(days, [0, 2])
    for spans in ((DAYS - DAYS[0]).to_numpy(), [datetime.timedelta(0), datetime.timedelta(2)]):
        with pytest.raises(TypeError, match=r"^y has dtype .* numbers of durations") as caught:
            nk.KernelRegression(np.eye(2), spans)
        days = eval(str(caught.value).partition("such as days: ")[2], {"y": spans, "np": np})
        np.testing.assert_array_equal(days, [0, 2])


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (table(when=DAYS), r"Column 'when' holds dates: .* x2?\['when'\]\.min\(\)\) /"),
        (table(when=DAYS.tz_localize("UTC")), r"Column 'when' holds dates"),
        (table(when=DAYS)[["when"]], r"Column 'when' holds dates"),
        (table(wait=DAYS - DAYS[0]), r"Column 'wait' holds dates"),
        (table(sort=["u", "v"]), r"Column 'sort' holds no numbers: .* x2?\.to_numpy\(float\)$"),
        (table(sort=pd.Categorical(["u", "v"])), r"Column 'sort' holds no numbers"),
        (table(sort=[1j, 2j]), r"np\.real\(x2?\)$"),
        (scipy.sparse.eye(2).tocsr(), r"sparse matrix: pass x2?\.toarray\(\)$"),
        (scipy.sparse.eye_array(2), r"sparse matrix: pass x2?\.toarray\(\)$"),
        (scipy.sparse.coo_array(np.eye(2)), r"sparse matrix: pass x2?\.toarray\(\)$"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_to_do(x: Any, words: str) -> None:
    for call in (NET.ntk, NET.kernels, lambda x: nk.cntk(1).nngp(x)):
        with pytest.raises(TypeError, match=rf"^x has dtype .*expected real numbers.*{words}"):
            call(x)
    with pytest.raises(TypeError, match=rf"^x2 has dtype .*expected real numbers.*{words}"):
        NET.ntk(np.eye(2), x)


def test_missing_values_are_not_lost() -> None:
    x = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1.5, 2.5]})
    # Older versions of pandas make no NaN of them.
    with pytest.raises((ValueError, TypeError), match=r"^x .*(NaN|missing values)"):
        NET.ntk(x)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="they are float64 here")
def test_long_doubles_of_tables_are_not_rounded() -> None:
    with pytest.raises(TypeError, match="Column 'c' holds no numbers"):
        NET.ntk(table(a=[True, False], c=np.ones(2, np.longdouble)))
