"""The time that kernels take per unit of work, measured on some of the samples.

The core counts the work of a call (`Prepared.workload`): samples alone, and pairs of samples, with
all lanes of the registers that they fill. Both are measured on calls that are long enough, into
memory that is there, and a longer call takes as many times longer as it has more work. The time in
which the system provides memory is measured apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ntkfast._arrays import FloatArray
from ntkfast._memory import available
from ntkfast._ntkfast import Prepared
from ntkfast.kernels import KernelName, evaluate

__all__ = [
    "IMAGES",
    "MOST",
    "ROWS",
    "Rates",
    "Workload",
    "measure",
    "seconds_per_byte",
    "some",
    "workload",
]

IMAGES, ROWS = 32, 2048
"""Samples that are enough for a measurement; if it needs more images, they repeat these."""
MOST = 1 << 26
"""Bytes of the samples of a measurement, and of its outputs."""

_ENOUGH = 0.15  # seconds of a measurement that need not be repeated on more samples
_LONG = 0.4  # seconds of a measurement, whatever it measures, after which it ends
# Bytes of new memory. Systems keep some at hand, and take longer to provide more.
_NEW = 1 << 28
_AGAIN = 0.3  # seconds for repetitions of a short one, the best of which counts


class Workload(NamedTuple):
    """The work of a call, as the core counts it."""

    samples: float
    """Samples alone, and the empty lanes beside them."""
    pairs: float
    """Pairs of samples, and the empty lanes beside them."""
    sample_threads: int
    """Threads that have samples to compute."""
    pair_threads: int
    """Threads that have pairs to compute."""
    least: int
    """Samples whose pairs take as long as among many: what is made of single ones is shared."""
    bytes: int
    """Memory beyond the samples and the outputs."""


def workload(prepared: Prepared, n: int, m: int | None, wanted: tuple[KernelName, ...]) -> Workload:
    """Return the work of the kernels of n samples, or between n and m."""
    return Workload(*prepared.workload(n, m, nngp="nngp" in wanted, ntk="ntk" in wanted))


@dataclass(frozen=True)
class Rates:
    """Seconds of one thread per unit of work."""

    sample: float
    pair: float
    byte: float = 0.0
    """Of new memory, which the system provides when it is first written to."""

    def seconds(self, work: Workload, new: float = 0.0) -> float:
        """Return the time for the samples and the pairs of a call, with so many bytes of output."""
        of_pairs = self.pair * work.pairs + self.byte * new
        return self.of_samples(work) + of_pairs / work.pair_threads

    def of_samples(self, work: Workload) -> float:
        """Return the time for its samples."""
        return self.sample * work.samples / work.sample_threads


def measure(
    prepared: Prepared,
    x: FloatArray,
    x2: FloatArray | None,
    shape: tuple[int, int],
    wanted: tuple[KernelName, ...],
) -> Rates:
    """Measure the rates of a call of this shape for samples such as `x` and `x2`.

    Takes about a second, or the time of the call if that is less, but at least as long as 16 pairs
    of images, which are computed together.
    """
    if prepared.spatial:
        # Pairs of images cost the same in one set and between two.
        x = x if x2 is None or len(x) >= len(x2) else x2
        x2, shape = None, (max(shape), max(shape))
    n, m = shape

    def call(x: FloatArray, x2: FloatArray | None, *, diagonal: bool = False) -> float:
        shape = (len(x),) if diagonal else (len(x), len(x if x2 is None else x2))
        out = tuple(np.ones(shape, x.dtype) for _ in wanted)  # its memory is there
        begun = perf_counter()
        evaluate(prepared, x, x2, wanted=wanted, out=out, diagonal=diagonal, progress=None)
        return perf_counter() - begun

    def alone(size: int) -> tuple[float, float]:
        seconds = call(some(x, size), None, diagonal=True)
        return seconds, seconds

    def in_pairs(size: int) -> tuple[float, float]:
        others = None if x2 is None else some(x2, min(size, m))
        seconds = call(some(x, min(size, n)), others)
        return seconds, seconds - of_samples.of_samples(work(size))

    def work(size: int) -> Workload:
        return workload(prepared, min(size, n), None if x2 is None else min(size, m), wanted)

    widest = max(array[:1].nbytes for array in (x, x2) if array is not None)
    square = int((MOST / (x.itemsize * len(wanted))) ** 0.5)
    least = work(1).least
    fitting = max(MOST // widest, least)
    if not prepared.spatial:
        # Copies would be nearly identical points, which take longer under integrated activations.
        fitting = min(fitting, max(len(array) for array in (x, x2) if array is not None))
    byte = seconds_per_byte(n * m * x.itemsize * len(wanted))
    size, seconds = _long_enough(alone, least, min(n, fitting))
    single = workload(prepared, size, None, wanted)
    of_samples = Rates(seconds * single.sample_threads / single.samples, 0.0)
    size, seconds = _long_enough(in_pairs, least, min(max(shape), fitting, max(square, least)))
    if not (pairs := work(size)).pairs:  # of one image
        return of_samples
    return Rates(of_samples.sample, seconds * pairs.pair_threads / pairs.pairs, byte)


def seconds_per_byte(size: int) -> float:
    """Measure the seconds per byte until new memory can be used, which may be those of a kernel."""
    size = max(int(min(size, _NEW, available() / 4)), 1)
    begun = perf_counter()
    np.ones(size, np.uint8)
    return (perf_counter() - begun) / size


def _long_enough(
    run: Callable[[int], tuple[float, float]], size: int, most: int
) -> tuple[int, float]:
    """Measure more and more samples, up to `most`; return how many these were and the seconds.

    `run` returns the seconds of its call, and those of them that are to be measured.
    """
    least, size = size, min(size, most)
    whole, part = run(size)
    while part < _ENOUGH and whole < _LONG and size < most:
        # What is measured grows at most with the square.
        factor = min(max((_ENOUGH / max(part, 1e-6)) ** 0.5, 1.5), 4)
        size = min(most, -(-int(size * factor) // least) * least)
        whole, part = run(size)
    # The first call of a size finds no memory in place.
    best, spent = (whole, part), whole
    for _ in range(3):
        if spent > _AGAIN:
            break
        again = run(size)
        best, spent = min(best, again), spent + again[0]
    # Noise must not make anything free.
    return size, max(best[1], best[0] / 20)


def some(x: FloatArray, size: int) -> FloatArray:
    """Return `size` samples, spread over all of them, or repeated if there are fewer."""
    if size > len(x):
        chosen = np.arange(size) % len(x)
    else:
        chosen = np.linspace(0, len(x) - 1, size).astype(int)
    samples: FloatArray = x[chosen]
    return samples
