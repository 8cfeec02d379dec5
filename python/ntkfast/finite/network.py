"""A network of finite width with its parameters: outputs, derivatives, kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ntkfast._display import Displayed, Fact
from ntkfast.finite._arguments import as_direction, as_inputs, as_residual, as_second
from ntkfast.finite._blocks import by_rows, checked, gram, quiet, row_blocks, rows_at_a_time
from ntkfast.finite._jacobian import add_gradient, allocate_jacobian, write_jacobian
from ntkfast.finite._kernels import (
    gradients,
    ntk_block,
    ntk_diagonal,
    ntk_full_block,
    ntk_full_diagonal,
)
from ntkfast.finite._layers import Affine, Batch, Layer, Pointwise, Pulled
from ntkfast.finite.linearized import LinearizedNetwork
from ntkfast.finite.training import train
from ntkfast.networks import Network
from ntkfast.networks.activations import Array

__all__ = ["FiniteNetwork"]


@dataclass(frozen=True, eq=False, repr=False)
class FiniteNetwork(Displayed):
    """A network with widths and parameters, as drawn by `init`: a function of points, and its NTK.

    All arrays are float64. Points have one sample per row, shape (n, n_features). Outputs have
    shape (n,) if `output_dim` was not set, and (n, c) otherwise.

    Attributes
    ----------
    network
        The architecture.
    n_features
        Number of features of a point.
    output_shape
        () or (c,).
    parameters
        Shape (P,), read-only: all trainable weights and biases. In the NTK parameterization these
        are the N(0, 1) draws; in the standard one they are the weights themselves.

    Notes
    -----
    All methods raise TypeError and ValueError for points that are not real and finite or do not
    have ``n_features`` features, and NumericalError if numbers exceed the range of a float. They
    work in blocks of rows, so they need at most a few hundred MB besides the result.
    """

    network: Network
    n_features: int
    output_shape: tuple[int, ...]
    parameters: Array
    _layer: Layer
    _affine: tuple[Affine, ...]
    _fixed: Array
    _width: int | None  # the argument of `init`, from which the layers follow
    _copies: Literal[1, 2]

    @property
    def n_parameters(self) -> int:
        """The number of trainable parameters, P."""
        return self.parameters.size

    @cached_property
    def groups(self) -> dict[str, slice]:
        """Names and positions of weights and biases in `parameters`, layer by layer.

        The names are those in `Network.summary`, such as "layer 1 (Dense) weights". Weights are
        (fan_in, width), row by row.
        """
        found = {}
        for layer in self._affine:
            if layer.trainable:
                found[f"{layer.name} weights"] = layer.weights
                if layer.biased:
                    found[f"{layer.name} biases"] = layer.biases
        return found

    def with_parameters(self, parameters: npt.ArrayLike) -> FiniteNetwork:
        """Return the network with other parameters, shape (P,); frozen layers do not change."""
        return replace(self, parameters=as_direction(parameters, "parameters", self.n_parameters))

    @quiet
    def forward(self, x: npt.ArrayLike) -> Array:
        """Compute the outputs at points: (n,) or (n, c)."""
        points = as_inputs(x, "x", self.n_features)
        run = self._layer.run
        out = by_rows(lambda x: run(self._batch(x)).h, points, self._rows(0), self._outputs)
        return checked(out, "the output").reshape(len(points), *self.output_shape)

    @quiet
    def derivative(self, x: npt.ArrayLike, direction: npt.ArrayLike) -> Array:
        """Compute J·direction, the change of the outputs along a direction in parameter space.

        Parameters
        ----------
        x
            Shape (n, n_features).
        direction
            Shape (P,).

        Returns
        -------
        ndarray
            Shape (n,) or (n, c). Uses forward-mode differentiation, at twice the cost of `forward`.
        """
        points = as_inputs(x, "x", self.n_features)
        along = as_direction(direction, "direction", self.n_parameters)
        run = self._layer.run
        out = by_rows(
            lambda x: run(self._batch(x)).push(np.zeros_like(x), along),
            points,
            self._rows(0),
            self._outputs,
        )
        return checked(out, "the derivative").reshape(len(points), *self.output_shape)

    @quiet
    def gradient(self, x: npt.ArrayLike, residual: npt.ArrayLike) -> Array:
        """Compute Jᵀ·residual: the gradient of ½‖f(x) − y‖² for the residual f(x) − y.

        Parameters
        ----------
        x
            Shape (n, n_features).
        residual
            Shape (n,) or (n, c), that of the outputs.

        Returns
        -------
        ndarray
            Shape (P,). Uses one backward pass, at about three times the cost of `forward`.
        """
        points = as_inputs(x, "x", self.n_features)
        by = as_residual(residual, (len(points), *self.output_shape)).reshape(len(points), 1, -1)
        out = np.zeros(self.n_parameters)
        for rows in row_blocks(len(points), self._rows(1)):
            add_gradient(self._pulled(points[rows], by[rows]), out)
        return checked(out, "the gradient")

    @quiet
    def jacobian(self, x: npt.ArrayLike) -> Array:
        """Compute the derivatives of the outputs by the parameters: (n, P) or (n, c, P).

        The Jacobian is exact up to rounding and suits `GradientFlow.parameters`. Raises MemoryError
        if it exceeds the memory that is free. `ntk`, `gradient` and `derivative` do not need it.
        """
        points = as_inputs(x, "x", self.n_features)
        out = allocate_jacobian(len(points), self._layer.n_out, self.n_parameters)
        for rows in row_blocks(len(points), self._rows()):
            write_jacobian(self._pulled(points[rows]), out[rows])
        shape = (len(points), *self.output_shape, self.n_parameters)
        return checked(out, "the Jacobian").reshape(shape)

    @quiet
    def ntk(
        self,
        x: npt.ArrayLike,
        x2: npt.ArrayLike | None = None,
        *,
        diagonal: bool = False,
        full: bool = False,
    ) -> Array:
        """Compute the empirical NTK, J(x)·J(x2)ᵀ, without the Jacobian.

        Parameters
        ----------
        x
            Shape (n, n_features).
        x2
            Shape (m, n_features). If omitted, it is ``x``, and the result is exactly symmetric.
        diagonal
            Only the kernel of each row with itself. It cannot be combined with ``x2``.
        full
            All pairs of outputs, instead of the mean over outputs of each output with itself.

        Returns
        -------
        ndarray
            Shape (n, m), or (n,) for a diagonal. `full` adds two axes of c outputs each; with
            ``.transpose(0, 2, 1, 3).reshape(n * c, m * c)`` it is the kernel of targets
            ``y.reshape(n * c)``.

        Notes
        -----
        The NTK is a sum over dense layers of (h·h')(g·g'), where h is the input of the layer and g
        the gradient with respect to its output. It needs one backward pass and two matrix products
        per layer, 2·n·m·(fan_in + c·width) multiplications.

        References
        ----------
        Jacot, Gabriel, Hongler (2018), arXiv:1806.07572. Novak, Sohl-Dickstein, Schoenholz (2022),
        "Fast Finite Width Neural Tangent Kernel", arXiv:2206.08720: other ways to the same sums.
        """
        points = as_inputs(x, "x", self.n_features)
        outputs = self._outputs * 2 if full else ()
        if not diagonal:
            second = as_second(x, x2, self.n_features)
            combine = ntk_full_block if full else ntk_block
            result = gram(self._pulled, combine, points, second, self._rows(), outputs)
        elif x2 is None:
            own = ntk_full_diagonal if full else ntk_diagonal
            result = by_rows(lambda x: own(self._pulled(x)), points, self._rows(), outputs)
        else:
            raise ValueError(
                "diagonal=True computes the kernel of each row of x with itself and takes no x2; "
                "drop x2, or drop diagonal=True to get the whole cross kernel"
            )
        return checked(result, "the NTK")

    @quiet
    def nngp(self, x: npt.ArrayLike, x2: npt.ArrayLike | None = None) -> Array:
        """Compute the covariance of the outputs over draws of the readout, given the other layers.

        It equals w_std²·h·h'/fan_in + b_std², where h is the last hidden layer. If branches end
        with several readouts, their covariances are joined. A branch that does not end with a Dense
        enters with its outputs, averaged over its neurons. For the difference of two copies
        (``zero_output``) it is the mean of the covariances of the copies.

        Returns
        -------
        ndarray
            Shape (n, m); exactly symmetric without ``x2``.
        """
        points = as_inputs(x, "x", self.n_features)
        second = as_second(x, x2, self.n_features)
        result = gram(self._batch, self._layer.covariance, points, second, self._rows(0))
        return checked(result, "the NNGP kernel")

    @quiet
    def preactivations(self, x: npt.ArrayLike) -> dict[str, Array]:
        """Compute the input of each activation, by the layer's name: arrays (n, width)."""
        return {layer.name: checked(h, layer.name) for layer, h in self._watched(x)}

    @quiet
    def activation_pattern(self, x: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return the side of the kinks of its activation on which each neuron is, at each point.

        Returns
        -------
        ndarray
            Shape (n, N), True above the kink, where N is the number of neurons with a kink, counted
            once per kink. Smooth activations have none.
        """
        watched = self._watched(x)
        sides = [h > kink for layer, h in watched for kink in layer.activation._kinks]
        return np.concatenate([np.empty((len(np.asarray(x)), 0), np.bool_), *sides], axis=1)

    def linearize(self) -> LinearizedNetwork:
        """Return the network linearised in its parameters, at their current values."""
        return LinearizedNetwork(self)

    train = train

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.parameters.flags.writeable = False  # pickling loses this flag

    def _facts(self) -> Iterator[Fact]:
        yield "", self.network
        yield "n_features=", self.n_features
        widths = ", ".join(str(layer.n_out) for layer in self._affine) or "none"
        yield "widths of Dense layers:", widths
        yield "", f"{self.n_parameters} parameters"

    def _batch(self, points: Array) -> Batch:
        return Batch(points, points, self.parameters, self._fixed)

    def _pulled(self, points: Array, by: Array | None = None) -> list[Pulled]:
        return gradients(self._layer, self._batch(points), by)

    @property
    def _outputs(self) -> tuple[int]:
        return (self._layer.n_out,)

    def _rows(self, outputs: int | None = None) -> int:
        """Return the number of points per block, for gradients of that many outputs, or of all."""
        return rows_at_a_time(self._affine, self._layer.n_out if outputs is None else outputs)

    def _watched(self, x: npt.ArrayLike) -> list[tuple[Pointwise, Array]]:
        seen: list[tuple[Pointwise, Array]] = []
        self._layer.run(replace(self._batch(as_inputs(x, "x", self.n_features)), seen=seen))
        return seen
