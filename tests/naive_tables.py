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


def level_probabilities(S, m, z, part, there, zero, one):
    """Probabilities of the levels of a group from the other cells there: Gaussians of one scatter.

    The level k lies at c_k; given it the other cells o are normal about m_o + S_og S_gg^-1 (c_k - m_g) with
    covariance S_oo - S_og S_gg^-1 S_go.
    """
    o = [j for j in range(len(z)) if j not in part and there[j]]
    points = [np.full(len(part), zero)]
    for k in range(len(part)):
        points.append(np.where(np.arange(len(part)) == k, one, zero))
    shares = (m[part] - zero) / (one - zero)
    shares = np.append(1 - shares.sum(), shares)
    towards = S[np.ix_(o, part)] @ np.linalg.inv(S[np.ix_(part, part)])
    within = S[np.ix_(o, o)] - towards @ S[np.ix_(part, o)]
    logs = []
    for share, point in zip(shares, points, strict=True):
        off = z[o] - m[o] - towards @ (point - m[part])
        logs.append(np.log(share) - off @ np.linalg.solve(within, off) / 2 if o else np.log(share))
    p = np.exp(np.array(logs) - max(logs))
    return p / p.sum()


def distances(S, B):
    return np.array([b @ np.linalg.solve(S, b) for b in B])


def shares_near(Z, kept, share, nearly):
    """For every row the share of all rows in the radius within which nearly all kept have `share` of them.

    In the metric of the differences between a row that is kept and the mean of those nearest to it.
    """

    def squared(S, a, b):
        return (a - b) @ np.linalg.solve(S, a - b)

    def metric(rows):
        C, amount = np.cov(rows.T, ddof=0), Z.shape[1] / (Z.shape[1] + len(rows))
        return (1 - amount) * C + np.diag(amount * np.maximum(np.diag(C), 0.05) + 1e-6)

    inner = Z[kept]
    S, count = metric(inner), int(share * len(inner))
    differences = []
    for k, row in enumerate(inner):
        others = sorted((squared(S, row, other), j) for j, other in enumerate(inner) if j != k)
        differences.append(row - np.mean([inner[j] for _, j in others[:count]], axis=0))
    local = metric(np.array(differences))
    D = np.array(
        [[np.inf if i == j else squared(local, Z[i], Z[j]) for j in range(len(Z))] for i in range(len(Z))]
    )
    means = [np.mean(np.sort(D[k])[: int(share * len(Z))]) for k in np.flatnonzero(kept)]
    return np.mean(np.quantile(means, nearly) >= D, axis=1)
