"""DetectDeviatingCells (Rousseeuw and Van den Bossche 2018, section 3) as it is written, by loops.

Nothing here imports the package. NaN is a missing cell.
"""

import math

import numpy as np
from scipy.stats import chi2
from sklearn.covariance import EmpiricalCovariance  # a mean and a covariance by another hand

Z = np.linspace(-10, 10, 200_001)
HUBER = np.trapezoid(np.minimum(Z**2, 2.5**2) * np.exp(-(Z**2) / 2) / math.sqrt(2 * math.pi), Z)


def known(values):
    return [v for v in values if not math.isnan(v)]


def location(values):
    """One step of the biweight, c = 3, from the median."""
    values = known(values)
    centre = np.median(values)
    mad = 1.482602218505602 * np.median([abs(v - centre) for v in values])
    weights = [max(0.0, 1 - ((v - centre) / (3 * mad)) ** 2) ** 2 for v in values]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def scale(values):
    """One step of Huber's scale about 0, b = 2.5; its constant by numerical integration."""
    values = known(values)
    start = 1.482602218505602 * np.median([abs(v) for v in values])
    return start * math.sqrt(np.mean([min((v / start) ** 2, 2.5**2) for v in values]) / HUBER)


def correlation(a, b, p):
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if not (math.isnan(x) or math.isnan(y))]
    start = (scale([x + y for x, y in pairs]) ** 2 - scale([x - y for x, y in pairs]) ** 2) / 4
    start = min(0.99, max(-0.99, start))
    inverse = np.linalg.inv([[1, start], [start, 1]])
    inside = [pair for pair in pairs if np.array(pair) @ inverse @ np.array(pair) <= chi2.ppf(p, 2)]
    C = EmpiricalCovariance().fit(np.array(inside)).covariance_
    return C[0, 1] / math.sqrt(C[0, 0] * C[1, 1])


def slope(y, x, cut):
    pairs = [(b, a) for b, a in zip(y, x, strict=True) if not (math.isnan(a) or math.isnan(b))]
    start = np.median([b / a for b, a in pairs if a != 0])
    limit = cut * scale([b - start * a for b, a in pairs])
    kept = [(b, a) for b, a in pairs if abs(b - start * a) <= limit]
    return sum(a * b for b, a in kept) / sum(a * a for b, a in kept)


def naive_ddc(X, p=0.99, limit=0.5):
    """Standardised residuals, and the expected cells in X's units."""
    n, d = X.shape
    cut = math.sqrt(chi2.ppf(p, 1))
    centres = [location(X[:, j]) for j in range(d)]
    scales = [scale(X[:, j] - centres[j]) for j in range(d)]
    Z = (X - centres) / scales
    U = Z.copy()
    for i, j in np.ndindex(n, d):
        if abs(Z[i, j]) > cut:
            U[i, j] = math.nan
    residual, expected = np.zeros((n, d)), np.zeros((n, d))
    for j in range(d):
        others = {h: correlation(U[:, j], U[:, h], p) for h in range(d) if h != j}
        helpers = {h: c for h, c in others.items() if abs(c) >= limit}
        slopes = {h: slope(U[:, j], U[:, h], cut) for h in helpers}
        guess = np.zeros(n)
        for i in range(n) if helpers else ():
            says = [(1.0, U[i, j]), *((abs(c), slopes[h] * U[i, h]) for h, c in helpers.items())]
            says = [(w, v) for w, v in says if not math.isnan(v)]
            guess[i] = sum(w * v for w, v in says) / sum(w for w, _ in says) if says else 0.0
        guess *= slope(Z[:, j], guess, cut) if helpers else 0.0
        residual[:, j] = (Z[:, j] - guess) / scale(Z[:, j] - guess)
        expected[:, j] = centres[j] + scales[j] * guess
    return residual, expected
