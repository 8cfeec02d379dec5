"""The properties that every network must satisfy, as checks of (network, points) for any test.

A check is a function of a network and points that asserts; ``CHECKS`` lists them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ntkfast as nk
from tolerances import contract, pair_scale, worst

Points = NDArray[np.floating[Any]]
Check = Callable[[Any, Points], None]
KERNELS = ("nngp", "ntk")


def kernel(network: Any, name: str) -> Callable[..., Any]:
    """Return the network's method of that name."""
    method: Callable[..., Any] = getattr(network, name)
    return method


def drops(network: Any) -> bool:
    """Whether the network drops neurons at random, so that equal rows are two samples, not one.

    A row meets itself on the diagonal of K(x) alone; what is dropped adds to its variance there.
    """
    return isinstance(network, nk.Dropout) or any(map(drops, getattr(network, "layers", ())))


def same_bits(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two arrays are equal to the last bit, the signs of zeros included."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def assert_near(got: NDArray[Any], expected: NDArray[Any], scale: NDArray[Any]) -> None:
    """Two results that both keep the contract are at most two tolerances apart."""
    assert got.dtype == expected.dtype
    assert worst(got, expected, scale) <= 2 * contract(got.dtype)


def finite(network: Any, x: Points) -> None:
    """No NaN and no infinity, whatever rows are zero, parallel, antipodal or equal."""
    for name in KERNELS:
        assert np.all(np.isfinite(kernel(network, name)(x)))


def symmetric(network: Any, x: Points) -> None:
    """K equals its transpose to the last bit."""
    for name in KERNELS:
        k = kernel(network, name)(x)
        assert k.shape == (len(x), len(x))
        assert k.dtype == x.dtype
        assert same_bits(k, k.T)


def exact_diagonal(network: Any, x: Points) -> None:
    """The diagonal of K is diagonal=True to the last bit."""
    for name in KERNELS:
        diagonal = kernel(network, name)(x, diagonal=True)
        assert diagonal.shape == (len(x),)
        assert same_bits(diagonal, np.diagonal(kernel(network, name)(x)))
        assert np.all(diagonal >= 0)


def equal_rows(network: Any, x: Points) -> None:
    """Rows that are equal have one kernel, that of the row with itself unless it drops neurons."""
    for name in KERNELS:
        method = kernel(network, name)
        twice, diagonal = method(np.concatenate([x, x])), method(x, diagonal=True)
        equal = np.diagonal(twice, len(x))
        assert_near(equal, np.diagonal(method(x, x.copy())), diagonal)
        if drops(network):
            assert np.all(np.abs(equal) <= diagonal * (1 + contract(diagonal.dtype)))
        else:
            assert_near(equal, diagonal, diagonal)


def positive_semidefinite(network: Any, x: Points) -> None:
    """λ_min ≥ −n·ε·λ_max."""
    for name in KERNELS:
        k = kernel(network, name)(x)
        if len(x):
            eigenvalues = np.linalg.eigvalsh(unit_size(k))
            slack = len(x) * np.finfo(k.dtype).eps * eigenvalues[-1]
            assert eigenvalues[0] >= -slack


def unit_size(k: NDArray[Any]) -> NDArray[np.float64]:
    """Scale by a power of two, so that LAPACK sees ordinary numbers."""
    a = k.astype(np.float64)
    largest = np.max(np.abs(a), initial=0.0)
    return np.ldexp(a, -int(np.frexp(largest)[1])) if largest else a


def bounded_by_diagonal(network: Any, x: Points) -> None:
    """|K_ij| ≤ √(K_ii K_jj), up to the contract (Cauchy–Schwarz)."""
    for name in KERNELS:
        k = kernel(network, name)(x)
        bound = pair_scale(np.diagonal(k), np.diagonal(k))
        assert np.all(np.abs(k) <= bound * (1 + contract(k.dtype)))


def cross_is_a_block(network: Any, x: Points) -> None:
    """K(a, b) is the block of K([a, b]) that belongs to it: whole, unless a row meets itself."""
    for name in KERNELS:
        method = kernel(network, name)
        k = method(x)
        scale = pair_scale(np.diagonal(k), np.diagonal(k))
        for cut in {0, len(x) // 3, len(x) // 2, len(x)}:
            block = method(x[:cut], x[cut:])
            assert block.shape == (cut, len(x) - cut)
            assert_near(block, k[:cut, cut:], scale[:cut, cut:])
        cross, whole = method(x, x.copy()), k.copy()
        if drops(network):
            np.fill_diagonal(whole, np.diagonal(method(np.concatenate([x, x])), len(x)))
        assert_near(cross, whole, scale)


def permutation(network: Any, x: Points) -> None:
    """Permuted rows give the permuted matrix."""
    order = np.random.default_rng(len(x)).permutation(len(x))
    for name in KERNELS:
        method = kernel(network, name)
        straight = method(x)[np.ix_(order, order)]
        scale = pair_scale(np.diagonal(straight), np.diagonal(straight))
        assert_near(method(x[order]), straight, scale)


def one_pass_or_two(network: Any, x: Points) -> None:
    """Asking for one kernel gives the bits that asking for both gives."""
    for arguments, options in (((x,), {}), ((x, x[::2]), {}), ((x,), {"diagonal": True})):
        both = network.kernels(*arguments, **options)
        assert same_bits(network.nngp(*arguments, **options), both.nngp)
        assert same_bits(network.ntk(*arguments, **options), both.ntk)


def repeatable(network: Any, x: Points) -> None:
    """The same call gives the same bits."""
    for name in KERNELS:
        assert same_bits(kernel(network, name)(x), kernel(network, name)(x))


def layouts(network: Any, x: Points) -> None:
    """Any strides of the input give what a contiguous copy gives."""
    for name in KERNELS:
        method = kernel(network, name)
        expected, cross = method(x), method(x, x[:3])
        for view in views(x):
            assert same_bits(method(view), expected)
            assert same_bits(method(view, view[:3]), cross)
            assert same_bits(method(view, diagonal=True), np.diagonal(expected))


def views(x: Points) -> list[Points]:
    """Return arrays that equal x and lie differently in memory."""
    n, d = x.shape
    spaced = np.zeros((2 * n, 3 * d), x.dtype)
    spaced[::2, 1::3] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    swapped = x.astype(x.dtype.newbyteorder())
    bytes_between = np.zeros(n, dtype=[("pad", "u1"), ("row", x.dtype, (d,))])
    bytes_between["row"] = x
    return [
        np.asfortranarray(x),
        spaced[::2, 1::3],
        x[::-1, ::-1].copy()[::-1, ::-1],
        read_only,
        swapped,
        bytes_between["row"],  # not aligned
    ]


def broadcast_rows(network: Any, x: Points) -> None:
    """Rows that are one row in memory (stride 0) are so many equal rows."""
    if not len(x):
        return
    row = np.broadcast_to(x[:1], (5, x.shape[1]))
    column = np.broadcast_to(x[:, :1], (len(x), 4))
    for name in KERNELS:
        assert same_bits(kernel(network, name)(row), kernel(network, name)(row.copy()))
        assert same_bits(kernel(network, name)(column), kernel(network, name)(column.copy()))


CHECKS: list[Check] = [
    finite,
    symmetric,
    exact_diagonal,
    equal_rows,
    positive_semidefinite,
    bounded_by_diagonal,
    cross_is_a_block,
    permutation,
    one_pass_or_two,
    repeatable,
    layouts,
    broadcast_rows,
]


def same_bits_on_threads(network: Any, x: Points, y: Points, count: int) -> None:
    before = network.kernels(x), network.kernels(x, y), network.kernels(x, diagonal=True)
    nk.set_num_threads(count)
    assert nk.info()["threads"] == count
    after = network.kernels(x), network.kernels(x, y), network.kernels(x, diagonal=True)
    for a, b in zip(before, after, strict=True):
        assert same_bits(a.nngp, b.nngp)
        assert same_bits(a.ntk, b.ntk)
