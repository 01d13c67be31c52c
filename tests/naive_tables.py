"""Plain second implementations of what tables are fitted by: loops, refits and whole matrices."""

import numpy as np


def scatter(Z, weight, shrinkage, floor, ridge):
    """Location and S = (1 - a) C + a diag(max(C_jj, floor)) + ridge."""
    m = np.average(Z, axis=0, weights=weight)
    C = np.cov(Z.T, aweights=weight, ddof=0).reshape(Z.shape[1], -1)
    return m, (1 - shrinkage) * C + np.diag(shrinkage * np.maximum(np.diag(C), floor) + ridge)


def regressed(S, m, z, there):
    """Residual of each cell that is there about its regression on the others that are there."""
    out = np.zeros(len(z))
    cells = np.flatnonzero(there)
    for j in cells:
        others = cells[cells != j]
        expected = m[j]
        if len(others):
            expected += S[j, others] @ np.linalg.solve(S[np.ix_(others, others)], (z - m)[others])
        out[j] = z[j] - expected
    return out


def left_out(Z, row, shrinkage, target):
    """Residuals of a row by the other rows, the diagonal scaled as the covariance is."""
    others = np.delete(Z, row, axis=0)
    n = len(Z)
    B = others - others.mean(0)
    S = (1 - shrinkage) * B.T @ B / (n - 1) + np.diag(target) * n / (n - 1)
    return regressed(S, others.mean(0), Z[row], np.ones(Z.shape[1], bool))
