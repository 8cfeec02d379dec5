"""Every figure with few enough numbers that computing and drawing it is fast."""

from collections.abc import Callable

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

RESULTS: dict[str, Callable[[], object]] = {
    "a": lambda: training_dynamics.compute(50, n=9),
    "b": lambda: labels.compute(n=30),
    "c": lambda: parameter_motion.compute(50),
    "d": lambda: linear_parameters.compute((10, 400), n_seeds=2, n=9),
    "e": lambda: three_models.compute((1, 3), widths=(5, 9), n=9),
    "f": lambda: kernel_map.compute(n=9),
    "g": lambda: gaussian_process.compute(n=9),
    "h": lambda: lazy_training.compute((5, 9, 12, 20), n=4, steps=30),
    "i": lambda: gaussian_at_initialization.compute((2, 5), n_draws=20, n=9),
    "j": lambda: kernel_convergence.compute(widths=(4, 8), n_seeds=2, n=3),
    "k": lambda: trainability.compute((0.9, 1.3), depth=4, stride=3, n_train=9),
    "l": lambda: convolutional.compute((10, 20), n_test=15),
}
