"""Log determinants by stochastic Lanczos quadrature, of the preconditioned matrix."""

from __future__ import annotations

import numpy as np

from ntkfast.solvers._iteration import Doubles, Iteration, lanczos_matrix

__all__ = ["log_determinant"]

# Steps at most, and the residual at which further ones change nothing beside the random error.
_STEPS = 100
_ENOUGH = 1e-4
# A correction counts if it is larger than so many standard errors.
_CLEAR = 3


def log_determinant(system: Iteration, probes: int, seed: int) -> tuple[float, float]:
    """Estimate log det(op + ridge), and the standard error of the estimate.

    It is log det P plus the trace of log(P⁻¹·(op + ridge)). For z of covariance P, conjugate
    gradients from z give the quadrature of uᵀ·log(…)·u with u = P^(-1/2)·z.

    References
    ----------
    Ubaru, Chen, Saad (2017), SIAM J. Matrix Anal. Appl. 38, 1075. Gardner, Pleiss, Bindel,
    Weinberger, Wilson (2018), arXiv:1809.11165, section 4: with a preconditioner.
    """
    p = system.preconditioner
    n = system.op.shape[0]
    if n == 0:
        return 0.0, 0.0
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
    estimates = np.zeros(probes)
    for i, size in enumerate(first / p.shift):
        values, vectors = np.linalg.eigh(
            lanczos_matrix(np.array(alphas)[:, i], np.array(betas)[:, i])
        )
        estimates[i] = size * (vectors[0] ** 2 @ np.log(values / p.shift))
    error = float(estimates.std(ddof=1)) / probes**0.5
    found = float(estimates.mean())
    # Of a factor of all rows, only rounding is left, and its random estimate may be the larger.
    return p.log_determinant + (found if abs(found) > _CLEAR * error else 0.0), error
