"""Principal component pursuit as it stands in the books: slow, one screen, judged by eye."""

import numpy as np


def naive_pursuit(X, lam, mu=0.5, steps=4000):
    """Alternating directions at a fixed mu, with full singular value decompositions; NaN = missing."""
    hole = np.isnan(X)
    X = np.where(hole, 0.0, X)
    S, Y = np.zeros_like(X), np.zeros_like(X)
    for _ in range(steps):
        U, s, Vt = np.linalg.svd(X - S + Y / mu, full_matrices=False)
        L = U @ np.diag(np.maximum(s - 1 / mu, 0)) @ Vt
        T = X - L + Y / mu
        S = np.sign(T) * np.maximum(np.abs(T) - lam / mu, 0)
        S[hole] = T[hole]
        Y = Y + mu * (X - L - S)
    return L, np.where(hole, 0.0, S)


def objective(X, L, lam):
    """||L||_* + lam ||X - L||_1 over the observed cells."""
    return np.linalg.svd(L, compute_uv=False).sum() + lam * np.nansum(np.abs(X - L))
