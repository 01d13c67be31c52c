"""The compared methods as their papers write them, by loops: slow, one screen, judged by eye."""

import numpy as np


def naive_drmf(X, L, rank, e, steps, rows=False):
    """Direct robust matrix factorisation: S the e largest cells of X - L, then L the rank-K part of X - S.

    By rows, the e farthest rows are left out of the decomposition, and L is the projection of all.
    """
    S = np.zeros_like(X)
    for _ in range(steps):
        S = (drop_rows if rows else drop_cells)(X - L, e)
        kept = X * (S == 0).all(axis=1, keepdims=True) if rows else X - S
        U, s, Vt = np.linalg.svd(kept, full_matrices=False)
        L = X @ Vt[:rank].T @ Vt[:rank] if rows else U[:, :rank] @ np.diag(s[:rank]) @ Vt[:rank]
    return L, (drop_rows if rows else drop_cells)(X - L, e)


def drop_cells(R, e):
    """R in its e largest cells, else 0."""
    S = np.zeros_like(R)
    for _, i, j in sorted((abs(R[i, j]), i, j) for i in range(len(R)) for j in range(R.shape[1]))[-e:]:
        S[i, j] = R[i, j]
    return S


def drop_rows(R, e):
    """R in its e longest rows, else 0."""
    S = np.zeros_like(R)
    for _, i in sorted((sum(r * r for r in R[i]), i) for i in range(len(R)))[-e:]:
        S[i] = R[i]
    return S


def naive_kernel_norm(Z, sigma, eps):
    """Sum of sqrt(eigenvalue + eps) of the Gaussian kernel matrix of the rows of Z."""
    K = [[np.exp(-((a - b) ** 2).sum() / (2 * sigma**2)) for b in Z] for a in Z]
    return np.sqrt(np.maximum(np.linalg.eigvalsh(np.array(K)), 0) + eps).sum()


def naive_knn(train, row, k, but=None):
    """Mean distance of a row to its k nearest training rows, without row number `but`."""
    distances = [np.sqrt(((row - other) ** 2).sum()) for i, other in enumerate(train) if i != but]
    return sum(sorted(distances)[:k]) / k
