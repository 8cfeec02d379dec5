"""Kernels as differentiable functions of PyTorch tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ntkfast._optional import MissingExtraError
from ntkfast._scalars import as_choice
from ntkfast.kernels import KernelName, as_others
from ntkfast.networks import Network
from ntkfast.networks.composition import as_first

__all__ = ["kernel"]

try:
    import torch
except ImportError as error:
    raise MissingExtraError("ntkfast.torch", "torch", "torch") from error


def kernel(network: Network, *, kernel: KernelName = "ntk") -> Callable[..., Any]:
    """Return a kernel as a function of PyTorch tensors.

    Parameters
    ----------
    network
        The network.
    kernel
        ``"ntk"`` or ``"nngp"``.

    Returns
    -------
    callable
        f(x, x2=None), with n samples in x and m in x2, rows or images as for `Network.ntk`: the
        kernel, shape (n, m), in the type and on the device of x. Its gradient is that of autograd,
        also of `torch.func.grad`; `torch.vmap` calls it once for each entry of the batch.

    Raises
    ------
    ImportError
        PyTorch is not installed; install the extra ``torch``.
    NotImplementedError
        Where f is differentiated twice (``create_graph=True``), which is not provided.

    Notes
    -----
    The function calls `Network.ntk` or `Network.nngp` on the CPU, and for a gradient
    `Network.ntk_vjp`.
    """
    as_choice(kernel, "kernel", ("ntk", "nngp"))
    own = _function(as_first(network), kernel)

    def function(x: Any, x2: Any = None) -> Any:
        points = _as_points(x)
        if x2 is None:
            return own.apply(points, None)
        others = _as_points(x2)
        dtype = torch.promote_types(points.dtype, others.dtype)
        return own.apply(points.to(dtype), others.to(points.device, dtype))

    function.__name__ = f"{kernel}_of_network"
    function.__doc__ = f"Compute the {kernel.upper()} of {network!r}."
    return function


def _function(network: Network, name: KernelName) -> Any:
    value, vjp = getattr(network, name), getattr(network, f"{name}_vjp")

    class Kernel(torch.autograd.Function):
        @staticmethod
        def forward(x: Any, x2: Any) -> Any:
            found = value(_array(x)) if x2 is None else value(*_others(x, x2))
            return _like(found, x)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, Any], output: Any) -> None:
            x, x2 = inputs
            ctx.alone = x2 is None
            ctx.save_for_backward(x, *(() if x2 is None else (x2,)))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, *others = ctx.saved_tensors
            found = Gradient.apply(g, x, *(others or (None,)))
            return (found, None) if ctx.alone else found

        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Any, x2: Any) -> Any:
            return _each(Kernel, info, in_dims, (x, x2)), 0

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(g: Any, x: Any, x2: Any) -> Any:
            if x2 is None:
                return _like(vjp(_array(x), None, _array(g)), x)
            found = vjp(*_others(x, x2), _array(g))
            return tuple(_like(part, like) for part, like in zip(found, (x, x2), strict=True))

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            pass

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            raise NotImplementedError(
                "kernels of ntkfast are differentiated once; second derivatives are not provided"
            )

        @staticmethod
        def vmap(info: Any, in_dims: Any, g: Any, x: Any, x2: Any) -> Any:
            found = _each(Gradient, info, in_dims, (g, x, x2))
            return found, 0 if x2 is None else (0, 0)

    return Kernel


def _each(function: Any, info: Any, in_dims: Any, arguments: tuple[Any, ...]) -> Any:
    """Call a function once for each entry of a batch."""

    def entry(i: int) -> Any:
        return function.apply(
            *(
                part if dim is None else part.select(dim, i)
                for part, dim in zip(arguments, in_dims, strict=True)
            )
        )

    found = [entry(i) for i in range(info.batch_size)]
    if isinstance(found[0], tuple):
        return tuple(torch.stack(parts) for parts in zip(*found, strict=True))
    return torch.stack(found)


def _as_points(x: Any) -> Any:
    points = torch.as_tensor(x)
    return points if points.is_floating_point() else points.to(torch.float64)


def _array(x: Any) -> Any:
    """Return a tensor as an array; NumPy has no bfloat16."""
    tensor = x.detach().cpu()
    tensor = tensor.to(torch.promote_types(tensor.dtype, torch.float32))
    return np.ascontiguousarray(tensor.numpy())


def _others(x: Any, x2: Any) -> tuple[Any, Any]:
    """Return two sets of samples as arrays."""
    points, others = _array(x), _array(x2)
    return as_others(points, others), others


def _like(found: Any, x: Any) -> Any:
    return torch.as_tensor(found, dtype=x.dtype, device=x.device)
