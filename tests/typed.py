"""Types as users see them; mypy checks this file (`make lint`), and nothing runs it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type

import ntkfast as nk
from ntkfast.sklearn import NNGPKernel, NTKKernel

Array = npt.NDArray[np.floating[Any]]


def networks(x: Array) -> None:
    """Check networks and their kernels."""
    net = nk.mlp(2, "relu", w_std=1.4)
    assert_type(net, nk.Serial)
    assert_type(nk.mlp(2, nk.Erf()), nk.Serial)
    assert_type(net.ntk(x), Array)
    assert_type(net.kernels(x), nk.Kernels)
    assert_type(nk.theory.mean_field("erf", w_std=1.0), nk.theory.MeanField)


def training(x: Array, y: Array) -> None:
    """Check trainings and their predictions."""
    theta = nk.mlp(1).ntk(x)
    fit = nk.KernelRegression(theta, y, relative_diag_reg=1e-4)
    assert_type(fit.predict(theta), Array)
    assert_type(nk.GradientFlow(theta, y).predict(theta, t=1.0), Array)
    ensemble = nk.Ensemble(nk.mlp(1), x, y)
    assert_type(ensemble.predict(x, t=1.0), nk.Normal)
    assert_type(ensemble.trajectory(x, t=[1.0, 2.0]), list[nk.Normal])
    assert_type(nk.Posterior(nk.mlp(1), x, y, relative_diag_reg=0.1).predict(x), nk.Normal)


def chunks(x: Array, y: Array) -> None:
    """Check points and targets in chunks."""
    assert_type(nk.data.read_chunks("points.npy", target="y"), nk.data.Chunks)
    for pair in nk.data.Chunks([(x, y)]):
        assert_type(pair, tuple[Array, Array])
    nk.data.Chunks(lambda: iter([(x, y)]))


def kernels_of_scikit_learn(x: Array, gradient: bool) -> None:
    """Check kernels that return derivatives on request."""
    for kernel in (NTKKernel(), NNGPKernel()):
        assert_type(kernel(x), Array)
        assert_type(kernel(x, x), Array)
        assert_type(kernel(x, eval_gradient=False), Array)
        assert_type(kernel(x, eval_gradient=True), tuple[Array, Array])
        assert_type(kernel(x, None, True), tuple[Array, Array])
        assert_type(kernel(x, eval_gradient=gradient), Array | tuple[Array, Array])
