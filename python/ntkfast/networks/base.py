"""The base class of all networks: comparison, printing, pickling and kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._foreign import is_dask
from ntkfast._ntkfast import Program
from ntkfast._progress import Progress
from ntkfast.kernels import KernelName, Kernels, evaluate
from ntkfast.networks.description import Described, for_core
from ntkfast.networks.differentiable import Differentiable
from ntkfast.networks.estimate import Estimate, KernelChoice, estimated
from ntkfast.networks.summary import Norms, Summary, summarise

__all__ = ["Network"]


@dataclass(frozen=True, repr=False)
class Network(Displayed, Described, Differentiable):
    """An architecture of infinite width, as data without state.

    Every layer and every composition of layers is a network. Networks are hashable, comparable and
    picklable, and their repr is the code that builds them. The first kernel call compiles the
    network to a program. The object keeps the program, which is not part of its value.

    Kernels are per output: for c outputs, the full kernel is the returned kernel times the c × c
    identity.
    """

    @cached_property
    def _nesting(self) -> int:
        """The depth of nested compositions."""
        return 0

    @cached_property
    def _spatial(self) -> bool:
        """Whether samples are images or sequences."""
        return False

    @cached_property
    def _rank(self) -> int | None:
        """The number of spatial dimensions, 1 or 2; None if the layers accept either."""
        return None

    @cached_property
    def _program(self) -> Program:
        return Program(for_core(self))

    @cached_property
    def _program_by_depth(self) -> Program:
        return Program.by_depth(for_core(self))

    @cached_property
    def _program_by_frozen(self) -> Program:
        return Program.by_frozen(for_core(self))

    def __getstate__(self) -> dict[str, Any]:
        # The program belongs to this process. A copy or a pickle compiles its own.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _facts(self) -> Iterator[Fact]:
        for name, value in self._given().items():
            yield f"{name}=", repr(value)

    def ntk(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None = None,
        *,
        diagonal: bool = False,
        out: FloatArray | None = None,
        progress: Progress = None,
    ) -> FloatArray:
        """Compute the neural tangent kernel of the rows of `x`, or between `x` and `x2`.

        Parameters
        ----------
        x
            Shape (n, n_features), one sample per row. Networks with a `Conv`, pooling or `Flatten`
            take (n, height, width, channels), or (n, length, channels) for sequences. float64 and
            float32 are kept. float16, integers, booleans and lists become float64. If the types of
            ``x`` and ``x2`` differ, the result has the wider type.
        x2
            Shape (m, n_features), or as for ``x``: the second set of samples. If it is omitted, or
            the same array as ``x`` (the same memory, shape and strides), samples are paired with
            themselves: the result is exactly symmetric, and costs half. Pass ``x.copy()`` for equal
            points that are other samples, which matters only to `Dropout`. If ``x`` or ``x2`` is a
            dask array, so is the result, and nothing is computed yet.
        diagonal
            True computes only the kernel of each row with itself, without an n × n array. It cannot
            be combined with ``x2``.
        out
            Array for the result, with its exact shape and type. It may be memory-mapped. After an
            error or Ctrl-C its contents are undefined.
        progress
            True for a tqdm bar, or any ``callable(done, total)``, called as tiles finish. An
            exception in the callable stops the computation. A diagonal does not report progress.

        Returns
        -------
        ndarray
            Shape (n, n), (n, m), or (n,) for a diagonal. It is ``out`` if given.

        Raises
        ------
        TypeError
            Complex numbers, strings or objects, or an ``out`` of another type.
        ValueError
            Wrong shapes, NaN or infinities, or a network that must begin with a Dense.
        MemoryError
            A result that exceeds the memory that is free; the message gives both sizes.

        Notes
        -----
        O(n²(d + L)) for d features and L layers. Without ``x2``, symmetry halves this cost. The
        memory is the result plus O(n·L). Points are copied only if their rows are not contiguous in
        memory or their norms are extreme. All other points are read in place, so other threads must
        not change them until the call returns (with ``progress``, they are copied). A diagonal
        costs O(n(d + L)).

        References
        ----------
        Jacot, Gabriel, Hongler (2018), arXiv:1806.07572, theorem 1: Θ^(l+1) = Θ^(l)·Σ̇^(l+1) +
        Σ^(l+1).
        """
        return self._kernels(("ntk",), x, x2, (out,), diagonal=diagonal, progress=progress)[0]

    def nngp(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None = None,
        *,
        diagonal: bool = False,
        out: FloatArray | None = None,
        progress: Progress = None,
    ) -> FloatArray:
        """Compute the covariance of the outputs at initialisation (NNGP kernel).

        Parameters, result, errors and cost are those of `ntk`, without the work for the NTK.

        References
        ----------
        Lee et al. (2018), arXiv:1711.00165, equation 5; Matthews et al. (2018), arXiv:1804.11271.
        """
        return self._kernels(("nngp",), x, x2, (out,), diagonal=diagonal, progress=progress)[0]

    def kernels(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None = None,
        *,
        diagonal: bool = False,
        out: Kernels | tuple[FloatArray | None, FloatArray | None] | None = None,
        progress: Progress = None,
    ) -> Kernels:
        """Compute both kernels in one pass, at little more than the cost of the NTK.

        Parameters, result and errors are those of `ntk`, except for ``out``: a `Kernels`, or a pair
        (nngp, ntk) in which None requests a new array.

        Returns
        -------
        Kernels
            It has the attributes ``nngp`` and ``ntk`` and unpacks as this pair. It is ``out`` if
            that was a `Kernels`.
        """
        wanted: tuple[KernelName, ...] = ("nngp", "ntk")
        outs = _pair(out)
        nngp, ntk = self._kernels(wanted, x, x2, outs, diagonal=diagonal, progress=progress)
        return out if isinstance(out, Kernels) else Kernels(nngp=nngp, ntk=ntk)

    def _kernels(
        self,
        wanted: tuple[KernelName, ...],
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None,
        out: tuple[object, ...],
        *,
        diagonal: bool,
        progress: Progress,
    ) -> list[FloatArray]:
        if is_dask(x) or is_dask(x2):
            from ntkfast.dask import lazy

            return lazy(self, x, x2, wanted=wanted, out=out, diagonal=diagonal, progress=progress)
        return evaluate(
            self._program,
            x,
            x2,
            wanted=wanted,
            out=out,
            diagonal=diagonal,
            progress=progress,
            rank=self._rank,
        )

    def estimate(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None = None,
        *,
        n: int | None = None,
        m: int | None = None,
        kernel: KernelChoice = "ntk",
    ) -> Estimate:
        """Estimate the time and the memory of a kernel before computing it.

        Parameters
        ----------
        x, x2
            The samples, as for `ntk`, or some of them: at least one each. Some hundred are enough,
            or a few images.
        n, m
            Numbers of samples in place of those of ``x`` and ``x2``, for kernels of more samples
            than are there, such as ``net.estimate(x[:200], n=60_000)``.
        kernel
            ``"ntk"``, ``"nngp"``, or ``"both"`` for `kernels`.

        Returns
        -------
        Estimate
            Seconds on the threads in use, and bytes.

        Raises
        ------
        TypeError
            ``x`` or ``x2`` does not consist of real numbers, or ``n`` or ``m`` is not an integer.
        ValueError
            Wrong shapes, no samples, NaN or infinities; an ``n`` or ``m`` below 1, an ``m`` without
            ``x2``, or an unknown ``kernel``.

        Notes
        -----
        The kernel is computed for some of the samples until the measurement is long enough, and the
        time is scaled by the numbers of samples and pairs that the core counts. The estimate takes
        about a second, or as long as the kernel if that is less. It takes longer for activations
        whose fits take longer, and for networks on large images: the time of 16 pairs. Samples are
        representative if they are drawn at random; for integrated activations the time depends on
        how many are nearly identical.

        Examples
        --------
        >>> import numpy as np
        >>> x = np.random.default_rng(0).standard_normal((200, 10))
        >>> estimate = mlp(3).estimate(x, n=60_000)
        >>> estimate.shape, estimate.output_bytes
        ((60000, 60000), 28800000000)
        """
        return estimated(self._program, self._rank, x, x2, n=n, m=m, kernel=kernel)

    def summary(self, norm: Norms = 1.0, *, n_features: int = 1) -> Summary:
        """Show the effect of each layer on the kernels of a point with itself.

        Parameters
        ----------
        norm
            ‖x‖/√d, the root mean square of the d features of the point, ≥ 0, or a list of such
            norms. Its square is the variance of the input, K(x, x) = ‖x‖²/d.
        n_features
            d, ≥ 1. It affects only a Dense on the input in the standard parameterization, whose NTK
            is d times that variance, and a `Concatenate` with the input as a branch.

        Returns
        -------
        Summary
            Variance, χ, NTK and cumulative share of the NTK for each layer, as defined in
            `LayerSummary`. ``print`` shows a table.

        Raises
        ------
        TypeError
            A norm that is not a real number, or an ``n_features`` that is not an integer.
        ValueError
            An ``n_features`` below 1; a norm that is negative, NaN or infinite; an empty list; a
            network that must begin with a Dense; or a network for images or sequences.
        NumericalError
            A variance or NTK that is too large for a float.

        Notes
        -----
        O(L) for L layers.

        References
        ----------
        Schoenholz, Gilmer, Ganguli, Sohl-Dickstein (2017), "Deep Information Propagation",
        arXiv:1611.01232: χ at correlation 1, the edge of chaos at χ = 1.

        Examples
        --------
        >>> net = Serial(Dense(w_std=2.0), Identity(), Dense(w_std=0.5))
        >>> print(net.summary(norm=2.0))
        norm 2           variance   chi  NTK  share of NTK
        layer 1 (Dense)        16     4   16         50.0%
        layer 3 (Dense)         4  0.25    8        100.0%
        """
        if self._rank is not None:
            raise ValueError(
                "summary() follows one variance through the layers, but this network has layers "
                "for images or sequences, where each position has its own variance; summarise a "
                "network with Dense instead of Conv layers, and without pooling over windows"
            )
        return summarise(self._program, norm, n_features)


def _pair(out: object) -> tuple[object, object]:
    if out is None:
        return None, None
    if isinstance(out, Kernels):
        return out.nngp, out.ntk
    if isinstance(out, (tuple, list)) and len(out) == 2:
        return out[0], out[1]
    raise TypeError(
        f"out is of type {type(out).__name__}; expected a Kernels or a pair of arrays (nngp, ntk)"
    )
