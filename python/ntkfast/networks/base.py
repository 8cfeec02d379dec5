"""What every network can do: be compared, printed, pickled, and give its kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._display import Displayed, Fact
from ntkfast._ntkfast import Program
from ntkfast._progress import Progress
from ntkfast.kernels import Kernels, evaluate
from ntkfast.networks.description import Described, for_core
from ntkfast.networks.summary import Norms, Summary, summarise

__all__ = ["Network"]


@dataclass(frozen=True, repr=False)
class Network(Displayed, Described):
    """An architecture of infinite width, as data without state.

    Every layer and every composition of layers is a network: hashable, comparable, picklable, and
    printed as the text that builds it. The program it compiles to is kept with the object after the
    first kernel call and is no part of its value.

    Kernels are per output: with c outputs the full kernel is the one returned here, times the c × c
    identity.
    """

    @property
    def _nesting(self) -> int:
        """How many compositions stand one inside the other."""
        return 0

    @cached_property
    def _spatial(self) -> bool:
        """Whether samples are images or sequences."""
        return False

    @cached_property
    def _rank(self) -> int | None:
        """The number of spatial dimensions, 1 or 2; None where the layers take either."""
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
        # The program belongs to this process; a copy or a pickle compiles its own.
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
        """Compute the neural tangent kernel among the rows of `x`, or from those of `x` to `x2`.

        Parameters
        ----------
        x
            Shape (n, n_features): samples in rows. Networks with a `Conv`, pooling or `Flatten`
            take (n, height, width, channels), or (n, length, channels) for sequences. float64 and
            float32 are kept; float16, integers, booleans and lists become float64; ``x`` and
            ``x2`` of different types take the wider.
        x2
            Shape (m, n_features), or as for ``x``: the second set of samples. Left out, it is
            ``x``, and the result is exactly symmetric.
        diagonal
            Only the kernel of each row with itself, without an n × n array. Takes no ``x2``.
        out
            Where to write: exactly the shape and type of the result; may be memory-mapped. After
            an error or Ctrl-C its contents are undefined.
        progress
            True for a tqdm bar, or any ``callable(done, total)``, called as tiles finish. An
            exception in it ends the computation. A diagonal reports nothing.

        Returns
        -------
        ndarray
            Shape (n, n), (n, m), or (n,) for a diagonal; ``out`` itself where it was given.

        Raises
        ------
        TypeError
            Complex numbers, strings, objects; an ``out`` of another type.
        ValueError
            Wrong shapes, NaN or infinities, a network that needs a Dense in front.

        Notes
        -----
        O(n²(d + L)) for d features and L layers, half of it by symmetry without ``x2``; memory is
        the result plus O(n·L), and a copy of points whose rows do not follow each other in memory
        or whose norms are extreme. Other points are read in place: other threads must not change
        them until the call returns (with ``progress``, they are copied). A diagonal costs
        O(n(d + L)).

        References
        ----------
        Jacot, Gabriel, Hongler (2018), arXiv:1806.07572, theorem 1: Θ^(l+1) = Θ^(l)·Σ̇^(l+1) +
        Σ^(l+1).
        """
        return evaluate(
            self._program,
            x,
            x2,
            wanted=("ntk",),
            out=(out,),
            diagonal=diagonal,
            progress=progress,
            rank=self._rank,
        )[0]

    def nngp(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None = None,
        *,
        diagonal: bool = False,
        out: FloatArray | None = None,
        progress: Progress = None,
    ) -> FloatArray:
        """Compute the covariance of the outputs at initialisation, the network-as-Gaussian-process.

        Parameters, result, errors and cost are those of `ntk`; the work for the NTK is not done.

        References
        ----------
        Lee et al. (2018), arXiv:1711.00165, equation 5; Matthews et al. (2018), arXiv:1804.11271.
        """
        return evaluate(
            self._program,
            x,
            x2,
            wanted=("nngp",),
            out=(out,),
            diagonal=diagonal,
            progress=progress,
            rank=self._rank,
        )[0]

    def kernels(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None = None,
        *,
        diagonal: bool = False,
        out: Kernels | tuple[FloatArray | None, FloatArray | None] | None = None,
        progress: Progress = None,
    ) -> Kernels:
        """Compute both kernels in one pass, at hardly more than the cost of the NTK alone.

        Parameters, result and errors are those of `ntk`, but for ``out``: a `Kernels`, or a pair
        (nngp, ntk) in which None asks for a new array.

        Returns
        -------
        Kernels
            With attributes ``nngp`` and ``ntk``; unpacks as that pair. It is ``out`` itself where
            that was a `Kernels`.
        """
        nngp, ntk = evaluate(
            self._program,
            x,
            x2,
            wanted=("nngp", "ntk"),
            out=_pair(out),
            diagonal=diagonal,
            progress=progress,
            rank=self._rank,
        )
        return out if isinstance(out, Kernels) else Kernels(nngp=nngp, ntk=ntk)

    def summary(self, norm: Norms = 1.0, *, n_features: int = 1) -> Summary:
        """Show what each layer does to the kernels of a point with itself.

        Parameters
        ----------
        norm
            ‖x‖/√d, the root mean square of the d features of the point, ≥ 0; or a list of such
            norms. The variance of the input, K(x, x) = ‖x‖²/d, is its square.
        n_features
            d, ≥ 1. It matters to a Dense on the input in the standard parameterization, whose NTK
            is d times that variance, and to a `Concatenate` with the input for a branch.

        Returns
        -------
        Summary
            Variance, χ, NTK and cumulative share of the NTK, layer by layer; `LayerSummary` defines
            them. ``print`` shows a table.

        Raises
        ------
        TypeError
            A norm that is not a real number, an ``n_features`` that is not an integer.
        ValueError
            An ``n_features`` below 1, a norm that is negative, NaN or infinite, an empty list, a
            network that needs a Dense in front, or one for images or sequences.
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
        if self._spatial:
            raise ValueError(
                "summary() follows one variance through the layers, and this network has layers "
                "for images or sequences, where each position has its own; summarise the network "
                "with Dense layers in place of its Conv layers, and without pooling and Flatten"
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
