"""A network that is prepared once: blocks at multiples of 64 samples have the bits of the whole."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ntkfast as nk
from contract import same_bits
from gram_files import ended, place
from ntkfast.kernels import evaluate

__all__ = ["place"]

Array = NDArray[np.floating[Any]]

# Without it, the last bits of a part depend on what else is in a call: on the range of norms (Tanh,
# Swish), and on the number of pairs (the deep one).
NETWORKS = {
    "relu": nk.mlp(3, nk.Relu(), w_std=1.4, b_std=0.1),
    "relu, deep, no bias": nk.mlp(12, nk.Relu(), w_std=1.4),
    "tanh": nk.mlp(2, nk.Tanh(), w_std=1.3, b_std=0.2),
    "swish after gelu": nk.Serial(
        nk.Dense(), nk.Gelu(), nk.Dense(), nk.Swish(), nk.Dense(b_std=0.1)
    ),
}
COUNT = 400


def rows(dtype: str = "float64", features: int = 40) -> Array:
    rng = np.random.default_rng(5)
    scales = np.exp(np.linspace(-1, 1, COUNT))[:, None]
    return (scales * rng.standard_normal((COUNT, features))).astype(dtype)


def kernel(prepared: Any, x: Array, x2: Array | None = None, **options: Any) -> Array:
    given = {"wanted": ("ntk",), "out": (None,), "diagonal": False, "progress": None, **options}
    return evaluate(prepared, x, x2, **given)[0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_parts_have_the_bits_of_the_whole(name: str, dtype: str) -> None:
    network, x = NETWORKS[name], rows(dtype)
    whole = network.ntk(x)
    prepared = network._program.prepare(x)
    for start in (0, 64, 256):
        part = x[start : start + 128]
        assert same_bits(kernel(prepared, part), whole[start : start + 128, start : start + 128])
        rest = x[start + 128 :]
        assert same_bits(kernel(prepared, part, rest), whole[start : start + 128, start + 128 :])
    assert same_bits(kernel(prepared, x[7:9], diagonal=True), whole.diagonal()[7:9])


@pytest.mark.parametrize("name", ["tanh", "relu, deep, no bias"])
def test_parts_alone_have_other_bits(name: str) -> None:
    """Otherwise the tests here would show nothing."""
    network, x = NETWORKS[name], rows()
    assert not same_bits(network.ntk(x[:64]), network.ntk(x)[:64, :64])


def test_a_cross_kernel_is_prepared_for_both_sets() -> None:
    network, x = NETWORKS["tanh"], rows()
    left, right = x[:128], 3 * x[128:]
    prepared = network._program.prepare(left, right)
    whole = network.ntk(left, right)
    assert same_bits(kernel(prepared, left[64:], right[:64]), whole[64:, :64])


def test_images() -> None:
    pictures = np.random.default_rng(2).standard_normal((40, 5, 4, 2))
    network = nk.Serial(
        nk.Conv((3, 3)), nk.Tanh(), nk.Conv((3, 3)), nk.Relu(), nk.GlobalAvgPool(), nk.Dense()
    )
    prepared = network._program.prepare(pictures)
    whole = network.ntk(pictures)
    assert same_bits(kernel(prepared, pictures[:16]), whole[:16, :16])
    assert same_bits(kernel(prepared, pictures[16:], pictures[:16]), whole[16:, :16])
    with pytest.raises(ValueError, match=r"sample 0 has a standard deviation of .*: prepare it"):
        kernel(prepared, 100 * pictures)


@pytest.mark.parametrize("other", [(6, 6), (4, 5), (1, 1), (5, 40)])
def test_images_of_another_size_are_refused(other: tuple[int, int]) -> None:
    network = nk.Serial(nk.Conv((3, 3)), nk.Relu(), nk.Conv((3, 3)), nk.GlobalAvgPool(), nk.Dense())
    rng = np.random.default_rng(2)
    prepared = network._program.prepare(rng.standard_normal((3, 5, 4, 2)))
    given = rng.standard_normal((3, *other, 2))
    for options in ({}, {"diagonal": True}):
        with pytest.raises(
            ValueError, match="images of size 5 × 4, for which the network was prep"
        ):
            kernel(prepared, given, **options)
    with pytest.raises(ValueError, match="for which the network was prepared"):
        kernel(prepared, given, given)
    single = network._program.prepare(rng.standard_normal((3, 1, 1, 2)))
    with pytest.raises(ValueError, match="images of size 1 × 1"):
        kernel(single, rng.standard_normal((3, 5, 4, 2)))
    for recipe in (
        {**prepared.recipe, "grid": None},
        NETWORKS["relu"]._program.prepare(rows()).recipe,
    ):
        with pytest.raises(ValueError, match="it is for rows, and this network takes others"):
            network._program.prepare_again(recipe)


AGAIN = """
import json, sys
import numpy as np
import ntkfast as nk
from ntkfast.kernels import evaluate
given = json.load(sys.stdin)
network = nk.Network.from_dict(given["network"])
x = np.array(given["x"]).astype(given["recipe"]["dtype"])
prepared = network._program.prepare_again(given["recipe"])
part = evaluate(prepared, x, None, wanted=("ntk",), out=(None,), diagonal=False, progress=None)[0]
print(json.dumps([[float(value).hex() for value in row] for row in part]))
"""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["tanh", "relu, deep, no bias"])
def test_a_recipe_makes_the_same_in_another_process(name: str, dtype: str) -> None:
    network, x = NETWORKS[name], rows(dtype)
    recipe = network._program.prepare(x).recipe
    assert recipe["dtype"] == dtype
    assert recipe["pairs"] == COUNT**2
    some = x[64:80]
    given = {"network": network.to_dict(), "recipe": recipe, "x": some.tolist()}
    command = [sys.executable, "-c", AGAIN]
    printed = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=True
    )
    part = [[float.fromhex(text) for text in row] for row in json.loads(printed.stdout)]
    whole = network.ntk(x)[64:128, 64:128][:16, :16]
    assert same_bits(np.array(part, dtype), whole)


def test_samples_outside_the_range_are_refused() -> None:
    x = rows()
    prepared = NETWORKS["tanh"]._program.prepare(x)
    far = x[:3].copy()
    far[2] *= 1e6
    with pytest.raises(
        ValueError, match=r"sample 2 has a standard deviation of .* at layer 2 \(Tanh\)"
    ):
        kernel(prepared, far)
    with pytest.raises(ValueError, match="prepare it with all samples"):
        kernel(prepared, x[:3], far)
    same_norms = rows() / np.linalg.norm(rows(), axis=1, keepdims=True)
    zonal = nk.mlp(12, nk.Relu(), w_std=1.4, b_std=0.3)._program.prepare(same_norms)
    with pytest.raises(ValueError, match=r"sample 1 has a standard deviation of .* at the input"):
        kernel(zonal, np.stack([same_norms[0], 2 * same_norms[1]]))


def test_other_types_and_networks_are_refused() -> None:
    x = rows()
    tanh, relu = NETWORKS["tanh"]._program, NETWORKS["relu"]._program
    prepared = tanh.prepare(x)
    with pytest.raises(TypeError, match="prepared for float64, and these samples are float32"):
        kernel(prepared, x.astype(np.float32))
    with pytest.raises(ValueError, match="ranges of 2 fitted activations, and this network has 0"):
        relu.prepare_again(prepared.recipe)
    with pytest.raises(ValueError, match="instruction set vax, which this processor does not have"):
        tanh.prepare_again({**prepared.recipe, "simd": "vax"})
    with pytest.raises(ValueError, match='dtype "float16"; expected "float32" or "float64"'):
        tanh.prepare_again({**prepared.recipe, "dtype": "float16"})
    for low, high in ((2.0, 1.0), (-1.0, 1.0), (np.nan, 1.0), (0.5, np.inf)):
        wrong = {**prepared.recipe, "input": {"low": low, "high": high, "zeros": False}}
        with pytest.raises(ValueError, match="ranges of scales that are not ranges"):
            tanh.prepare_again(wrong)
    with pytest.raises(TypeError):
        tanh.prepare(x.tolist())  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", ["--depth=2", "--depth=14"])
def test_the_command_writes_the_bits_of_one_call(depth: str) -> None:
    for activation in ("tanh", "relu"):
        x = rows(features=6)
        np.save("x.npy", x)
        options = [depth, f"--activation={activation}", "--w-std=1.4", "--b-std=0.1", "--force"]
        assert ended(*options) == 0
        network = nk.mlp(
            int(depth[-2:].strip("=")), getattr(nk, activation.title())(), w_std=1.4, b_std=0.1
        )
        assert same_bits(np.load("k.npy"), network.ntk(x))


def test_the_command_writes_the_bits_of_one_call_on_images_of_one_position() -> None:
    network = nk.Serial(nk.Conv((1, 1)), nk.Gelu(), nk.Flatten(), nk.Dense(b_std=0.1))
    Path("net.json").write_text(json.dumps(network.to_dict()), encoding="utf-8")
    x = np.random.default_rng(1).standard_normal((150, 1, 1, 2))
    np.save("x.npy", x)
    assert ended("--network=net.json", "--force") == 0
    assert same_bits(np.load("k.npy"), network.ntk(x))
