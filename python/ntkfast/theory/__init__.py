"""Results of theorems about a kernel: rates of training, required widths, generalisation.

Each function gives its theorem, the assumptions and the reference. Bounds that hold up to a
constant are returned with the constant 1, and their docstrings say so.
"""

from ntkfast.theory.convergence import (
    condition_number,
    discrete_residual_norm,
    label_loss,
    label_loss_bound,
    label_projections,
    loss_bound,
    max_learning_rate,
)
from ntkfast.theory.edge_of_chaos import EdgeOfChaos, edge_of_chaos
from ntkfast.theory.generalization import generalization_measure
from ntkfast.theory.mean_field import MeanField, mean_field
from ntkfast.theory.width import arora_width, du_learning_rate, du_rate, du_width

__all__ = [
    "EdgeOfChaos",
    "MeanField",
    "arora_width",
    "condition_number",
    "discrete_residual_norm",
    "du_learning_rate",
    "du_rate",
    "du_width",
    "edge_of_chaos",
    "generalization_measure",
    "label_loss",
    "label_loss_bound",
    "label_projections",
    "loss_bound",
    "max_learning_rate",
    "mean_field",
]
