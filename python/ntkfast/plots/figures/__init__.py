"""The theory in eleven figures, each with the numbers it shows.

A figure is a module: ``compute()`` returns the numbers in a frozen object, and ``draw(result)``
a Matplotlib figure, to be saved by ``.savefig(path)``. ``ntkfast figures DIR`` makes all of them.
"""

from types import ModuleType

from ntkfast.plots.figures import gaussian_process, kernel_map, labels, trainability

__all__ = ["FIGURES"]

FIGURES: dict[str, ModuleType] = {
    "b": labels,
    "f": kernel_map,
    "g": gaussian_process,
    "k": trainability,
}
