"""Kernels of infinitely wide networks for scikit-learn's Gaussian processes, and as callables."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ntkfast._arrays import FloatArray, as_floats
from ntkfast._memory import check
from ntkfast._scalars import as_real
from ntkfast.derivatives import by_scales
from ntkfast.kernels import KernelName
from ntkfast.networks import Network, kernel_gradients
from ntkfast.sklearn._networks import named_network

__all__ = ["NNGPKernel", "NTKKernel"]

Bounds: TypeAlias = tuple[float, float] | str


class _NetworkKernel(Kernel):
    """A kernel of an infinitely wide network, times amplitude²."""

    def __init__(
        self,
        depth: int = 2,
        activation: str | Network = "relu",
        *,
        w_std: float = math.sqrt(2),
        b_std: float | None = 1.0,
        amplitude: float = 1.0,
        network: Network | None = None,
        length_scale: npt.ArrayLike | None = None,
        w_std_bounds: Bounds = (0.3, 3.0),
        b_std_bounds: Bounds = (1e-3, 1e3),
        amplitude_bounds: Bounds = (1e-2, 1e2),
        length_scale_bounds: Bounds = (1e-3, 1e3),
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.w_std = w_std
        self.b_std = b_std
        self.amplitude = amplitude
        self.network = network
        self.length_scale = length_scale
        self.w_std_bounds = w_std_bounds
        self.b_std_bounds = b_std_bounds
        self.amplitude_bounds = amplitude_bounds
        self.length_scale_bounds = length_scale_bounds

    _kernel: ClassVar[KernelName]

    def _values(
        self, network: Network, x: FloatArray, x2: FloatArray | None, *, diagonal: bool = False
    ) -> FloatArray:
        """Return the kernel of `network`, without the amplitude."""
        values: FloatArray = getattr(network, self._kernel)(x, x2, diagonal=diagonal)
        return values

    # Hyperparameters by scikit-learn's naming; scikit-learn takes their logarithms.

    @property
    def hyperparameter_amplitude(self) -> Hyperparameter:
        """The amplitude."""
        return Hyperparameter("amplitude", "numeric", self.amplitude_bounds)

    @property
    def hyperparameter_b_std(self) -> Hyperparameter:
        """The biases; fixed without biases, and for a given network."""
        fixed = self.network is not None or not self.b_std
        return Hyperparameter("b_std", "numeric", "fixed" if fixed else self.b_std_bounds)

    @property
    def hyperparameter_length_scale(self) -> Hyperparameter:
        """The lengths of features, one for all or one for each; fixed if there are none."""
        if self.length_scale is None:
            return Hyperparameter("length_scale", "numeric", "fixed")
        count = np.size(np.asarray(self.length_scale)) if np.ndim(self.length_scale) else 1
        return Hyperparameter("length_scale", "numeric", self.length_scale_bounds, count)

    @property
    def hyperparameter_w_std(self) -> Hyperparameter:
        """The weights; fixed for a given network."""
        fixed = self.network is not None
        return Hyperparameter("w_std", "numeric", "fixed" if fixed else self.w_std_bounds)

    def _network(self) -> Network:
        w_std = as_real(self.w_std, "w_std", least=0.0)
        b_std = None if self.b_std is None else as_real(self.b_std, "b_std", least=0.0)
        return named_network(self.network, self.depth, self.activation, w_std, b_std)

    def _features(self, X: npt.ArrayLike, name: str) -> FloatArray:
        """Return points divided by the lengths."""
        x = as_floats(X, name)
        if self.length_scale is None:
            return x
        lengths = as_floats(self.length_scale, "length_scale").astype(np.float64)
        if lengths.shape not in ((), x.shape[1:]):
            raise ValueError(
                f"length_scale has shape {lengths.shape}, and {name} has shape {x.shape}; expected "
                "a number, or one for each feature"
            )
        if not (lengths > 0).all() or not np.isfinite(lengths).all():
            raise ValueError(f"length_scale is {self.length_scale!r}; expected finite numbers > 0")
        return (x / lengths).astype(x.dtype)

    def _by_length(self, network: Network, x: FloatArray) -> FloatArray:
        """Return derivatives by the logarithms of the lengths, shape (number of them, n, n)."""
        if np.ndim(self.length_scale):  # type: ignore[arg-type]  # not None
            return -by_scales(network._program, x, kernel=self._kernel, progress=None)
        along = network.ntk_jvp if self._kernel == "ntk" else network.nngp_jvp
        return -along(x, None, x)[None]

    @overload
    def __call__(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike | None = None,
        eval_gradient: Literal[False] = False,
    ) -> FloatArray: ...

    @overload
    def __call__(
        self, X: npt.ArrayLike, Y: None = None, *, eval_gradient: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...

    @overload
    def __call__(
        self, X: npt.ArrayLike, Y: None, eval_gradient: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...

    @overload
    def __call__(
        self, X: npt.ArrayLike, Y: npt.ArrayLike | None = None, eval_gradient: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]: ...

    def __call__(
        self, X: npt.ArrayLike, Y: npt.ArrayLike | None = None, eval_gradient: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Compute the kernel of the rows of `X`, or between the rows of `X` and `Y`.

        Parameters
        ----------
        X, Y
            Shapes (n, n_features) and (m, n_features).
        eval_gradient
            Whether to return derivatives as well; it cannot be combined with `Y`.

        Returns
        -------
        kernel : ndarray
            Shape (n, n) or (n, m).
        gradient : ndarray
            Shape (n, n, p): derivatives with respect to the logarithms of the p hyperparameters
            that are not fixed, in alphabetical order. Only with ``eval_gradient``.
        """
        x, x2 = self._features(X, "X"), None if Y is None else self._features(Y, "Y")
        square = as_real(self.amplitude, "amplitude", least=0.0) ** 2
        network = self._network()
        kernel = square * self._values(network, x, x2)
        if not eval_gradient:
            return kernel
        if Y is not None:
            raise ValueError("eval_gradient=True needs the kernel of the rows of X alone; drop Y")
        free = [each.name for each in self.hyperparameters if not each.fixed]
        check(2 * self.n_dims * kernel.nbytes, f"the gradient of a kernel of {len(x)} points")
        by_log = {"amplitude": 2 * kernel[None]}
        if "length_scale" in free:
            by_log["length_scale"] = square * self._by_length(network, x)
        sought = [name for name in free if name not in by_log]
        if sought:
            found = kernel_gradients(network, x, parameters=sought, kernel=self._kernel)
            by_log |= {name: square * getattr(self, name) * found[name][None] for name in sought}
        gradient = [np.moveaxis(by_log[name], 0, 2) for name in free]
        none = np.empty((*kernel.shape, 0), kernel.dtype)
        return kernel, np.concatenate([*gradient, none], axis=2)

    def diag(self, X: npt.ArrayLike) -> FloatArray:
        """Compute the kernel of each row of `X` with itself, shape (n,)."""
        square = as_real(self.amplitude, "amplitude", least=0.0) ** 2
        return square * self._values(self._network(), self._features(X, "X"), None, diagonal=True)

    def is_stationary(self) -> bool:
        """Return False, because the kernel is not a function of x − x'."""
        return False

    def __repr__(self) -> str:
        chosen = (
            f"depth={self.depth}, activation={self.activation!r}, w_std={self.w_std:.3g}, "
            f"b_std={self.b_std if self.b_std is None else format(self.b_std, '.3g')}"
            if self.network is None
            else f"network={self.network!r}"
        )
        if self.length_scale is not None:
            lengths = np.array2string(np.asarray(self.length_scale), separator=", ", precision=3)
            chosen += f", length_scale={lengths}"
        return f"{type(self).__name__}({chosen}, amplitude={self.amplitude:.3g})"


class NTKKernel(_NetworkKernel):
    """The NTK of an infinitely wide network, times amplitude², as a kernel of scikit-learn.

    Use it in `GaussianProcessRegressor`, whose optimiser adjusts ``w_std``, ``b_std`` and
    ``amplitude``, also in sums and products with other kernels. Use it as a callable in
    ``SVC(kernel=NTKKernel())`` and similar estimators.

    Parameters
    ----------
    depth, activation, w_std, b_std
        The network, as for `NTKRegressor`.
    amplitude
        Factor of the functions, ≥ 0.
    network
        Any network of ntkfast, instead of the first four parameters. The optimiser then adjusts
        only the amplitude and the lengths.
    length_scale
        Lengths > 0 that features are divided by, a number or shape (n_features,), which the
        optimiser adjusts too: those of features without influence grow. None: 1, unchanged.
    w_std_bounds, b_std_bounds, amplitude_bounds, length_scale_bounds
        Bounds for the optimiser, or ``"fixed"``. Biases that are zero or None do not change.
        ``w_std`` acts in every layer, so a kernel of depth L has a range of w_std^(2L + 2): wide
        bounds contain kernels that no Cholesky factor exists for in float64. The optimiser of
        scikit-learn may try such a corner of the bounds first, and then returns its start without
        a warning. Scale the features before you widen the bounds.

    Notes
    -----
    Derivatives are exact, see `kernel_gradients`, and cost a few kernels. Activations that are
    integrated pair by pair, such as steps, have none: fix ``w_std`` and ``b_std`` there.

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> x = np.linspace(-2, 2, 12)[:, None]
    >>> kernel = NTKKernel(depth=2, amplitude_bounds="fixed")
    >>> model = GaussianProcessRegressor(kernel, alpha=1e-4).fit(x, np.sin(2 * x[:, 0]))
    >>> model.kernel_
    NTKKernel(depth=2, activation='relu', w_std=1.06, b_std=0.615, amplitude=1)
    """

    _kernel = "ntk"


class NNGPKernel(_NetworkKernel):
    """The covariance of an infinitely wide network, times amplitude², as a kernel of scikit-learn.

    Parameters and notes are those of `NTKKernel`. In a network without biases and with a ReLU-like
    activation, ``w_std`` and ``amplitude`` have the same effect: fix one of them.

    Examples
    --------
    >>> NNGPKernel(1, amplitude=2.0)([[1.0], [2.0]]).round(2)
    array([[16.  , 24.05],
           [24.05, 40.  ]])
    """

    _kernel = "nngp"
