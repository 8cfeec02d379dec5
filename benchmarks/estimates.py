"""The time that `net.estimate` expects, relative to the time of the kernel itself.

The medians of several estimates and calls, in turn; estimates from all samples, and from a few of
them. Estimates are times of this machine at this moment: run it on an idle one. `--cpu` measures
both sides in processor time on one thread, which other work on the machine changes less. The time
in which a system provides new memory may differ by a factor of ten from call to call, above all in
virtual machines; `--in-place` leaves it out on both sides.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np
from harness import add_threads, base_parser, load, on_threads, positive, write_json
from numpy.typing import NDArray

import ntkfast as nk
from ntkfast.networks import rates

BOUND = 1.5
"""The largest factor between an estimate and the time."""

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Case:
    """A kernel to estimate and to compute."""

    name: str
    network: nk.Network
    samples: Callable[[], Array]
    few: int
    """Samples of the second estimate."""


@dataclass(frozen=True)
class Result:
    """Seconds, and what the estimates cost."""

    name: str
    n: int
    estimate: float
    from_few: float
    actual: float
    cost: float

    @property
    def ratios(self) -> tuple[float, float]:
        """Both estimates relative to the time."""
        return self.estimate / self.actual, self.from_few / self.actual

    @property
    def within(self) -> bool:
        """Whether both are within the bound."""
        return all(1 / BOUND <= ratio <= BOUND for ratio in self.ratios)


def wave(z: Array) -> Array:
    """Return a function that no polynomials resolve: it is integrated."""
    return np.asarray(np.sign(z) * np.minimum(np.abs(z), 1.0))


def cases(sizes: Sequence[int], dtype: str) -> Iterator[Case]:
    """Yield networks on rows, and on images."""
    rng = np.random.default_rng(0)

    def rows(n: int, d: int) -> Callable[[], Array]:
        return lambda: rng.standard_normal((n, d)).astype(dtype)

    def images(n: int, side: int) -> Callable[[], Array]:
        return lambda: rng.standard_normal((n, side, side, 1)).astype(dtype)

    for n in sizes:
        for d in (10, 784):
            for depth in (1, 3, 10):
                network = nk.mlp(depth, nk.Relu(), w_std=2**0.5, b_std=0.1)
                yield Case(f"Relu, {depth} layers, d = {d}, {dtype}", network, rows(n, d), 200)
            yield Case(f"Tanh, 3 layers, d = {d}, {dtype}", nk.mlp(3, nk.Tanh()), rows(n, d), 200)
        integrated = nk.mlp(1, nk.Elementwise(wave))
        yield Case(f"integrated, d = 784, {dtype}", integrated, rows(n, 784), 200)
    for side, n in ((8, 400), (16, 200), (28, 50)):
        flat = nk.cntk(3, pooling=False)
        yield Case(f"cntk(3), Flatten, {side} x {side}, {dtype}", flat, images(n, side), 16)
        tanh = nk.Serial(nk.Conv((3, 3)), nk.Tanh(), nk.Flatten(), nk.Dense())
        yield Case(f"Conv, Tanh, {side} x {side}, {dtype}", tanh, images(n, side), 16)
    for side, n in ((8, 200), (16, 50)):
        yield Case(f"cntk(2), pooled, {side} x {side}, {dtype}", nk.cntk(2), images(n, side), 16)


def measure(case: Case, repetitions: int, clock: Callable[[], float], *, in_place: bool) -> Result:
    """Estimate and compute a kernel, in turn."""
    x = case.samples()
    network = case.network
    memory = network.ntk(x)  # fits, too
    out = memory if in_place else None
    estimates, few, actual, costs = [], [], [], []
    for _ in range(repetitions):
        begun = clock()
        estimates.append(network.estimate(x).seconds)
        costs.append(clock() - begun)
        few.append(network.estimate(x[: case.few], n=len(x)).seconds)
        begun = clock()
        network.ntk(x, out=out)
        actual.append(clock() - begun)
    return Result(case.name, len(x), *map(median, (estimates, few, actual, costs)))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the record."""
    arguments = _parser().parse_args(argv)
    clock = time.perf_counter
    if arguments.cpu:
        arguments.threads, clock = 1, time.process_time
        vars(rates).update(perf_counter=clock)  # the clock of the estimate
    if arguments.in_place:
        vars(rates).update(seconds_per_byte=lambda _: 0.0)
    print(
        f"{arguments.threads} threads, load {load()}, median of {arguments.repetitions}; seconds\n"
    )
    print(f"{'kernel':<44}{'n':>6}{'estimate':>10}{'few':>9}{'actual':>9}{'ratios':>13}{'cost':>7}")
    results = []
    with on_threads(arguments.threads):
        for dtype in arguments.dtypes:
            for case in cases(arguments.sizes, dtype):
                if arguments.only not in case.name:
                    continue
                result = measure(case, arguments.repetitions, clock, in_place=arguments.in_place)
                results.append(result)
                print(
                    f"{result.name:<44}{result.n:>6}{result.estimate:>10.3f}"
                    f"{result.from_few:>9.3f}{result.actual:>9.3f}"
                    f"{result.ratios[0]:>7.2f}{result.ratios[1]:>6.2f}{result.cost:>7.2f}"
                    f"{'' if result.within else '  missed'}",
                    flush=True,
                )
    met = sum(result.within for result in results)
    print(f"\n{met} of {len(results)} within a factor of {BOUND}")
    settings = {"threads": arguments.threads, "cpu": arguments.cpu, "load": load()}
    write_json(arguments.output, {"settings": settings, "rows": [asdict(each) for each in results]})
    print(f"record: {arguments.output}")


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "estimates", repetitions=3)
    add_threads(parser)
    parser.add_argument("--cpu", action="store_true", help="processor time, on one thread")
    parser.add_argument("--in-place", action="store_true", help="into memory that is there")
    parser.add_argument("--sizes", type=positive, nargs="*", default=[2000, 6000], metavar="N")
    parser.add_argument(
        "--dtypes", nargs="*", choices=["float64", "float32"], default=["float64", "float32"]
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="kernels with this in the name")
    return parser


if __name__ == "__main__":
    main()
