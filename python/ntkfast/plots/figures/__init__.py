"""The theory in twelve figures, each with the numbers that it shows.

A figure is a module. ``compute()`` returns the numbers in a frozen object; its arguments change the
network, the data and the times. ``draw(result)`` returns a Matplotlib figure, which
``.savefig(path)`` saves, in your style or on your axes. ``ntkfast figures DIR`` draws all.
"""

from types import ModuleType

from ntkfast.plots.figures import (
    convolutional,
    gaussian_at_initialization,
    gaussian_process,
    kernel_convergence,
    kernel_map,
    labels,
    lazy_training,
    linear_parameters,
    parameter_motion,
    three_models,
    trainability,
    training_dynamics,
)

__all__ = ["FIGURES"]

FIGURES: dict[str, ModuleType] = {
    "a": training_dynamics,
    "b": labels,
    "c": parameter_motion,
    "d": linear_parameters,
    "e": three_models,
    "f": kernel_map,
    "g": gaussian_process,
    "h": lazy_training,
    "i": gaussian_at_initialization,
    "j": kernel_convergence,
    "k": trainability,
    "l": convolutional,
}
