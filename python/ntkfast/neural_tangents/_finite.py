"""Networks of finite width, in JAX: `init_fn` and `apply_fn`.

Parameters of several layers are tuples of the parameters of each, as JAX's own stax has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ntkfast._optional import MissingExtraError
from ntkfast.neural_tangents._spec import FanIn, FanOut, Leaf, Node, Parallel

__all__ = ["apply_fn", "init_fn", "jax_modules", "shape_of"]


def jax_modules() -> tuple[Any, Any]:
    """Return jax and jax.numpy, which finite networks are written in."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError as error:
        raise MissingExtraError("finite networks of neural_tangents", "jax", "jax") from error
    return jax, jnp


def init_fn(nodes: Sequence[Node]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return a function of a key and the shape of inputs: the shape of outputs, and parameters."""
    one = _alone(nodes)

    def init(rng: Any, input_shape: Any) -> tuple[Any, Any]:
        """Draw parameters: (key, shape of inputs) → (shape of outputs, parameters)."""
        if one is not None:
            return one.finite.shape(input_shape), one.finite.init(rng, input_shape)
        jax, _ = jax_modules()
        shape, parameters = input_shape, []
        for node in nodes:
            rng, own = jax.random.split(rng)
            if isinstance(node, Parallel):
                keys = jax.random.split(own, len(node.branches))
                triples = zip(node.branches, keys, shape, strict=True)
                found = [init_fn(branch)(key, each) for branch, key, each in triples]
                shape, drawn = [each for each, _ in found], tuple(each for _, each in found)
            else:
                drawn = node.finite.init(own, shape) if isinstance(node, Leaf) else ()
                shape = shape_of(node, shape)
            parameters.append(drawn)
        return shape, tuple(parameters)

    return init


def apply_fn(nodes: Sequence[Node]) -> Callable[..., Any]:
    """Return a function of parameters and inputs: the outputs."""
    one = _alone(nodes)

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        """Compute outputs: (parameters, inputs, rng=None) → outputs."""
        _, jnp = jax_modules()
        if one is not None:
            return one.finite.apply(params, jnp.asarray(inputs), **kwargs)
        key, outputs = kwargs.pop("rng", None), inputs
        for node, own in zip(nodes, params, strict=True):
            key, rng = _split(key)
            if isinstance(node, FanOut):
                outputs = [outputs] * node.count
            elif isinstance(node, Parallel):
                triples = zip(node.branches, own, outputs, strict=True)
                keys = [_split(rng)[1] for _ in node.branches] if rng is None else _keys(rng, node)
                outputs = [
                    apply_fn(branch)(each, value, rng=key, **kwargs)
                    for (branch, each, value), key in zip(triples, keys, strict=True)
                ]
            elif isinstance(node, FanIn):
                outputs = _joined(node, outputs, jnp)
            else:
                outputs = node.finite.apply(own, jnp.asarray(outputs), rng=rng, **kwargs)
        return outputs

    return apply


def shape_of(node: Node, shape: Any) -> Any:
    """Return the shape behind a node."""
    if isinstance(node, Leaf):
        return node.finite.shape(shape)
    if isinstance(node, FanOut):
        return [shape] * node.count
    if isinstance(node, Parallel):
        found = []
        for branch, each in zip(node.branches, shape, strict=True):
            for inside in branch:
                each = shape_of(inside, each)  # noqa: PLW2901
            found.append(each)
        return found
    if node.name == "FanInConcat":
        return (*shape[0][:-1], sum(each[-1] for each in shape))
    return shape[0]


def _alone(nodes: Sequence[Node]) -> Leaf | None:
    """Return the only layer of a network, whose parameters are not in a tuple of one."""
    if len(nodes) == 1 and isinstance(nodes[0], Leaf):
        return nodes[0]
    return None


def _joined(node: FanIn, values: Sequence[Any], jnp: Any) -> Any:
    if node.name == "FanInConcat":
        return jnp.concatenate(values, axis=-1)
    total = values[0]
    for value in values[1:]:
        total = total + value if node.name == "FanInSum" else total * value
    return total


def _split(key: Any) -> tuple[Any, Any]:
    if key is None:
        return None, None
    jax, _ = jax_modules()
    first, second = jax.random.split(key)
    return first, second


def _keys(key: Any, node: Parallel) -> Any:
    jax, _ = jax_modules()
    return jax.random.split(key, len(node.branches))
