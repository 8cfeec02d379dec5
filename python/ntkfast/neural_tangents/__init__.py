"""The names of neural-tangents over ntkfast: programs run by changing one import.

>>> import numpy as np
>>> from ntkfast.neural_tangents import stax
>>> init_fn, apply_fn, kernel_fn = stax.serial(stax.Dense(512), stax.Relu(), stax.Dense(1))
>>> kernel_fn(np.eye(3), None, "ntk").shape
(3, 3)
"""

from ntkfast.neural_tangents import predict, stax, utils
from ntkfast.neural_tangents._batch import batch
from ntkfast.neural_tangents._empirical import (
    NtkImplementation,
    empirical_kernel_fn,
    empirical_nngp_fn,
    empirical_ntk_fn,
    empirical_ntk_vp_fn,
    linearize,
    taylor_expand,
)
from ntkfast.neural_tangents._kernel import Kernel
from ntkfast.neural_tangents._monte_carlo import monte_carlo_kernel_fn

__all__ = [
    "Kernel",
    "NtkImplementation",
    "batch",
    "empirical_kernel_fn",
    "empirical_nngp_fn",
    "empirical_ntk_fn",
    "empirical_ntk_vp_fn",
    "linearize",
    "monte_carlo_kernel_fn",
    "predict",
    "stax",
    "taylor_expand",
    "utils",
]
