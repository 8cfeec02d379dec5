"""Kernels of derivatives of random smooth networks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import ntkfast as nk
from catalogue import build
from strategies import decimals, point_sets

SIZES = decimals(0.4, 1.4)
SEEDS = st.integers(0, 10**6)


def activations():
    """Smooth activations of ordinary size."""
    plain = st.sampled_from([["gelu"], ["gabor"], ["sigmoid_like"], ["erf", 1.0, 1.0, 0.2]])
    waves = st.tuples(st.sampled_from(["sin", "cos"]), SIZES, SIZES, SIZES).map(list)
    others = st.one_of(
        SIZES.map(lambda b: ["gaussian", 1.0, -b]),
        SIZES.map(lambda gamma: ["rbf", gamma]),
        st.lists(decimals(-0.5, 0.5), min_size=1, max_size=4).map(lambda c: ["polynomial", *c]),
    )
    return plain | waves | others


def product(*factors):
    return ["product", *(["serial", *layers] for layers in factors)]


def layers():
    """Return layers from a Gaussian value to a Gaussian value."""
    dense = st.tuples(SIZES, SIZES).map(lambda t: ["dense", *t])
    chain = st.tuples(activations(), dense).map(list)
    joins = st.one_of(
        st.tuples(chain, chain).map(lambda t: [["sum", *(["serial", *each] for each in t)]]),
        chain.map(lambda each: [["residual", *each]]),
        st.tuples(activations(), chain, dense).map(
            lambda t: [["concatenate", t[0], ["serial", *t[1]]], t[2]]
        ),
        st.tuples(chain, chain, dense).map(lambda t: [["layer_norm", 0.1], product(*t[:2]), t[2]]),
    )
    return chain | joins


NETWORKS = st.tuples(SIZES, SIZES, st.lists(layers(), max_size=3)).map(
    lambda t: ["serial", ["dense", *t[:2]], *(layer for part in t[2] for layer in part)]
)
OPERATORS = st.sampled_from(
    ["value", "gradient", "laplacian", ("d", 1), ("d2", 2), {"value": 1.0, ("d2", 0): -2.0}]
)


@given(NETWORKS, point_sets(min_n=1, max_n=5, d=3), OPERATORS, OPERATORS, st.booleans())
def test_exchanged_arguments_give_the_transpose(description, x, left, right, ntk):
    """As far as there are digits: about 1 + v roundings at a variance of v."""
    network, kernel = build(description), "ntk" if ntk else "nngp"
    x = x[abs(x).max(axis=1) < 100]

    def matrix(a, b):
        return nk.derivative_gram(network, [(a, x)], [(b, x)], kernel=kernel)

    one, other = matrix(left, right), matrix(right, left).T
    sizes = [np.sqrt(abs(matrix(each, each).diagonal())) for each in (left, right)]
    # Derivatives that vanish have the errors of others.
    sizes = [each + 0.1 * each.max(initial=0.1) for each in sizes]
    bound = 1e-13 * (1.0 + 4.0 * (x**2).sum(axis=1).max(initial=0.0))
    assert (abs(one - other) <= bound * np.outer(*sizes)).all()


@given(NETWORKS, SEEDS, st.booleans())
def test_gradients_are_those_of_products_with_vectors(description, seed, ntk):
    """And gradients of both are their differences."""
    network, kernel = build(description), "ntk" if ntk else "nngp"
    rng = np.random.default_rng(seed)
    x, z, step = rng.standard_normal((3, 2)), rng.standard_normal((2, 2)), 1e-4
    vjp = getattr(network, f"{kernel}_vjp")

    def gradient(others):
        return np.stack([vjp(x, row[None], np.ones((3, 1)))[0] for row in others], axis=2)

    by_x = nk.derivative_kernel(network, x, z, left="gradient", right="value", kernel=kernel)
    size = abs(by_x).max() + abs(getattr(network, kernel)(x, z)).max()
    np.testing.assert_allclose(by_x, gradient(z), atol=1e-11 * size)
    both = nk.derivative_kernel(network, x, z, left="gradient", right="gradient", kernel=kernel)
    for k, move in enumerate(step * np.eye(2)):
        difference = (gradient(z + move) - gradient(z - move)) / (2 * step)
        np.testing.assert_allclose(both[..., k], difference, atol=1e-5 * (size + abs(both).max()))
