"""The experiment of ``ntkfast demo``: its numbers, without printing or drawing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

import ntkfast as nk
from ntkfast._arrays import FloatArray
from ntkfast._progress import Progress
from ntkfast.data import load_digits, one_hot

__all__ = ["NETWORK", "Digits", "Stage", "run"]

_T = TypeVar("_T")

NETWORK = nk.mlp(depth=3, activation=nk.Relu(), w_std=math.sqrt(2), b_std=0.1)

_TIMES = (0.01, 0.1, 1.0, 10.0, 100.0, math.inf)


@dataclass(frozen=True)
class Stage:
    """One step of the experiment: its name, its outcome, and its time in seconds."""

    name: str
    outcome: str
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class Digits:
    """The results of the experiment.

    Attributes
    ----------
    x_test : ndarray, shape (m, 64)
        Test images, pixels from 0 to 1.
    y_test : ndarray, shape (m,)
        Their digits.
    spectrum : Spectrum
        The eigendecomposition of the NTK Gram matrix of the n training images.
    flow : GradientFlow
        Training by gradient flow, in closed form.
    k_test_train : ndarray, shape (m, n)
        The NTK between test and training images.
    t, loss, accuracy : ndarray, shape (k,)
        Training times, and the training loss ½‖f − y‖² and the share of correctly classified test
        images at each of them.
    stages : tuple of Stage
        The steps, in order.
    """

    x_test: FloatArray
    y_test: NDArray[np.int64]
    spectrum: nk.Spectrum
    flow: nk.GradientFlow
    k_test_train: FloatArray
    t: FloatArray
    loss: FloatArray
    accuracy: FloatArray
    stages: tuple[Stage, ...]

    def accuracy_at(self, t: ArrayLike) -> FloatArray:
        """Share of correctly classified test images after training time t, shape t.shape."""
        return _accuracy(self.flow.predict(self.k_test_train, t=t), self.y_test)


def run(
    on_stage: Callable[[Stage], None] | None = None,
    *,
    on_start: Callable[[str], None] | None = None,
    progress: Progress = None,
) -> Digits:
    """Train `NETWORK` on half of scikit-learn's digits and test it on the rest.

    Parameters
    ----------
    on_stage : callable, optional
        Called with each step when it is done.
    on_start : callable, optional
        Called with the name of each step before it starts.
    progress : bool or callable, optional
        As in `Network.ntk`, for the kernels.

    Returns
    -------
    Digits
        The results.

    Raises
    ------
    ImportError
        scikit-learn is not installed.
    """
    stages: list[Stage] = []

    def timed(name: str, work: Callable[[], _T], outcome: Callable[[_T], str]) -> _T:
        if on_start is not None:
            on_start(name)
        start = time.perf_counter()
        result = work()
        stages.append(Stage(name, outcome(result), time.perf_counter() - start))
        if on_stage is not None:
            on_stage(stages[-1])
        return result

    x_train, x_test, y_train, y_test = timed(
        "load and split the digits",
        _load,
        lambda parts: f"{len(parts[0])} training, {len(parts[1])} test images, 8 x 8 pixels",
    )
    theta = timed(
        "NTK, training images",
        lambda: NETWORK.ntk(x_train, progress=progress),
        _shape,
    )
    k_test_train = timed(
        "NTK, test against training",
        lambda: NETWORK.ntk(x_test, x_train, progress=progress),
        _shape,
    )
    spectrum = timed(
        "eigendecomposition",
        lambda: nk.eigh(theta),
        lambda spectrum: f"{len(spectrum.eigenvalues)} eigenvalues",
    )
    # Centred targets: the classes are equally frequent, so the mean is 0.1.
    flow = nk.GradientFlow(spectrum, one_hot(y_train, 10) - 0.1, reduction="sum")
    t = np.array(_TIMES)
    loss, accuracy = timed(
        "training, up to each time t",
        lambda: (flow.loss(t=t), _accuracy(flow.predict(k_test_train, t=t), y_test)),
        lambda _: f"{len(t)} times, up to infinity",
    )
    return Digits(
        x_test=x_test,
        y_test=y_test,
        spectrum=spectrum,
        flow=flow,
        k_test_train=k_test_train,
        t=t,
        loss=loss,
        accuracy=accuracy,
        stages=tuple(stages),
    )


def _load() -> tuple[FloatArray, FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Return training images and test images, then their digits."""
    x, y = load_digits()
    # Imported here, after the digits have been loaded from scikit-learn.
    from sklearn.model_selection import train_test_split

    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=0.5, random_state=0, stratify=y
    )
    return x_train, x_test, y_train, y_test


def _shape(array: FloatArray) -> str:
    return " x ".join(map(str, array.shape))


def _accuracy(outputs: FloatArray, y: NDArray[np.int64]) -> FloatArray:
    """Share of rows whose largest output is correct, shape outputs.shape[:-2]."""
    right = outputs.argmax(axis=-1) == y
    return np.asarray(right.mean(axis=-1))
