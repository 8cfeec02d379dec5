"""Matrices that need not exist: products, rows and diagonals of kernels of any size."""

from ntkfast.operators._coarse import CoarseOperator
from ntkfast.operators._estimate import ProductEstimate
from ntkfast.operators.distributed import DistributedKernelOperator
from ntkfast.operators.kernel import KernelOperator
from ntkfast.operators.matrix import MatrixOperator, as_operator
from ntkfast.operators.operator import Operator
from ntkfast.operators.pivoted import PivotedCholesky, pivoted_cholesky

__all__ = [
    "CoarseOperator",
    "DistributedKernelOperator",
    "KernelOperator",
    "MatrixOperator",
    "Operator",
    "PivotedCholesky",
    "ProductEstimate",
    "as_operator",
    "pivoted_cholesky",
]
