"""The theory in eleven figures, each with the numbers it shows.

A figure is a module: ``compute()`` returns the numbers in a frozen object, and ``draw(result)``
a Matplotlib figure, to be saved by ``.savefig(path)``. ``ntkfast figures DIR`` makes all of them.
"""

from types import ModuleType

from ntkfast.plots.figures import (
    gaussian_at_initialization,
    gaussian_process,
    kernel_map,
    labels,
    linear_parameters,
    parameter_motion,
    trainability,
    training_dynamics,
)

__all__ = ["FIGURES"]

FIGURES: dict[str, ModuleType] = {
    "a": training_dynamics,
    "b": labels,
    "c": parameter_motion,
    "d": linear_parameters,
    "f": kernel_map,
    "g": gaussian_process,
    "i": gaussian_at_initialization,
    "k": trainability,
}
