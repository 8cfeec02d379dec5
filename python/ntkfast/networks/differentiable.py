"""Derivatives of a network's kernels by the points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy.typing as npt

from ntkfast._arrays import FloatArray
from ntkfast._derivatives import Cotangent
from ntkfast._image_gradients import image_vjp
from ntkfast._progress import Progress
from ntkfast.derivatives import jvp, vjp
from ntkfast.kernels import KernelName

if TYPE_CHECKING:
    from ntkfast._ntkfast import Program

__all__ = ["Differentiable"]


class Differentiable:
    """Methods for all networks; those along directions are for rows of features alone."""

    if TYPE_CHECKING:

        @property
        def _program(self) -> Program: ...

        @property
        def _rank(self) -> int | None: ...

    def _vjp(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None,
        g: Cotangent,
        kernel: KernelName,
        progress: Progress,
    ) -> tuple[FloatArray, FloatArray] | FloatArray:
        program = self._program
        if program.spatial:
            return image_vjp(program, self._rank, x, x2, g, kernel=kernel, progress=progress)
        return vjp(program, x, x2, g, kernel=kernel, progress=progress)

    def ntk_vjp(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None,
        g: Cotangent,
        *,
        progress: Progress = None,
    ) -> tuple[FloatArray, FloatArray] | FloatArray:
        """Compute the gradient of Σ g∘Θ(x, x2) by the points: the vector–Jacobian product.

        Parameters
        ----------
        x
            Shape (n, n_features), or images (n, height, width, channels), or sequences (n, length,
            channels). Derivatives are computed in float64, and returned in the type of the points.
        x2
            As x, with m samples; None for Θ(x, x).
        g
            Shape (n, m): the derivative of a loss by each entry of the kernel. Or two factors
            (u, v), shapes (n, k) and (m, k), of g = u·vᵀ, so that no n × m array is made.
        progress
            As for `ntk`, called with rows, or with blocks of pairs of images.

        Returns
        -------
        ndarray or tuple of ndarray
            The gradients by x and by x2, in their shapes, also if x2 is x; without ``x2`` the
            gradient by x.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As for `ntk`; ``g`` has another shape, or is not finite; the network has a function that
            is integrated pair by pair, as no polynomial resolves it.
        NumericalError
            Derivatives exceed the range of the type.

        Notes
        -----
        Costs about five times as much as the kernel. Memory: O((n + m)·d) and some blocks of 64 MB.

        Where rows are parallel, a kernel with a kink has no derivative by the angle between them:
        it is the mean of both sides there, 0. Gradients of rows at an angle φ have an error of
        about (1 + 1/φ) roundings. The derivative of a row with itself is that of a function of one
        point. Rows of zeros have the gradient 0.

        Examples
        --------
        >>> import numpy as np
        >>> from ntkfast import mlp
        >>> x, z = np.eye(3), np.ones((2, 3))
        >>> gx, gz = mlp(1).ntk_vjp(x, z, np.ones((3, 2)))
        >>> gx.shape, gz.shape
        ((3, 3), (2, 3))
        """
        return self._vjp(x, x2, g, "ntk", progress)

    def nngp_vjp(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None,
        g: Cotangent,
        *,
        progress: Progress = None,
    ) -> tuple[FloatArray, FloatArray] | FloatArray:
        """Compute the gradient of Σ g∘K(x, x2) by the points, with the NNGP kernel K.

        Parameters, result, errors and cost are those of `ntk_vjp`.
        """
        return self._vjp(x, x2, g, "nngp", progress)

    def ntk_jvp(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None,
        direction: npt.ArrayLike | None,
        direction2: npt.ArrayLike | None = None,
        *,
        progress: Progress = None,
    ) -> FloatArray:
        """Compute how Θ(x, x2) changes where the points move: the Jacobian–vector product.

        Parameters
        ----------
        x, x2, progress
            As for `ntk_vjp`.
        direction, direction2
            Shapes of x and of x2: how fast the points move. None: they do not move. Without ``x2``,
            both arguments of the kernel move along ``direction``, and ``direction2`` is refused.

        Returns
        -------
        ndarray
            Shape (n, m). Costs, errors and conventions are those of `ntk_vjp`.
        """
        moves = (direction, direction2)
        return jvp(self._program, x, x2, moves, kernel="ntk", progress=progress)

    def nngp_jvp(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None,
        direction: npt.ArrayLike | None,
        direction2: npt.ArrayLike | None = None,
        *,
        progress: Progress = None,
    ) -> FloatArray:
        """Compute how the NNGP kernel of x and x2 changes where the points move.

        Parameters, result, errors and cost are those of `ntk_jvp`.
        """
        moves = (direction, direction2)
        return jvp(self._program, x, x2, moves, kernel="nngp", progress=progress)
