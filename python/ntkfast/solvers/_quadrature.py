"""Log determinants by stochastic Lanczos quadrature, of the preconditioned matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ntkfast.solvers._draws import signs
from ntkfast.solvers._iteration import Doubles, Iteration, Sampling, lanczos_matrix

__all__ = ["LogDeterminant", "log_determinant"]

# Steps at most, and the residual at which further ones change nothing beside the random error.
_STEPS = 300
_ENOUGH = 1e-4
# A correction counts if it is larger than so many standard errors.
_CLEAR = 3


@dataclass(frozen=True)
class LogDeterminant:
    """An estimate of log det(op + ridge), its standard error, and what rounding may add.

    Independent errors of size δ in the entries of op change the logarithm by about
    ½·(δ·tr (op + ridge)⁻¹)².
    """

    value: float
    error: float
    rounding: float


def log_determinant(system: Iteration, p: Sampling, probes: int, seed: int) -> LogDeterminant:
    """Estimate log det(op + ridge), with P the preconditioner of the system.

    It is log det P plus the trace of log(P⁻¹·(op + ridge)). For z of covariance P, conjugate
    gradients from z give the quadrature of uᵀ·log(…)·u with u = P^(-1/2)·z.

    References
    ----------
    Ubaru, Chen, Saad (2017), SIAM J. Matrix Anal. Appl. 38, 1075. Gardner, Pleiss, Bindel,
    Weinberger, Wilson (2018), arXiv:1809.11165, section 4: with a preconditioner.
    """
    n = system.op.shape[0]
    if n == 0:
        return LogDeterminant(0.0, 0.0, 0.0)
    source = np.random.default_rng([seed, 1])
    state = system.begin(p.sample(source, probes), np.zeros(probes))
    first = state.rz.copy()
    alphas: list[Doubles] = []
    betas: list[Doubles] = []
    while len(alphas) < _STEPS and (state.rz > _ENOUGH**2 * first).any():
        if not system.step(state):
            break
        alphas.append(state.alpha.copy())
        betas.append(state.beta.copy())
    if not alphas:  # singular, in the type of op
        return LogDeterminant(-math.inf, 0.0, math.inf)
    ended = not (state.rz > _ENOUGH**2 * first).any()
    estimates, inverses, halves = np.zeros((3, probes))
    for i, size in enumerate(first / p.shift):
        matrix = lanczos_matrix(np.array(alphas)[:, i], np.array(betas)[:, i]) / p.shift
        values, weights = _nodes(matrix)
        estimates[i] = size * (weights @ np.log(values))
        inverses[i] = size * (weights @ (1 / values))
        if not ended and (half := len(matrix) // 2):
            values, weights = _nodes(matrix[:half, :half])
            halves[i] = size * (weights @ np.log(values))
    found = float(estimates.mean())
    error = float(estimates.std(ddof=1)) / probes**0.5
    if not ended:  # Further steps change less than the last half of them.
        error = math.hypot(error, found - float(halves.mean()))
    # Of a factor of all rows, only rounding is left, and its random estimate may be the larger.
    if p.rank == n and abs(found) <= _CLEAR * error:
        found, error = 0.0, math.hypot(error, found)
    # tr A⁻¹ as tr P⁻¹ times the mean of the inverse of P⁻¹·A.
    v = signs(source, n, probes)
    inverse = float(np.einsum("ij,ij->", v, p.solve(v))) / (probes * p.shift) * inverses.mean() / n
    entry = float(np.finfo(system.op.dtype).eps * system.op.diagonal().mean(dtype=np.float64))
    rounding = 0.5 * (entry * inverse) ** 2
    return LogDeterminant(p.log_determinant + found, error, rounding)


def _nodes(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """Return the nodes and weights of the quadrature that belongs to a matrix of Lanczos."""
    values, vectors = np.linalg.eigh(matrix)
    # Rounding may turn the smallest values negative.
    least = np.finfo(np.float64).eps * values.max(initial=0.0)
    return np.maximum(values, least), vectors[0] ** 2
