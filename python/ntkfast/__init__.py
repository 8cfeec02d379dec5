"""Neural tangent kernels of infinitely wide networks, and their training in closed form.

>>> import numpy as np
>>> import ntkfast as nk
>>> net = nk.Serial(nk.Dense(w_std=1.4), nk.Relu(), nk.Dense(w_std=1.4))
>>> net.ntk(np.eye(2)).shape
(2, 2)
"""

from typing import TYPE_CHECKING

from ntkfast import data, theory
from ntkfast._ntkfast import NumericalError, info, num_threads, set_num_threads
from ntkfast.dynamics import GradientDescent, GradientFlow, LossFlow, Trajectory
from ntkfast.kernels import Kernels
from ntkfast.linalg import Cholesky, cholesky
from ntkfast.networks import (
    ABRelu,
    Abs,
    Cos,
    Dense,
    Elementwise,
    Erf,
    Gelu,
    Identity,
    LeakyRelu,
    Network,
    Relu,
    Residual,
    Serial,
    Sin,
    Sum,
    Tanh,
    mlp,
)
from ntkfast.spectrum import Spectrum, eigh

if TYPE_CHECKING:
    from types import ModuleType

    from ntkfast import plots

__version__: str = info()["version"]

__all__ = [
    "ABRelu",
    "Abs",
    "Cholesky",
    "Cos",
    "Dense",
    "Elementwise",
    "Erf",
    "Gelu",
    "GradientDescent",
    "GradientFlow",
    "Identity",
    "Kernels",
    "LeakyRelu",
    "LossFlow",
    "Network",
    "NumericalError",
    "Relu",
    "Residual",
    "Serial",
    "Sin",
    "Spectrum",
    "Sum",
    "Tanh",
    "Trajectory",
    "__version__",
    "cholesky",
    "data",
    "eigh",
    "info",
    "mlp",
    "num_threads",
    "plots",
    "set_num_threads",
    "theory",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> "ModuleType":
        # Pictures are loaded when they are first asked for: nothing else depends on them.
        if name == "plots":
            from importlib import import_module

            return import_module("ntkfast.plots")
        raise AttributeError(f"module 'ntkfast' has no attribute {name!r}")
