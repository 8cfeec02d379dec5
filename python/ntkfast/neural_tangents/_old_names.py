"""Modules and names that old programs import, from where they are today."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["OldNames"]

_OURS = "ntkfast.neural_tangents"

# Old module → the module that has its names today.
_MODULES = {
    "neural_tangents": _OURS,
    "neural_tangents.stax": f"{_OURS}.stax",
    "neural_tangents.predict": f"{_OURS}.predict",
    "neural_tangents.api": _OURS,
    "neural_tangents.tangents": _OURS,
    "neural_tangents.utils": f"{_OURS}.utils",
    "neural_tangents.utils.batch": f"{_OURS}.utils.batch",
    "neural_tangents.utils.utils": f"{_OURS}.utils.utils",
    "neural_tangents.utils.empirical": _OURS,
    "neural_tangents.utils.monte_carlo": _OURS,
    "neural_tangents.utils.kernel": _OURS,
    "neural_tangents._src": _OURS,
    "neural_tangents._src.predict": f"{_OURS}.predict",
    "neural_tangents._src.utils": f"{_OURS}.utils",
    "neural_tangents._src.utils.utils": f"{_OURS}.utils.utils",
    "neural_tangents._src.utils.kernel": _OURS,
    "jax.api": "jax",
    "jax.experimental.optimizers": "jax.example_libraries.optimizers",
    "jax.experimental.stax": "jax.example_libraries.stax",
    "jax.tree_util_old": "jax.tree_util",
}


class _Config(ModuleType):
    """`jax.config` as the module that it was, in which everything is that of the object."""

    def __init__(self, config: Any) -> None:
        super().__init__("jax.config")
        self.config = config

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["config"], name)


class _Existing(Loader):
    """Loads a module that is there under another name."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        pass


class OldNames(MetaPathFinder):
    """Finds modules by their old names, and records which were asked for."""

    def __init__(self) -> None:
        self.replaced: dict[str, str] = {}

    def install(self) -> None:
        """Find modules from now on, and names of JAX that are gone."""
        sys.meta_path.insert(0, self)
        try:
            import jax
        except ImportError:
            return
        for name, make in _JAX.items():
            if not hasattr(jax, name):
                setattr(jax, name, make(jax))
                self.replaced[f"jax.{name}"] = f"jax.tree_util.{name.replace('multi', '')}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is today."""
        if fullname == "jax.config":
            import jax

            module: ModuleType = _Config(jax.config)
            self.replaced[fullname] = "the object jax.config"
        elif fullname in _MODULES:
            try:
                module = importlib.import_module(_MODULES[fullname])
            except ImportError:
                return None
            self.replaced[fullname] = _MODULES[fullname]
        else:
            return None
        alias = _Alias(fullname, module) if not isinstance(module, _Config) else module
        return ModuleSpec(fullname, _Existing(alias), is_package=True)


class _Alias(ModuleType):
    """A module by another name."""

    def __init__(self, name: str, module: ModuleType) -> None:
        super().__init__(name, module.__doc__)
        self.__path__: list[str] = []
        self.__dict__["_module"] = module
        self.__all__ = list(getattr(module, "__all__", [n for n in dir(module) if n[0] != "_"]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)


def _tree_multimap(jax: Any) -> Callable[..., Any]:
    return jax.tree_util.tree_map  # type: ignore[no-any-return]


_JAX: dict[str, Callable[[Any], Any]] = {
    "tree_map": _tree_multimap,
    "tree_multimap": _tree_multimap,
    "tree_leaves": lambda jax: jax.tree_util.tree_leaves,
    "tree_flatten": lambda jax: jax.tree_util.tree_flatten,
    "tree_unflatten": lambda jax: jax.tree_util.tree_unflatten,
}
