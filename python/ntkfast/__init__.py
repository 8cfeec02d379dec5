"""Neural tangent kernels of infinitely wide networks, and their training in closed form.

>>> import numpy as np
>>> import ntkfast as nk
>>> net = nk.Serial(nk.Dense(w_std=1.4), nk.Relu(), nk.Dense(w_std=1.4))
>>> net.ntk(np.eye(2)).shape
(2, 2)
"""

from typing import TYPE_CHECKING

from ntkfast import classic, data, finite, operators, solvers, theory
from ntkfast._ntkfast import NumericalError
from ntkfast._threadpools import register
from ntkfast._workers import info, num_threads, obey_limits, set_num_threads
from ntkfast.dynamics import (
    Ensemble,
    GradientDescent,
    GradientFlow,
    KernelRegression,
    LinearModel,
    LossFlow,
    Normal,
    Posterior,
    Trajectory,
)
from ntkfast.kernels import Kernels
from ntkfast.linalg import Cholesky, cholesky
from ntkfast.networks import (
    ABRelu,
    Abs,
    AvgPool,
    Concatenate,
    Conv,
    Cos,
    Dense,
    Dropout,
    Elementwise,
    Elu,
    Erf,
    Estimate,
    Exp,
    ExpNormalized,
    Flatten,
    Gabor,
    Gaussian,
    Gelu,
    GlobalAvgPool,
    GlobalSumPool,
    Hardtanh,
    Hermite,
    Identity,
    LayerNorm,
    LayerSummary,
    LeakyRelu,
    Monomial,
    Network,
    Polynomial,
    Product,
    Rbf,
    RectifiedMonomial,
    Relu,
    Residual,
    Selu,
    Serial,
    Sigmoid,
    SigmoidLike,
    Sign,
    Sin,
    Softplus,
    Sum,
    Summary,
    SumPool,
    Swish,
    Tanh,
    cntk,
    derivative_gram,
    derivative_kernel,
    kernel_gradients,
    mlp,
    myrtle,
    nngp_by_depth,
    ntk_by_depth,
    ntk_by_frozen,
    wide_resnet,
)
from ntkfast.nystroem import NystroemPath, NystroemRegression, nystroem_by_depth
from ntkfast.operators import KernelOperator, as_operator, pivoted_cholesky
from ntkfast.spectrum import Spectrum, eigh
from ntkfast.storage import load, save

if TYPE_CHECKING:
    from types import ModuleType

    from ntkfast import jax as jax
    from ntkfast import neural_tangents as neural_tangents
    from ntkfast import plots
    from ntkfast import sklearn as sklearn
    from ntkfast import torch as torch

__version__: str = info()["version"]

obey_limits()
register()

__all__ = [
    "ABRelu",
    "Abs",
    "AvgPool",
    "Cholesky",
    "Concatenate",
    "Conv",
    "Cos",
    "Dense",
    "Dropout",
    "Elementwise",
    "Elu",
    "Ensemble",
    "Erf",
    "Estimate",
    "Exp",
    "ExpNormalized",
    "Flatten",
    "Gabor",
    "Gaussian",
    "Gelu",
    "GlobalAvgPool",
    "GlobalSumPool",
    "GradientDescent",
    "GradientFlow",
    "Hardtanh",
    "Hermite",
    "Identity",
    "KernelOperator",
    "KernelRegression",
    "Kernels",
    "LayerNorm",
    "LayerSummary",
    "LeakyRelu",
    "LinearModel",
    "LossFlow",
    "Monomial",
    "Network",
    "Normal",
    "NumericalError",
    "NystroemPath",
    "NystroemRegression",
    "Polynomial",
    "Posterior",
    "Product",
    "Rbf",
    "RectifiedMonomial",
    "Relu",
    "Residual",
    "Selu",
    "Serial",
    "Sigmoid",
    "SigmoidLike",
    "Sign",
    "Sin",
    "Softplus",
    "Spectrum",
    "Sum",
    "SumPool",
    "Summary",
    "Swish",
    "Tanh",
    "Trajectory",
    "__version__",
    "as_operator",
    "cholesky",
    "classic",
    "cntk",
    "data",
    "derivative_gram",
    "derivative_kernel",
    "eigh",
    "finite",
    "info",
    "kernel_gradients",
    "load",
    "mlp",
    "myrtle",
    "nngp_by_depth",
    "ntk_by_depth",
    "ntk_by_frozen",
    "num_threads",
    "nystroem_by_depth",
    "operators",
    "pivoted_cholesky",
    "plots",
    "save",
    "set_num_threads",
    "solvers",
    "theory",
    "wide_resnet",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> "ModuleType":
        # Imported on first access, because nothing else depends on them. `sklearn`, `jax` and
        # `torch` require packages of these names, so `import *` does not include them.
        if name in ("plots", "sklearn", "jax", "torch", "neural_tangents"):
            from importlib import import_module

            return import_module(f"ntkfast.{name}")
        raise AttributeError(f"module 'ntkfast' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, "sklearn"})
