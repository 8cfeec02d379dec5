"""Functions of a float64 array, applied to every neuron in tests of fitted activations.

Those that NumPy or SciPy has by itself are not repeated here; `elementwise.py` has the whole list,
with the definition of each at any precision.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
TRIANGLE = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


def step(z: Array) -> Array:
    return np.asarray((z > 0) * 1.0)


def step_at_0_3(z: Array) -> Array:
    return np.asarray((z > 0.3) * 1.0)


def staircase_floor(z: Array) -> Array:
    return np.asarray(np.clip(np.floor(2 * z), -6, 5) / 2)


def staircase_rounded(z: Array) -> Array:
    return np.asarray(np.clip(np.round(4 * z), -8, 8) / 4)


def hardtanh(z: Array) -> Array:
    return np.asarray(np.clip(z, -1, 1))


def relu6(z: Array) -> Array:
    return np.asarray(np.clip(z, 0, 6))


def hinge_at_6(z: Array) -> Array:
    return np.asarray(np.maximum(z - 6, 0))


def hinge_at_0_5(z: Array) -> Array:
    return np.asarray(np.maximum(z - 0.5, 0))


def softshrink(z: Array) -> Array:
    return np.asarray(np.sign(z) * np.maximum(np.abs(z) - 0.5, 0))


def hardsigmoid(z: Array) -> Array:
    return np.asarray(np.clip(z + 3, 0, 6) / 6)


def hardswish(z: Array) -> Array:
    return np.asarray(z * np.clip(z + 3, 0, 6) / 6)


def triangle_wave(z: Array) -> Array:
    return np.asarray(np.interp(z, TRIANGLE, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]))


def abs_at_1(z: Array) -> Array:
    return np.asarray(np.abs(z - 1))


def leaky_relu_at_minus_0_5(z: Array) -> Array:
    return np.asarray(np.where(z > -0.5, z + 0.5, 0.1 * (z + 0.5)))


def sin_3(z: Array) -> Array:
    return np.asarray(np.sin(3 * z))


def sin_10(z: Array) -> Array:
    return np.asarray(np.sin(10 * z))


def cos_10(z: Array) -> Array:
    return np.asarray(np.cos(10 * z))


def sin_40(z: Array) -> Array:
    return np.asarray(np.sin(40 * z))


def z_sin_5(z: Array) -> Array:
    return np.asarray(z * np.sin(5 * z))


def tanh_and_bump_100(z: Array) -> Array:
    return np.asarray(np.tanh(z) + 100 * np.exp(-1e6 * (z - 1) ** 2))


def tanh_and_bump_1e4(z: Array) -> Array:
    return np.asarray(np.tanh(z) + 1e4 * np.exp(-1e6 * (z - 1) ** 2))


def tanh_and_bump_1e6(z: Array) -> Array:
    return np.asarray(np.tanh(z) + 1e6 * np.exp(-1e6 * (z - 1) ** 2))


def bump_1e4(z: Array) -> Array:
    return np.asarray(1e4 * np.exp(-1e4 * (z - 1) ** 2))


def gaussian_narrow(z: Array) -> Array:
    return np.asarray(np.exp(-1e4 * z * z))


def gaussian(z: Array) -> Array:
    return np.asarray(np.exp(-z * z))


def tanh_1e_310(z: Array) -> Array:
    return np.asarray(1e-310 * np.tanh(z))


def tanh_1e_150(z: Array) -> Array:
    return np.asarray(1e-150 * np.tanh(z))


def tanh_1e100(z: Array) -> Array:
    return np.asarray(1e100 * np.tanh(z))


def tanh_plus_1e6(z: Array) -> Array:
    return np.asarray(1e6 + np.tanh(z))


def sin_plus_1e3(z: Array) -> Array:
    return np.asarray(1e3 + np.sin(z))


def tanh_from_minus_10(z: Array) -> Array:
    return np.asarray(np.tanh(z + 10))


def tanh_from_5(z: Array) -> Array:
    return np.asarray(np.tanh(z - 5))


def sigmoid_from_20(z: Array) -> Array:
    return np.asarray(special.expit(z - 20))


def sqrt_abs(z: Array) -> Array:
    return np.asarray(np.sqrt(np.abs(z)))


def power_0_55(z: Array) -> Array:
    return np.asarray(np.abs(z) ** 0.55)


def power_0_75(z: Array) -> Array:
    return np.asarray(np.abs(z) ** 0.75)


def signed_sqrt(z: Array) -> Array:
    return np.asarray(np.sign(z) * np.sqrt(np.abs(z)))


def power_1_5(z: Array) -> Array:
    return np.asarray(np.abs(z) ** 1.5)


def z_log_abs(z: Array) -> Array:
    return np.asarray(special.xlogy(z, np.abs(z)))


def arctan_100(z: Array) -> Array:
    return np.asarray(np.arctan(100 * z))


def erf_1000(z: Array) -> Array:
    return np.asarray(special.erf(1000 * z))


def tanh_1000(z: Array) -> Array:
    return np.asarray(np.tanh(1000 * z))


def softplus_50(z: Array) -> Array:
    return np.asarray(np.logaddexp(0, 50 * z) / 50)


def sigmoid(z: Array) -> Array:
    return np.asarray(special.expit(z))


def softplus(z: Array) -> Array:
    return np.asarray(np.logaddexp(0, z))


def swish(z: Array) -> Array:
    return np.asarray(z * special.expit(z))


def mish(z: Array) -> Array:
    return np.asarray(z * np.tanh(np.logaddexp(0, z)))


def elu_0_7(z: Array) -> Array:
    return np.asarray(np.where(z > 0, z, 0.7 * np.expm1(np.minimum(z, 0))))


def selu(z: Array) -> Array:
    return np.asarray(SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0))))


def gelu(z: Array) -> Array:
    return np.asarray(z * special.ndtr(z))


def square(z: Array) -> Array:
    return np.asarray(z * z)


def cube(z: Array) -> Array:
    return np.asarray(z * z * z)


def lorentzian(z: Array) -> Array:
    return np.asarray(1 / (1 + z * z))


def log_one_plus_square(z: Array) -> Array:
    return np.asarray(np.log1p(z * z))


def sech(z: Array) -> Array:
    return np.asarray(2 / (np.exp(np.minimum(np.abs(z), 700)) + np.exp(-np.abs(z))))


def softsign(z: Array) -> Array:
    return np.asarray(z / (1 + np.abs(z)))


def sinc(z: Array) -> Array:
    return np.asarray(np.sinc(z / np.pi))


def z_gaussian(z: Array) -> Array:
    return np.asarray(z * np.exp(-z * z / 2))


def sqrt_one_plus_square(z: Array) -> Array:
    return np.asarray(np.sqrt(1 + z * z))
