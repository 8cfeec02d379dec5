"""Solvers for linear systems of Gram matrices, one per file, with a common protocol.

`KernelRegression`, `Posterior`, `Ensemble`, `GradientFlow` and the estimators use a `Solver` and
its `Prepared` system only through the interface in `protocol`.
"""

from ntkfast.solvers._products import PreparedByProducts
from ntkfast.solvers.cholesky import CholeskySolver, PreparedCholesky
from ntkfast.solvers.conjugate_gradients import (
    ConjugateGradients,
    PreparedConjugateGradients,
    SolveReport,
)
from ntkfast.solvers.eigen import EigenSolver, PreparedEigen
from ntkfast.solvers.protocol import Prepared, Solver
from ntkfast.solvers.refined import PreparedRefined, RefinedSolver
from ntkfast.solvers.single import PreparedSingleCholesky, SingleCholeskySolver

__all__ = [
    "CholeskySolver",
    "ConjugateGradients",
    "EigenSolver",
    "Prepared",
    "PreparedByProducts",
    "PreparedCholesky",
    "PreparedConjugateGradients",
    "PreparedEigen",
    "PreparedRefined",
    "PreparedSingleCholesky",
    "RefinedSolver",
    "SingleCholeskySolver",
    "SolveReport",
    "Solver",
]
