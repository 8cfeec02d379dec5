"""Gradients of kernels by images, against differences of the literal formulae at 64 digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf, workdps

import ntkfast as nk
from catalogue import build
from image_strategies import image_networks
from images import IMAGE_NETWORKS, hard_images, on_rows, random_images, without_windows
from reference import images as literal

# Half of the digits are lost where pixels coincide, which leaves 20 of a difference.
STEP = mpf(10) ** -12
KERNELS = ("nngp", "ntk")


def slopes(description, images, moves):
    """Return how fast both kernels of all pairs change as all images move."""
    with workdps(literal.WORKING_DIGITS):
        along = np.vectorize(lambda a, b, sign: mpf(a) + sign * STEP * mpf(b), otypes=[object])
        ends = [literal.kernels(description, along(images, moves, sign)) for sign in (1, -1)]
        return [((a - b) / (2 * STEP)).astype(float) for a, b in zip(*ends, strict=True)]


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_gradients_are_those_of_the_formulae(name):
    """Of pairs of different images, and of an image with itself, along a random direction."""
    network = build(IMAGE_NETWORKS[name])
    images, moves = random_images(2, 3, 4, 2, seed=1), random_images(2, 3, 4, 2, seed=2)
    truth = slopes(IMAGE_NETWORKS[name], images, moves)
    for kernel, expected in zip(KERNELS, truth, strict=True):
        vjp = getattr(network, f"{kernel}_vjp")
        scale = abs(getattr(network, kernel)(images)).max()
        by_x, by_z = vjp(images[:1], images[1:], [[1.0]])
        got = (by_x * moves[:1]).sum() + (by_z * moves[1:]).sum()
        assert got == pytest.approx(expected[0, 1], rel=1e-12, abs=1e-13 * scale)
        for i in (0, 1):
            got = (vjp(images, None, np.diag(np.eye(2)[i])) * moves).sum()
            assert got == pytest.approx(expected[i, i], rel=1e-12, abs=1e-13 * scale)


HARD = {
    "cntk",
    "bias, flatten",
    "strides, circular",
    "average pooling, same",
    "layer norm",
    "product",
    "smooth",
    "smooth, flatten",
    "standard, flatten",
}


@pytest.mark.parametrize("name", sorted(HARD))
@pytest.mark.parametrize("case", [name for name in hard_images() if "zero" not in name])
def test_gradients_of_images_with_traps(name, case):
    """Images that coincide move alike, as one point: where they part, kernels have kinks."""
    network, images = build(IMAGE_NETWORKS[name]), hard_images()[case][:2]
    moves = random_images(1, *images.shape[1:], seed=3) * np.ones((2, 1, 1, 1))
    if case in ("scaled", "negative", "antipodal pixels", "coinciding pixels", "constant colour"):
        moves = 0.7 * images  # along themselves, pairs of positions keep their angles
    truth = slopes(IMAGE_NETWORKS[name], images, moves)
    for kernel, expected in zip(KERNELS, truth, strict=True):
        by_x, by_z = getattr(network, f"{kernel}_vjp")(images[:1], images[1:], [[1.0]])
        got = (by_x * moves[:1]).sum() + (by_z * moves[1:]).sum()
        size = abs(by_x * moves[:1]).sum() + abs(by_z * moves[1:]).sum()
        assert got == pytest.approx(expected[0, 1], rel=1e-9, abs=1e-9 * size)


@pytest.mark.parametrize("name", ["cntk", "smooth, flatten", "average pooling, same"])
@pytest.mark.parametrize("case", [name for name in hard_images() if "zero" in name])
def test_images_with_zeros_have_finite_gradients(name, case):
    network, images = build(IMAGE_NETWORKS[name]), hard_images()[case]
    for kernel in KERNELS:
        gradient = getattr(network, f"{kernel}_vjp")(images, None, np.ones((len(images),) * 2))
        assert np.isfinite(gradient).all()
        assert gradient.any()


def test_pixels_of_zeros_have_the_gradient_of_their_patches():
    """A patch that is not zero is differentiated by all its pixels, also by those that are."""
    description = IMAGE_NETWORKS["cntk, flatten"]
    images = random_images(2, 3, 4, 1, seed=5)
    images[0, 1, 2] = images[1, 0, 0] = 0.0
    moves = np.zeros_like(images)
    moves[0, 1, 2] = 1.0
    truth = slopes(description, images, moves)
    for kernel, expected in zip(KERNELS, truth, strict=True):
        by_x, _ = getattr(build(description), f"{kernel}_vjp")(images[:1], images[1:], [[1.0]])
        assert by_x[0, 1, 2, 0] == pytest.approx(expected[0, 1], rel=1e-10)


@given(image_networks((3, 4)), st.integers(0, 1000), st.sampled_from(KERNELS), st.booleans())
def test_gradients_of_random_networks_are_those_of_differences(description, seed, kernel, one_set):
    """Along random directions, for one set of images or for two."""
    network, rng = build(description), np.random.default_rng(seed)
    x, z, v, w = rng.standard_normal((4, 2, 3, 4, 2))
    g, step = rng.standard_normal((2, 2)), 1e-6
    value, vjp = getattr(network, kernel), getattr(network, f"{kernel}_vjp")
    if one_set:
        got = (vjp(x, None, g) * v).sum()
    else:
        got = sum((by * move).sum() for by, move in zip(vjp(x, z, g), (v, w), strict=True))

    def at(steps):
        sets = [x + steps * step * v] if one_set else [x + steps * step * v, z + steps * step * w]
        return (g * value(*sets)).sum()

    expected = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
    assert got == pytest.approx(expected, rel=2e-5, abs=2e-5 * max(1e-6, 0.01 * abs(at(0))))


SOME = ["cntk", "bias, flatten", "average pooling, then flatten", "layer norm", "two ends"]


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("counts", [(3, 2), (17, 35)])
def test_weighted_sums_are_those_of_single_pairs(name, kernel, counts):
    """Whatever groups pairs are in: for two sets, for one, and for x2 that is x."""
    network = build(IMAGE_NETWORKS[name])
    vjp = getattr(network, f"{kernel}_vjp")
    rng = np.random.default_rng(0)
    x, z = (random_images(n, 3, 4, 2, seed=n) for n in counts)
    u, v = (rng.standard_normal((n, 2)) for n in counts)
    by_x, by_z = vjp(x, z, (u, v))
    got = (by_x * x).sum() + (by_z * z).sum()
    for i, j in [(0, 0), (counts[0] - 1, counts[1] - 1), (1, counts[1] - 1)]:
        g = np.zeros(counts)
        g[i, j] = u[i] @ v[j]
        one_x, one_z = vjp(x[i : i + 1], z[j : j + 1], g[i : i + 1, j : j + 1])
        all_x, all_z = vjp(x, z, g)
        np.testing.assert_allclose(all_x[i], one_x[0], rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(all_z[j], one_z[0], rtol=1e-10, atol=1e-13)
        assert not np.delete(all_x, i, axis=0).any()
    # Along the images themselves, kernels grow as their scale does.
    step = 1e-5
    value = getattr(network, kernel)
    ends = [value((1 + s) * x, (1 + s) * z) for s in (step, -step)]
    expected = ((u @ v.T) * (ends[0] - ends[1])).sum() / (2 * step)
    assert got == pytest.approx(expected, rel=1e-7)
    g = rng.standard_normal((counts[0],) * 2)
    together = vjp(x, None, g)
    apart = vjp(x, x, g)
    np.testing.assert_allclose(apart[0] + apart[1], together, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(vjp(x, None, g.T), together, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SOME)
def test_bits_do_not_depend_on_threads(name, threads):
    network = build(IMAGE_NETWORKS[name])
    x, z = random_images(20, 3, 4, 2), random_images(33, 3, 4, 2)
    g = np.random.default_rng(0).standard_normal((20, 33))
    found = []
    for count in (1, 3):
        nk.set_num_threads(count)
        found.append([*network.ntk_vjp(x, z, g), network.ntk_vjp(x, None, g[:, :20])])
    for one, many in zip(*found, strict=True):
        np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("name", ["cntk", "dense before and between", "smooth"])
def test_images_of_one_position_are_rows(name):
    x, z = random_images(4, 1, 1, 5), random_images(3, 1, 1, 5, seed=1)
    g = np.random.default_rng(0).standard_normal((4, 3))
    rows = build(on_rows(IMAGE_NETWORKS[name]))
    got = build(without_windows(IMAGE_NETWORKS[name])).ntk_vjp(x, z, g)
    for one, two in zip(got, rows.ntk_vjp(x[:, 0, 0], z[:, 0, 0], g), strict=True):
        np.testing.assert_allclose(one[:, 0, 0], two, rtol=1e-11)


def test_sequences_single_precision_and_progress():
    network = nk.Serial(nk.Conv((3,)), nk.Gelu(), nk.GlobalAvgPool(), nk.Dense())
    x = random_images(20, 7, 2).astype(np.float32)
    z = random_images(3, 7, 2, seed=1).astype(np.float32)
    g = np.ones((20, 3))
    reports = []
    by_x, by_z = network.ntk_vjp(x, z, g, progress=lambda *counts: reports.append(counts))
    assert (by_x.dtype, by_z.dtype, by_x.shape) == (np.float32, np.float32, x.shape)
    assert reports[-1][0] == reports[-1][1] > 0
    exact, _ = network.ntk_vjp(x.astype(float), z.astype(float), g)
    np.testing.assert_array_equal(by_x, exact.astype(np.float32))
    by_x, by_z = network.ntk_vjp(x, z[:0], g[:, :0])
    assert by_z.shape == (0, 7, 2)
    assert not by_x.any()


def test_refusals():
    network = nk.Serial(nk.Conv((3, 3)), nk.Relu(), nk.Flatten(), nk.Dense())
    x = random_images(2, 3, 4, 2)
    with pytest.raises(ValueError, match=r"g has shape \(2, 3\); expected \(2, 2\)"):
        network.ntk_vjp(x, None, np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"x2 has shape \(2, 4, 4, 2\); expected \(n, 3, 4, 2\)"):
        network.ntk_vjp(x, random_images(2, 4, 4, 2), np.ones((2, 2)))
    with pytest.raises(ValueError, match="no other derivatives yet"):
        network.ntk_jvp(x, None, x)
    with pytest.raises(ValueError, match="no other derivatives yet"):
        nk.kernel_gradients(network, x)
    steps = nk.Serial(nk.Conv((3, 3)), nk.Elementwise(np.sign), nk.Flatten())
    with pytest.raises(ValueError, match=r"Elementwise\(sign\) are not differentiated"):
        steps.ntk_vjp(x, None, np.ones((2, 2)))
