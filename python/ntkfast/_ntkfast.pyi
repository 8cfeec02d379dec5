"""The compiled core. Arrays are native-endian float32 or float64; the Python code ensures this."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NumericalError",
    "Prepared",
    "Program",
    "before_next_call",
    "check",
    "cholesky",
    "cholesky_in_place",
    "cholesky_solve",
    "cores",
    "derivatives",
    "descent_filter",
    "eigh",
    "flow_filter",
    "image_gradients",
    "info",
    "inverse_diagonal",
    "matmul",
    "multiply_blocks",
    "num_threads",
    "panic_for_test",
    "set_num_threads",
    "share_threads",
    "solve_refined",
    "taylor",
    "taylor_exponents",
    "trace",
    "weighted_derivatives",
]

# The form of Network.to_dict, with all fields and functions among them.
_Description: TypeAlias = dict[str, Any]
_Recipe: TypeAlias = dict[str, Any]
_Array: TypeAlias = NDArray[np.floating[Any]]
_Arrays: TypeAlias = list[_Array]
_Report: TypeAlias = Callable[[int, int], object]

class NumericalError(ArithmeticError): ...

@final
class Program:
    def __new__(cls, description: _Description) -> Program: ...
    @staticmethod
    def distinct(description: _Description) -> Program: ...
    @staticmethod
    def by_depth(description: _Description) -> Program: ...
    @staticmethod
    def by_frozen(description: _Description) -> Program: ...
    @property
    def results(self) -> int: ...

    # Whether samples are images (n, height, width, channels) instead of rows.
    @property
    def spatial(self) -> bool: ...

    # One array per result, or None for results that are not wanted.
    def gram(
        self, x: _Array, nngp: _Arrays | None, ntk: _Arrays | None, progress: _Report | None
    ) -> None: ...
    def cross(
        self,
        x: _Array,
        x2: _Array,
        nngp: _Arrays | None,
        ntk: _Arrays | None,
        progress: _Report | None,
    ) -> None: ...
    def diagonal(self, x: _Array, nngp: _Arrays | None, ntk: _Arrays | None) -> None: ...

    # For all pairs of x, or from x to x2: parts then have the bits that they have among all.
    # With `pairs`, for so many pairs of samples like these.
    def prepare(
        self, x: _Array, x2: _Array | None = None, pairs: int | None = None
    ) -> Prepared: ...
    def prepare_again(self, recipe: _Recipe) -> Prepared: ...

    # With the fits of the same network with other scales; others are refused when they are used.
    def prepare_like(self, other: Prepared) -> Prepared: ...

# A program whose activations are fitted and whose way is chosen, once for many calls.
@final
class Prepared:
    @property
    def results(self) -> int: ...
    @property
    def spatial(self) -> bool: ...

    # Plain numbers, of which Program.prepare_again makes the same.
    @property
    def recipe(self) -> _Recipe: ...
    def gram(
        self, x: _Array, nngp: _Arrays | None, ntk: _Arrays | None, progress: _Report | None
    ) -> None: ...
    def cross(
        self,
        x: _Array,
        x2: _Array,
        nngp: _Arrays | None,
        ntk: _Arrays | None,
        progress: _Report | None,
    ) -> None: ...
    def diagonal(self, x: _Array, nngp: _Arrays | None, ntk: _Arrays | None) -> None: ...

    # For all pairs of n samples, or of n and m: samples and pairs in units of equal cost, the
    # threads that have samples and pairs to compute, the least number of samples that show the cost
    # of a pair, and bytes beyond samples and outputs.
    def workload(self, n: int, m: int | None = None, *, nngp: bool, ntk: bool) -> list[int]: ...

# The kernels between two sets of rows in float64, where x may be x2 from a first row on, as four
# arrays for each result: the value, and derivatives by up to three parameters, or else by the
# cosine and the logarithms of both norms: of these minus the cosine times the first, so that x·x'
# stays.
# Parameters are "w_std" and "b_std", of one dense layer by its number or of all, and the logarithms
# of "w_factor" and "b_factor", of all.
def derivatives(
    prepared: Prepared,
    x: _Array,
    x2: _Array,
    first: int | None,
    parameters: list[tuple[str, int | None]] | None,
    nngp: _Arrays | None,
    ntk: _Arrays | None,
) -> None: ...

# Those by inputs, times weights g: by the cosine, shape (n, m), and sums by the norms, shapes
# (n, m/64) and (n/256, m), both rounded up.
def weighted_derivatives(
    prepared: Prepared,
    samples: list[_Array],
    first: int | None,
    g: NDArray[np.float64],
    ntk: bool,
    out: list[_Array],
) -> None: ...

# By one set of images, or by two: flat, image after image.
def image_gradients(
    prepared: Prepared,
    x: _Array,
    x2: _Array | None,
    g: NDArray[np.float64],
    ntk: bool,
    progress: _Report | None,
) -> list[NDArray[np.float64]]: ...

# The Taylor coefficients of a kernel of rows of so many features, by the change of the cosine and
# the relative changes of both lengths, up to the degree of which there are arrays: one for each
# coefficient, in the order of their powers. `products` are x·x'/d, shape (n, m), `variances` ‖x‖²/d
# of both sets, and `added` the square over d of a coordinate that cosines and lengths have in
# addition.
def taylor(
    program: Program,
    features: int,
    products: NDArray[np.float64],
    variances: list[NDArray[np.float64]],
    added: list[NDArray[np.float64]],
    ntk: bool,
    out: Sequence[NDArray[np.float64]],
) -> None: ...
def taylor_exponents() -> list[list[int]]: ...
def check(description: _Description) -> None: ...

# One list per row, with (place, variance, chi, ntk, share) per layer.
def trace(
    program: Program, norms: NDArray[np.float64], features: int
) -> list[list[tuple[str, float, float | None, float, float]]]: ...
def eigh(theta: _Array) -> tuple[_Array, _Array]: ...

# `diagonal`, shape (n,), replaces the diagonal of the matrix.
def cholesky(a: _Array, diagonal: _Array) -> _Array: ...

# With L·Lᵀ ("both"), L ("lower") or Lᵀ ("upper").
def cholesky_solve(l: _Array, b: _Array, factors: str) -> _Array: ...

# a, symmetric, becomes L in its own memory: a.T is L. Entries are not checked.
def cholesky_in_place(a: _Array, progress: _Report | None) -> None: ...
def inverse_diagonal(l: _Array, progress: _Report | None) -> NDArray[np.float64]: ...

# The solution and the diagonal of the factor, or None if float64 must do all of the work.
def solve_refined(theta: _Array, diagonal: _Array, b: _Array) -> tuple[_Array, _Array] | None: ...
def matmul(a: _Array, b: _Array) -> _Array: ...

# Add products of blocks at these rows and columns to out; "given", "transposed" or "symmetric".
def multiply_blocks(
    blocks: Sequence[_Array],
    places: Sequence[tuple[int, int]],
    form: str,
    vectors: NDArray[np.float64],
    out: NDArray[np.float64],
    progress: _Report | None,
) -> None: ...

# One row per time, one column per eigenvalue.
def flow_filter(
    eigenvalues: NDArray[np.float64],
    t: NDArray[np.float64],
    learning_rate: float,
    ridge: float,
    negligible: float,
) -> NDArray[np.float64]: ...

# (1 − ρ_k)/x and ρ_k, one row per number of steps, one column per rate x = ηλ.
def descent_filter(
    rates: NDArray[np.float64], steps: NDArray[np.float64], momentum: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def set_num_threads(n: int) -> None: ...

# Threads for so many calls at the same time together; 0 threads: all cores of this process.
def share_threads(threads: int, calls: int) -> None: ...

# Call a function once, before the next call that computes: it may choose the number of threads.
def before_next_call(function: Callable[[], object]) -> None: ...

# Cores that this process may use, and how many processes of its pool share them.
def cores() -> tuple[int, int]: ...
def num_threads() -> int: ...
def info() -> dict[str, Any]: ...

# A defect of the core, for a test of what users see then.
def panic_for_test(message: str, operations: int) -> None: ...
