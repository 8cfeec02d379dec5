"""Kernels as functions of PyTorch tensors."""

import numpy as np
import pytest

import ntkfast as nk

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(4)
X, Z = (torch.tensor(RNG.standard_normal(shape)) for shape in ((6, 4), (5, 4)))
SMOOTH, KINKED = nk.mlp(2, nk.Gelu(), b_std=0.1), nk.mlp(3, b_std=0.2)


@pytest.mark.parametrize("network", [SMOOTH, KINKED, nk.mlp(1, nk.Tanh())], ids=repr)
@pytest.mark.parametrize("name", ["ntk", "nngp"])
def test_values_and_gradients(network, name):
    f = nk.torch.kernel(network, kernel=name)
    value, vjp = getattr(network, name), getattr(network, f"{name}_vjp")
    np.testing.assert_array_equal(f(X, Z), value(X.numpy(), Z.numpy()))
    np.testing.assert_array_equal(f(X), value(X.numpy()))
    x, z = X.clone().requires_grad_(), Z.clone().requires_grad_()
    weights = RNG.standard_normal((6, 5))
    (torch.tensor(weights) * f(x, z)).sum().backward()
    for one, other in zip((x.grad, z.grad), vjp(X.numpy(), Z.numpy(), weights), strict=True):
        np.testing.assert_array_equal(one, other)
    assert torch.autograd.gradcheck(f, (x, z))
    assert torch.autograd.gradcheck(lambda x: torch.sin(f(x)), (x,))
    assert torch.autograd.gradcheck(lambda x: f(x, Z), (x,))


def test_functional_transforms():
    f = nk.torch.kernel(SMOOTH)

    def loss(x):
        return (f(x, Z) ** 2).sum()

    gradient = torch.func.grad(loss)(X)
    x = X.clone().requires_grad_()
    loss(x).backward()
    np.testing.assert_array_equal(gradient, x.grad)
    both = torch.vmap(f, (0, None))(torch.stack([X, 2 * X]), Z)
    np.testing.assert_array_equal(both[1], f(2 * X, Z))
    each = torch.vmap(torch.func.grad(loss))(torch.stack([X, 2 * X]))
    np.testing.assert_allclose(each[0], gradient, rtol=1e-12)


def test_types():
    f = nk.torch.kernel(KINKED)
    assert f(X.float()).dtype == torch.float32
    assert f(X.float(), Z).dtype == torch.float64
    x = X.float().requires_grad_()
    f(x).sum().backward()
    assert x.grad.dtype == torch.float32
    assert f(torch.arange(6).reshape(3, 2)).dtype == torch.float64
    for half in (torch.float16, torch.bfloat16):
        x = X.to(half).requires_grad_()
        kernel = f(x, Z.to(half))
        kernel.sum().backward()
        assert kernel.dtype == x.grad.dtype == half
        assert torch.equal(f(x), torch.as_tensor(KINKED.ntk(x.detach().float().numpy())).to(half))


def test_equal_points_are_other_samples():
    network = nk.Serial(nk.Dense(), nk.Relu(), nk.Dropout(keep=0.5), nk.Dense())
    f = nk.torch.kernel(network)
    np.testing.assert_array_equal(f(X, X), network.ntk(X.numpy(), X.numpy().copy()))


def test_gradients_by_images():
    network = nk.Serial(nk.Conv((3, 3), b_std=0.1), nk.Gelu(), nk.GlobalAvgPool(), nk.Dense())
    f = nk.torch.kernel(network)
    x, z = (torch.randn(n, 4, 5, 2, dtype=torch.float64, requires_grad=True) for n in (3, 2))
    assert torch.autograd.gradcheck(f, (x, z))
    assert torch.autograd.gradcheck(f, (x,))


def test_refusals():
    f = nk.torch.kernel(SMOOTH)
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="second derivatives"):
        gradient.sum().backward()
    with pytest.raises(ValueError, match="x has shape"):
        f(X[0])
    with pytest.raises(TypeError, match="network is"):
        nk.torch.kernel(X)
