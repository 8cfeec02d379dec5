"""Networks of finite width, whose infinite-width limits are the analytic kernels."""

from ntkfast.finite.initial import init
from ntkfast.finite.linearized import LinearizedNetwork, LinearizedTraining
from ntkfast.finite.monte_carlo import MonteCarloKernels, monte_carlo_kernels
from ntkfast.finite.network import FiniteNetwork
from ntkfast.finite.power_law import Scaling
from ntkfast.finite.studies import DriftStudy, WidthStudy, drift_study, width_study
from ntkfast.finite.training import train
from ntkfast.finite.trajectory import FiniteTrajectory

__all__ = [
    "DriftStudy",
    "FiniteNetwork",
    "FiniteTrajectory",
    "LinearizedNetwork",
    "LinearizedTraining",
    "MonteCarloKernels",
    "Scaling",
    "WidthStudy",
    "drift_study",
    "init",
    "monte_carlo_kernels",
    "train",
    "width_study",
]
