"""Estimates of time and memory: by counted work, and for any number of samples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ntkfast as nk
from ntkfast._quantities import in_bytes, in_seconds
from ntkfast.networks import estimate as module
from ntkfast.networks import rates
from ntkfast.networks.rates import Rates, Workload, measure, workload

RNG = np.random.default_rng(3)
ROWS = RNG.standard_normal((300, 7))
IMAGES = RNG.standard_normal((40, 6, 6, 2))
POOLED = nk.cntk(2)
FLAT = nk.cntk(2, pooling=False)
NETWORKS = [(nk.mlp(3), ROWS), (FLAT, IMAGES), (POOLED, IMAGES)]
IDS = ["rows", "flat", "pooled"]


class Machine:
    """A machine on which a call takes as long as the groups of pairs that it computes."""

    def __init__(self, of_call: float, of_sample: float, of_group: float, lanes: int) -> None:
        self.of_call, self.of_sample, self.of_group = of_call, of_sample, of_group
        self.lanes, self.clock = lanes, 0.0
        self.calls: list[tuple[int, int]] = []

    def seconds(self, n: int, m: int | None, *, diagonal: bool = False) -> float:
        """Return the time of a call: counted group by group, from the pairs of each block."""
        blocks = -(-n // self.lanes) + (0 if m is None else -(-m // self.lanes))
        total = self.of_call + self.of_sample * blocks * self.lanes
        if diagonal:
            return total
        sizes = [min(self.lanes, n - start) for start in range(0, n, self.lanes)]
        others = sizes if m is None else [min(self.lanes, m - s) for s in range(0, m, self.lanes)]
        for i, size in enumerate(sizes):
            for j, other in enumerate(others[: i + 1] if m is None else others):
                pairs = size * (size - 1) // 2 if m is None and i == j else size * other
                total += self.of_group * -(-pairs // self.lanes)
        return total

    def evaluate(self, _: object, x: Any, x2: Any, *, diagonal: bool, **__: object) -> None:
        self.clock += self.seconds(len(x), None if x2 is None else len(x2), diagonal=diagonal)
        self.calls.append((len(x), len(x if x2 is None else x2)))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    def make(*costs: float, lanes: int) -> Machine:
        made = Machine(*costs, lanes)
        monkeypatch.setattr(rates, "evaluate", made.evaluate)
        monkeypatch.setattr(rates, "perf_counter", lambda: made.clock)
        monkeypatch.setattr(module, "perf_counter", lambda: made.clock)
        return made

    return make


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("of_group", [1e-5, 1e-3, 0.5])
@pytest.mark.parametrize("groups_a_sample", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5, 16, 17, 50, 400, 3000])
@pytest.mark.parametrize("network", [POOLED, FLAT])
def test_images_take_as_long_as_their_groups(
    machine: Callable[..., Machine],
    network: nk.Network,
    n: int,
    groups_a_sample: float,
    of_group: float,
) -> None:
    nk.set_num_threads(1)
    made = machine(1e-4, groups_a_sample * of_group, of_group, lanes=16)
    estimate = network.estimate(IMAGES[:20], n=n)
    true = made.seconds(n, None)
    assert 1 / 1.5 <= estimate.seconds / true <= 1.5
    # The estimate itself takes about a second, or as long as a few images.
    few = made.seconds(6 if network is POOLED else 16, None)
    assert made.clock <= 2 + 3 * few


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("n", [1, 200, 3000, 60_000])
@pytest.mark.parametrize("of_pair", [1e-9, 3e-8, 1e-6])
def test_rows_take_as_long_as_their_pairs(
    machine: Callable[..., Machine], n: int, of_pair: float
) -> None:
    nk.set_num_threads(1)
    made = machine(1e-5, 1e-6, 64 * of_pair, lanes=64)
    for m in (None, 500):
        x2 = None if m is None else ROWS + 1
        estimate = nk.mlp(2).estimate(ROWS, x2, n=n, m=m)
        true = made.seconds(n, m)
        assert 1 / 1.5 <= estimate.seconds / true <= 1.5


@pytest.mark.parametrize(("network", "x"), NETWORKS, ids=IDS)
def test_work_is_counted_as_the_core_does_it(network: nk.Network, x: NDArray[Any]) -> None:
    """Progress is reported by pieces, which are as many as the work says."""
    prepared = network._program.prepare(x)
    for n in (len(x), len(x) - 3):
        totals: list[int] = []
        network.ntk(x[:n], progress=lambda _, total, totals=totals: totals.append(total))
        work = workload(prepared, n, None, ("ntk",))
        blocks = -(-n // 16)
        if network is POOLED:
            assert work.pairs == 16 * (totals[-1] - 1)
        elif network is FLAT:
            assert totals[-1] - 1 == blocks * (blocks + 1) // 2
        else:
            assert work.pairs == sum(64 * min(n, end) for end in range(64, n + 64, 64))
        assert n <= work.samples < n + 64
        assert n * (n - 1) / 2 <= work.pairs <= n * n / 2 + 64 * n
    assert prepared.workload(10**6, None, nngp=True, ntk=True)[1] > 10**11


def test_estimates_are_results() -> None:
    net = nk.mlp(2)
    alone, both = net.estimate(ROWS), net.estimate(ROWS, kernel="both")
    assert (alone.kernel, alone.shape, alone.dtype) == ("ntk", (300, 300), np.float64)
    assert (alone.output_bytes, both.output_bytes) == (300 * 300 * 8, 2 * 300 * 300 * 8)
    assert alone.bytes == alone.output_bytes + alone.working_bytes
    assert 0 < alone.working_bytes < both.working_bytes < 10e6
    assert 0 < alone.seconds < 5
    assert repr(alone).startswith("Estimate(NTK of shape (300, 300), float64, time 0.")
    assert "output 720 kB, work " in str(alone)
    cross = net.estimate(ROWS.astype(np.float32), ROWS[:9], kernel="nngp")
    assert (cross.shape, cross.dtype) == ((300, 9), np.float64)
    assert net.estimate(ROWS.astype(np.float32)).output_bytes == 300 * 300 * 4
    assert "<table>" in alone._repr_html_()


def test_more_samples_than_are_given() -> None:
    large = nk.mlp(2).estimate(ROWS[:10], n=10**6)
    assert (large.shape, large.output_bytes) == ((10**6, 10**6), 8 * 10**12)
    assert large.seconds > 60
    assert "of memory is free; use `ntkfast gram`" in str(large)
    assert nk.mlp(2).estimate(ROWS[:10], n=10**12).output_bytes == 8 * 10**24
    with pytest.raises(ValueError, match="n is 10000000000001; expected an integer >= 1 and <="):
        nk.mlp(2).estimate(ROWS[:10], n=10**13 + 1)
    assert nk.mlp(1).estimate(ROWS[:1], ROWS[1:2], n=40, m=30).shape == (40, 30)
    assert nk.mlp(1).estimate(ROWS[:9], ROWS[:5], m=30).shape == (9, 30)
    assert FLAT.estimate(IMAGES[:1], n=1000).seconds > FLAT.estimate(IMAGES[:1], n=100).seconds
    assert POOLED.estimate(IMAGES[:1], IMAGES[1:2]).shape == (1, 1)
    sequences = nk.Serial(nk.Conv((3,)), nk.Tanh(), nk.Flatten(), nk.Dense())
    assert sequences.estimate(RNG.standard_normal((3, 5, 2)), n=50).shape == (50, 50)


def test_activations_are_fitted_before_the_time_is_measured() -> None:
    estimate = nk.mlp(1, nk.Elementwise(np.tanh)).estimate(ROWS)
    assert estimate.preparation > 0
    if estimate.preparation >= 0.01:
        assert "preparing the network took" in str(estimate)


def test_the_way_is_that_of_all_pairs() -> None:
    """Many pairs of points of one norm are computed by polynomials, and few are not."""
    x = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    program = nk.mlp(12)._program
    assert program.prepare(x, None, 10**9).recipe["pairs"] == 10**9
    assert program.prepare(x).recipe["pairs"] == 300 * 300


def test_new_memory_takes_time_too(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(0.0, 0.0, 0.0, lanes=64)
    monkeypatch.setattr(rates, "seconds_per_byte", lambda _: 1e-9)
    estimate = nk.mlp(1).estimate(ROWS, n=50_000)
    assert estimate.seconds == pytest.approx(estimate.output_bytes * 1e-9 / nk.info()["threads"])


def test_rates_scale_with_threads() -> None:
    work = Workload(64, 6400, 2, 4, 6, 0)
    assert Rates(2.0, 1.0).seconds(work) == 64 + 1600
    assert Rates(2.0, 1.0, 0.5).seconds(work, 80.0) == 64 + 1600 + 10


def test_a_single_image_has_no_pairs() -> None:
    prepared = FLAT._program.prepare(IMAGES[:1])
    found = measure(prepared, IMAGES[:1], None, (1, 1), ("ntk",))
    assert found.pair == 0
    assert found.sample > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": ROWS[:0]}, r"x has shape \(0, 7\), so there is nothing to measure"),
        ({"x": ROWS, "x2": ROWS[:0]}, r"x2 has shape \(0, 7\), so there is nothing"),
        ({"x": ROWS, "n": 0}, "n is 0; expected an integer >= 1"),
        ({"x": ROWS, "n": 2.5}, "n is 2.5, of type float; expected an integer"),
        ({"x": ROWS, "m": 5}, "m is 5, but there is no x2; pass x2, or n"),
        ({"x": ROWS, "kernel": "ntks"}, "kernel is 'ntks'; expected 'ntk' or 'nngp' or 'both'"),
        ({"x": ROWS[0]}, r"x has shape \(7,\); expected \(n_samples, n_features\)"),
        ({"x": ROWS, "x2": ROWS[:, :3]}, "x2 has shape"),
        ({"x": np.full((3, 2), np.nan)}, "x has a NaN|x contains|NaN"),
    ],
)
def test_bad_arguments(given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        nk.mlp(1).estimate(**given)


def test_sizes_and_times_are_for_readers() -> None:
    sizes = (0, 999, 1e3, 999_600, 12_345_678, 8e10, 3e15)
    shown = ["0 B", "999 B", "1 kB", "1 MB", "12.3 MB", "80 GB", "3 PB"]
    assert [in_bytes(size) for size in sizes] == shown
    times = (0.0123, 119, 600, 90_000)
    assert [in_seconds(t) for t in times] == ["0.012 s", "119.000 s", "10 min", "25.0 h"]
