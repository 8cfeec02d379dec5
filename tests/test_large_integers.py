"""Integers that no array and no layer can have: they are refused by name, and none wraps around."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ntkfast as nk

X = np.random.default_rng(0).standard_normal((4, 2))
FINITE = nk.finite.init(nk.mlp(1), 2, 0, width=4)
FIELD = nk.theory.mean_field(nk.mlp(1, nk.Erf(), b_std=0.1))
NORMAL = nk.Normal(np.zeros(2), np.eye(2))

SIZES: dict[str, tuple[str, Callable[[int], Any]]] = {
    "dense": ("Dense: width", nk.Dense),
    "conv": ("Conv: width", lambda n: nk.Conv((3, 3), width=n)),
    "mlp": ("Dense: width", lambda n: nk.mlp(1, width=n)),
    "described": (
        "the network: Dense: width",
        lambda n: nk.Network.from_dict({"type": "Dense", "width": n}),
    ),
    "summary": ("n_features", lambda n: nk.mlp(1).summary(1.0, n_features=n)),
    "input_shape": ("input_shape", lambda n: nk.finite.init(nk.mlp(1), n, 0, width=2)),
    "input_shape[0]": ("input_shape[0]", lambda n: nk.finite.init(nk.mlp(1), (n,), 0, width=2)),
    "width": ("width", lambda n: nk.finite.init(nk.mlp(1), 2, 0, width=n)),
    "output_dim": ("output_dim", lambda n: nk.finite.init(nk.mlp(1), 2, 0, width=2, output_dim=n)),
    "widths": ("widths", lambda n: nk.finite.width_study(nk.mlp(1), X, widths=[n, 3], seeds=2)),
    "seeds": ("seeds", lambda n: nk.finite.width_study(nk.mlp(1), X, widths=[2, 3], seeds=n)),
    "n_samples": (
        "n_samples",
        lambda n: nk.finite.monte_carlo_kernels(nk.mlp(1), X, width=2, n_samples=n, seed=0),
    ),
    "record": (
        "record",
        lambda n: FINITE.train(X, X[:, 0], learning_rate=0.1, steps=3, record=n),
    ),
    "sine": ("n", nk.data.sine),
    "step": ("n", nk.data.step),
    "chirp": ("n", nk.data.chirp),
    "circle": ("n", nk.data.circle),
    "sphere": ("n", lambda n: nk.data.sphere(n, 2, 0)),
    "sphere's space": ("n_features", lambda n: nk.data.sphere(2, n, 0)),
    "one_hot": ("n_classes", lambda n: nk.data.one_hot([0], n)),
    "sample": ("n", lambda n: NORMAL.sample(n, seed=0)),
    "depth": ("depth", lambda n: FIELD.condition_number(n, 4)),
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("size", [10**12 + 1, 2**63 - 1, 2**63, 2**64, 2**70])
def test_sizes_beyond_all_memory_are_refused_by_name(name: str, size: int) -> None:
    argument, call = SIZES[name]
    with pytest.raises(ValueError, match="expected an integer") as raised:
        call(size)
    assert str(raised.value).startswith(f"{argument} is {size}; expected an integer >= ")
    assert "and <= 1000000000000" in str(raised.value)


@pytest.mark.parametrize("steps", [2**63, 1e13, [1, 2**63]])
def test_steps_beyond_all_time_are_refused_by_name(steps: Any) -> None:
    with pytest.raises(ValueError, match=r"steps goes up to .*; expected at most 1,000,000,000,0"):
        FINITE.train(X, X[:, 0], learning_rate=0.1, steps=steps)


def test_sums_and_products_of_widths_are_not_cut_off() -> None:
    """The tangent kernel of the standard parameterization grows with the fan-in."""

    def wide(width: int, branches: int) -> nk.Network:
        branch = nk.Serial(nk.Dense(width), nk.Relu())
        readout = nk.Dense(parameterization="standard")
        return nk.Serial(nk.Concatenate(*[branch] * branches), readout)

    grown = wide(10**12, 60).ntk(X) / wide(1000, 60).ntk(X)
    np.testing.assert_allclose(grown, 1e9, rtol=2e-3)  # the other layers are the rest

    # 10¹² neurons in 32 branches, at 1000² positions of a window: more than 64 bits can count.
    def both(width: int) -> nk.Network:
        branch = nk.Serial(nk.Conv((3, 3), width=width), nk.Relu())
        window = nk.Conv((1000, 1000), padding="CIRCULAR", parameterization="standard")
        return nk.Serial(nk.Concatenate(*[branch] * 32), window, nk.GlobalAvgPool())

    images = np.ones((1, 5, 5, 1))
    grown = both(10**12).ntk(images) / both(1000).ntk(images)
    np.testing.assert_allclose(grown, 1e9, rtol=2e-3)


@pytest.mark.parametrize("size", [2**63, 2**70])
def test_seeds_are_of_any_size(size: int) -> None:
    first, second = (nk.finite.init(nk.mlp(1), 2, seed, width=4) for seed in (size, size + 1))
    assert (first.parameters != second.parameters).all()
    again = nk.finite.init(nk.mlp(1), 2, size, width=4)
    np.testing.assert_array_equal(first.parameters, again.parameters)
