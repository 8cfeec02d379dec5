"""Networks on images in other parts of the package: training, files, the command line, a figure."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

import ntkfast as nk
from images import random_images
from ntkfast.cli import main
from ntkfast.plots.figures import convolutional

NET = nk.cntk(2, b_std=0.1)
X, X_TEST = random_images(6, 4, 3, 2), random_images(3, 4, 3, 2, seed=1)
Y = np.random.default_rng(0).standard_normal((6, 2))


def test_posterior() -> None:
    of_images = nk.Posterior(NET, X, Y, noise_variance=0.1).predict(X_TEST, covariance="full")
    of_kernels = nk.Posterior.from_kernels(NET.nngp(X), Y, noise_variance=0.1)
    expected = of_kernels.predict_kernels(NET.nngp(X_TEST, X), NET.nngp(X_TEST), covariance="full")
    np.testing.assert_allclose(of_images.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(of_images.covariance, expected.covariance, rtol=1e-12, atol=1e-14)


def test_ensemble() -> None:
    ensemble = nk.Ensemble(NET, X, Y)
    cross = NET.ntk(X_TEST, X)
    expected = nk.KernelRegression(NET.ntk(X), Y).predict(cross)
    np.testing.assert_allclose(ensemble.predict(X_TEST, t=np.inf).mean, expected, rtol=1e-8)
    with pytest.raises(ValueError, match=r"x_test has shape \(3, 4, 3\); expected \(m, 4, 3, 2\)"):
        ensemble.predict(X_TEST[..., 0])


def test_files(tmp_path: Path) -> None:
    posterior = nk.Posterior(NET, X, Y)
    nk.save(tmp_path / "posterior.npz", posterior)
    loaded = nk.load(tmp_path / "posterior.npz")
    assert loaded.network == NET
    np.testing.assert_array_equal(loaded.x, X)
    np.testing.assert_array_equal(loaded.predict(X_TEST).mean, posterior.predict(X_TEST).mean)


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", X_TEST)
    Path("net.json").write_text(
        '{"type": "Serial", "layers": [{"type": "Conv", "filter": [3, 3]}, {"type": "Relu"}, '
        '{"type": "AvgPool", "window": [2, 1], "strides": [1, 1]}, {"type": "Flatten"}]}'
    )
    net = nk.Serial(nk.Conv((3, 3)), nk.Relu(), nk.AvgPool((2, 1), (1, 1)), nk.Flatten())
    assert main(["gram", "x.npy", "k.npy", "--network", "net.json"]) == 0
    np.testing.assert_array_equal(np.load("k.npy"), net.ntk(X))
    assert main(["gram", "x.npy", "c.npy", "--network", "net.json", "--x2", "y.npy"]) == 0
    np.testing.assert_array_equal(np.load("c.npy"), net.ntk(X, X_TEST))
    assert main(["gram", "x.npy", "d.npy", "--network", "net.json", "--diagonal"]) == 0
    np.testing.assert_array_equal(np.load("d.npy"), net.ntk(X, diagonal=True))


@pytest.fixture(scope="module")
def digits() -> convolutional.ImageKernels:
    return convolutional.compute()


def test_convolutions_beat_fully_connected_networks_on_digits(
    digits: convolutional.ImageKernels,
) -> None:
    connected, flattened, pooled = digits.accuracy
    assert (pooled > connected).all()
    assert (pooled > flattened).all()
    assert (pooled[:, -1] > 0.98).all()


def test_the_sentences_about_the_figure_are_true(digits: convolutional.ImageKernels) -> None:
    connected, flattened, pooled = np.rint((1 - digits.accuracy) * digits.n_test)
    # "With 200 training images, it makes 12 to 14 errors instead of 21 or 22 …"
    assert digits.n_train[-2:].tolist() == [200, 500]
    assert set(pooled[:, -2]) == {12, 14}
    assert set(np.ravel([connected[:, -2], flattened[:, -2]])) == {21, 22}
    # "… with 500, 5 instead of 9 or 10, …"
    assert set(pooled[:, -1]) == {5}
    assert set(np.ravel([connected[:, -1], flattened[:, -1]])) == {9, 10}
    # "… and the 95% intervals overlap"; "convolutions alone do not help": within the intervals.
    (low, high) = digits.interval
    assert (low[2, :, -1] < high[:2, :, -1]).all()
    assert ((low[0] < digits.accuracy[1]) & (digits.accuracy[1] < high[0])).all()


def test_accuracy_is_that_of_ridge_regression(digits: convolutional.ImageKernels) -> None:
    pixels, labels = nk.data.load_digits()
    order = np.random.default_rng(0).permutation(len(labels))[:1000]
    x = pixels[order] / np.linalg.norm(pixels[order], axis=1, keepdims=True)
    gram = nk.mlp(3, w_std=2**0.5).nngp(x, x[:500])
    one_hot = np.eye(10)[labels[order[:500]]] - 0.1
    ridge = KernelRidge(alpha=1e-4 * gram.diagonal().mean(), kernel="precomputed")
    told = ridge.fit(gram[:500], one_hot).predict(gram[500:]).argmax(axis=1)
    assert digits.accuracy[0, 0, -1] == np.mean(told == labels[order[500:]])
    assert digits.n_test == 500
