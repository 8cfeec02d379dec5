"""Profiles, seeds and fixtures shared by all test files.

``HYPOTHESIS_PROFILE=fast`` (default: the same examples every time), ``ci`` or ``long``;
``NTKFAST_TEST_SEED=n`` repeats a run of the last two and draws other NumPy data.

With ``pytest -n auto`` there is one process per core. Each has few threads, because the BLAS
threads of several processes mostly wait for each other.
"""

import os
import secrets
import signal
from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest

import ntkfast as nk

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "fast")
FIXED_SEED = 20260
SEED = int(
    os.environ.get(
        "NTKFAST_TEST_SEED", FIXED_SEED if PROFILE == "fast" else secrets.randbelow(2**31)
    )
)

# What worker processes are told: two threads of the package, so that its pool is in use.
WORKERS = {
    "NTKFAST_TEST_SEED": str(SEED),
    "NTKFAST_NUM_THREADS": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

common: dict[str, Any] = {"deadline": None, "print_blob": True}
slow = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
hypothesis.settings.register_profile("fast", max_examples=25, derandomize=True, **common)
hypothesis.settings.register_profile("ci", max_examples=200, suppress_health_check=slow, **common)
hypothesis.settings.register_profile(
    "long", max_examples=5000, suppress_health_check=slow, **common
)
hypothesis.settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if PROFILE != "fast" and config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = str(SEED)
    if getattr(config.option, "numprocesses", None):
        for name, value in WORKERS.items():
            os.environ.setdefault(name, value)
    # Tests send SIGINT, which a shell has its background jobs ignore, and these their children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"ntkfast: NTKFAST_TEST_SEED={SEED} HYPOTHESIS_PROFILE={PROFILE}"


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator from the printed seed, the same for each test."""
    return np.random.default_rng(SEED)


@pytest.fixture
def threads() -> Iterator[None]:
    """Put the number of threads back after a test that changes it."""
    before = nk.info()["threads"]
    yield
    nk.set_num_threads(before)
