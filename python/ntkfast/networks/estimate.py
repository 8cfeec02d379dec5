"""The time and the memory that kernels will take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ntkfast._arrays import FloatArray, is_same
from ntkfast._display import Displayed, Fact
from ntkfast._memory import available
from ntkfast._quantities import in_bytes, in_seconds
from ntkfast._scalars import as_choice, as_size
from ntkfast.kernels import KernelName, as_samples
from ntkfast.networks.rates import IMAGES, MOST, ROWS, Rates, measure, some, workload

if TYPE_CHECKING:
    from ntkfast._ntkfast import Program

__all__ = ["Estimate", "KernelChoice", "estimated", "wanted_kernels"]

KernelChoice: TypeAlias = Literal["ntk", "nngp", "both"]

_WANTED: dict[str, tuple[KernelName, ...]] = {
    "ntk": ("ntk",),
    "nngp": ("nngp",),
    "both": ("nngp", "ntk"),
}
_LABELS = {"ntk": "NTK", "nngp": "NNGP", "both": "NNGP and NTK"}

_MOST_PAIRS = 1 << 62  # for which the core is asked: more take the same way


@dataclass(frozen=True, eq=False, repr=False)
class Estimate(Displayed):
    """The expected time and memory of a kernel, as returned by `Network.estimate`.

    Attributes
    ----------
    kernel
        ``"ntk"``, ``"nngp"``, or ``"both"`` in one pass.
    shape
        Shape of each matrix, (n, n) or (n, m).
    dtype
        Type of its numbers.
    seconds
        Wall-clock time of the call on the threads in use, without `preparation`.
    preparation
        Seconds that preparing the network took for the estimate: compiling it and fitting its
        activations. The first call takes about as long again in another process.
    output_bytes
        Memory of the result.
    working_bytes
        Memory of everything else at the peak of the call, except for ``x`` and ``x2``.
    """

    kernel: KernelChoice
    shape: tuple[int, int]
    dtype: np.dtype[np.floating]
    seconds: float
    preparation: float
    output_bytes: int
    working_bytes: int

    @property
    def bytes(self) -> int:
        """Memory of the call at its peak: ``output_bytes`` + ``working_bytes``."""
        return self.output_bytes + self.working_bytes

    def _facts(self) -> Iterator[Fact]:
        yield f"{_LABELS[self.kernel]} of shape", self.shape
        yield "", self.dtype
        yield "time", in_seconds(self.seconds)
        yield "memory", in_bytes(self.bytes)

    def _remarks(self) -> Iterator[str]:
        yield f"output {in_bytes(self.output_bytes)}, work {in_bytes(self.working_bytes)}"
        if self.preparation >= 0.01:
            yield f"preparing the network took {in_seconds(self.preparation)} in addition"
        if self.bytes > (free := available()):
            yield (
                f"{in_bytes(free)} of memory is free; use `ntkfast gram`, which writes the matrix "
                "to a file, block by block"
            )


def wanted_kernels(kernel: str) -> tuple[KernelName, ...]:
    """Return the kernels that a choice stands for."""
    return _WANTED[kernel]


def estimated(
    program: Program,
    rank: int | None,
    x: npt.ArrayLike,
    x2: npt.ArrayLike | None,
    *,
    n: int | None,
    m: int | None,
    kernel: str,
) -> Estimate:
    """Estimate the kernels of samples such as `x` and `x2`; see `Network.estimate`."""
    kernel = as_choice(kernel, "kernel", tuple(_WANTED))
    wanted = _WANTED[kernel]
    if m is None and is_same(x, x2):
        x2 = None
    first = _given(program, x, "x", rank)
    second = None if x2 is None else _given(program, x2, "x2", rank)
    if second is not None and second.dtype != first.dtype:
        first = first.astype(np.float64, copy=False)
        second = second.astype(np.float64, copy=False)
    if m is not None and second is None:
        raise ValueError(f"m is {m!r}, but there is no x2; pass x2, or n for the number of samples")
    rows = len(first) if n is None else as_size(n, "n", least=1)
    columns = rows
    if second is not None:
        columns = len(second) if m is None else as_size(m, "m", least=1)
    shape = (rows, columns)
    first, second = _enough(program, first, rows), _enough(program, second, columns)

    begun = perf_counter()
    prepared = program.prepare(first, second, min(rows * columns, _MOST_PAIRS))
    preparation = perf_counter() - begun
    rates = measure(prepared, first, second, shape, wanted)
    if program.spatial:
        rates, preparation = _with_preparation(program, first, second, rates, preparation)
    work = workload(prepared, rows, None if second is None else columns, wanted)
    output = rows * columns * first.itemsize * len(wanted)
    return Estimate(
        kernel=cast("KernelChoice", kernel),
        shape=shape,
        dtype=first.dtype,
        seconds=rates.seconds(work, output),
        preparation=preparation,
        output_bytes=output,
        working_bytes=work.bytes,
    )


_S = TypeVar("_S", FloatArray, FloatArray | None)


def _enough(program: Program, x: _S, count: int) -> _S:
    """Return as many samples as a measurement for `count` of them needs.

    Those that are missing are copies of others, rolled along their first axis: they are different
    points of the same norms. There are few images, because fits may need the variances of all
    their positions, which cost as much as pairs.
    """
    if x is None:
        return x
    if program.spatial and len(x) > IMAGES:
        return some(x, IMAGES)
    most = IMAGES if program.spatial else max(min(ROWS, MOST // x[:1].nbytes), len(x))
    size = min(count, most)
    if size <= len(x):
        return x
    copies = [np.roll(x, shift, axis=1) for shift in range(-(-size // len(x)))]
    return np.concatenate(copies)[:size]


def _with_preparation(
    program: Program,
    x: FloatArray,
    x2: FloatArray | None,
    rates: Rates,
    first: float,
) -> tuple[Rates, float]:
    """Add what each call prepares for its own images: variances before fitted activations."""
    begun = perf_counter()
    prepared = program.prepare(x, x2)
    again = perf_counter() - begun
    work = workload(prepared, len(x), None if x2 is None else len(x2), ("nngp",))
    sample = again * work.sample_threads / work.samples
    return replace(rates, sample=rates.sample + sample), max(first - again, 0.0)


def _given(program: Program, x: npt.ArrayLike, name: str, rank: int | None) -> FloatArray:
    samples = as_samples(program, x, name, rank)
    if not len(samples):
        raise ValueError(
            f"{name} has shape {samples.shape}, so there is nothing to measure; "
            "expected at least one sample"
        )
    return samples
