"""Plain second versions of what reads and sums up rows in batches."""

import numpy as np


def rank_error(x, q, values):
    """How far shares q lie from the ranks that `values` have among the observed x, as shares; the worst."""
    x = np.sort(x[~np.isnan(x)])
    below = np.searchsorted(x, values, side="left") / len(x)
    upto = np.searchsorted(x, values, side="right") / len(x)
    return float(np.max(np.maximum(np.maximum(below - q, q - upto), 0)))


def error_bound(n, size):
    """The sketch's promise for n rows, and the half step that lies between two items."""
    halvings = max(0.0, np.log2(max(n, 1) / (2 * size)))
    return 3 * (1 + np.ceil(halvings)) / (4 * size)


def numbers(path):
    """Read a file with pandas or NumPy: all rows as float64."""
    import pandas as pd

    if path.suffix == ".npy":
        return np.load(path).reshape(len(np.load(path)), -1).astype(float)
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    return frame.to_numpy(dtype=float)
