"""Ways to solve linear systems of Gram matrices, one a file, behind one protocol.

`KernelRegression`, `Posterior`, `Ensemble`, `GradientFlow` and the estimators know a `Solver`, and
the `Prepared` system that it makes, by what `protocol` says of them, and by nothing else.
"""

from ntkfast.solvers.cholesky import CholeskySolver, PreparedCholesky
from ntkfast.solvers.eigen import EigenSolver, PreparedEigen
from ntkfast.solvers.protocol import Prepared, Solver
from ntkfast.solvers.refined import PreparedRefined, RefinedSolver

__all__ = [
    "CholeskySolver",
    "EigenSolver",
    "Prepared",
    "PreparedCholesky",
    "PreparedEigen",
    "PreparedRefined",
    "RefinedSolver",
    "Solver",
]
