"""Threads of worker processes: the variable of the package, limits of joblib, shared cores."""

import sys
from collections.abc import Callable

import pytest

from processes import run


@pytest.fixture(scope="module")
def cores() -> int:
    """Return the number of threads of a process without limits."""
    script = "import ntkfast; print(ntkfast.num_threads())"
    return int(run(script, NTKFAST_NUM_THREADS="").stdout)


LOKY = """
    import os
    from joblib import Parallel, delayed, parallel_config

    def count():
        import ntkfast
        ntkfast.mlp(1).ntk([[1.0]] * 300)
        return ntkfast.num_threads()

    os.environ.pop("OMP_NUM_THREADS", None)
    with parallel_config("loky", n_jobs=2, inner_max_num_threads={limit}):
        print(*Parallel()(delayed(count)() for _ in range(4)))
"""


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("1", lambda cores: 1),
        ("2", lambda cores: min(2, cores)),
        ("1000", lambda cores: cores),
        ("None", lambda cores: max(1, cores // 2)),  # what joblib chooses for two workers
    ],
    ids=["1", "2", "1000", "None"],
)
def test_joblib_limits_its_workers(limit: str, expected: Callable[[int], int], cores: int) -> None:
    result = run(LOKY.format(limit=limit), NTKFAST_NUM_THREADS="")
    assert result.stdout.split() == [str(expected(cores))] * 4, result.stderr


def test_the_variable_of_the_package_comes_first_in_workers_of_joblib() -> None:
    result = run(LOKY.format(limit="1"), NTKFAST_NUM_THREADS="3")
    assert result.stdout.split() == ["3"] * 4, result.stderr


SPAWNED = """
    import multiprocessing
    import ntkfast

    if __name__ == "__main__":
        print(ntkfast.num_threads())
        {change}
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            print(*(pool.apply(ntkfast.info)["threads"] for _ in range(2)))
"""


@pytest.mark.parametrize(
    ("change", "expected"),
    [("pass", "2"), ("import os; os.environ['NTKFAST_NUM_THREADS'] = '3'", "3")],
)
def test_spawned_processes_obey_the_variable(change: str, expected: str) -> None:
    script = SPAWNED.format(change=change)
    result = run(script, NTKFAST_NUM_THREADS="2", OMP_NUM_THREADS="1")
    assert result.stdout.split() == ["2", expected, expected], result.stderr


def test_variables_for_others_do_not_count_elsewhere(cores: int) -> None:
    script = SPAWNED.format(change="pass")
    result = run(script, NTKFAST_NUM_THREADS="", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    share = str(max(1, cores // 2) if sys.platform == "linux" else cores)
    assert result.stdout.split() == [str(cores), share, share], result.stderr


NAMED = """
    import multiprocessing
    multiprocessing.current_process().name = {name!r}
    import ntkfast
    print(ntkfast.num_threads())
"""


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("Dask Worker process (from Nanny)", "1", None),  # Dask's default for any worker
        ("LokyProcess-3", "1,4", "1"),
        ("LokyProcess-3", "", None),
        ("LokyProcess-3", "0", None),
        ("LokyProcess-3", "many", None),
        ("SpawnProcess-1", "1", None),
        ("MainProcess", "1", None),
    ],
)
def test_which_processes_have_limits(name: str, value: str, limit: str | None, cores: int) -> None:
    result = run(NAMED.format(name=name), NTKFAST_NUM_THREADS="", OMP_NUM_THREADS=value)
    assert result.stdout.split() == [limit or str(cores)], result.stderr
