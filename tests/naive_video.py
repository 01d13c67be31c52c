"""GoDec, OR-PCA, the half-sample mode and the measures of pixels as they are written, by loops."""

import numpy as np


def soft(r, threshold):
    return 0.0 if abs(r) <= threshold else r - threshold * np.sign(r)


def soft_cells(R, threshold):
    return np.array([[soft(r, threshold) for r in row] for row in R])


def naive_godec(X, rank, threshold, steps):
    """L the rank-K part of X - S by a whole decomposition, S cell by cell."""
    S = np.zeros_like(X)
    for _ in range(steps):
        U, s, Vt = np.linalg.svd(X - S, full_matrices=False)
        L = U[:, :rank] * s[:rank] @ Vt[:rank]
        S = soft_cells(X - L, threshold)
    return L, S


def naive_orpca(X, V, lam1, lam2, steps):
    """The basis after one pass over the rows: the paper's algorithms 1 and 2, basis vectors in columns."""
    L = V.T.copy()
    r = L.shape[1]
    A, B = np.zeros((r, r)), np.zeros_like(L)
    for x in X:
        e = np.zeros_like(x)
        for _ in range(steps):
            z = np.linalg.solve(L.T @ L + lam1 * np.eye(r), L.T @ (x - e))
            e = np.array([soft(value, lam2) for value in x - L @ z])
        A += np.outer(z, z)
        B += np.outer(x - e, z)
        full = A + lam1 * np.eye(r)
        for j in range(r):
            L[:, j] = (B[:, j] - L @ full[:, j]) / full[j, j] + L[:, j]
    return L.T


def naive_half_sample_mode(values):
    """Of one pixel: the middle of the shortest halves, again and again."""
    values = sorted(map(float, values))
    while len(values) > 2:
        half = (len(values) + 1) // 2
        widths = [values[i + half - 1] - values[i] for i in range(len(values) - half + 1)]
        least = [i for i, width in enumerate(widths) if width == min(widths)]
        middle = (least[0] + least[-1]) // 2
        i = middle if middle in least else least[-1]
        values = values[i : i + half]
    return sum(values) / len(values)
