"""Slow, plain second implementations, straight from the equations: the judges of every fast path.

Nothing here imports the package. The model is J(theta, N) = ||X - Xhat - N||^2 + (mu/2) Omega + lam P(N);
numbers in brackets are the equations of the tutorial. Missing cells of X are NaN.
"""

import math

import numpy as np
import torch

# ---------------------------------------------------------------- one cell: equations (5) and (6)


def soft(r, threshold):
    """Equation (6), one cell at a time."""
    if r > threshold:
        return r - threshold
    if r < -threshold:
        return r + threshold
    return 0.0


def l1_envelope(r, lam):
    """The formula of min over N of (r - N)^2 + lam |N|."""
    if abs(r) <= lam / 2:
        return r * r
    return lam * abs(r) - lam * lam / 4


def smallest(function, low, high, steps=200):
    """Smallest value of a convex function on [low, high], by ternary search."""
    for _ in range(steps):
        third = (high - low) / 3
        if function(low + third) <= function(high - third):
            high -= third
        else:
            low += third
    return function((low + high) / 2)


def l1_envelope_by_search(r, lam):
    """Minimise (r - N)^2 + lam |N| over N without the formula: (5) with its square."""
    return smallest(lambda n: (r - n) ** 2 + lam * abs(n), min(r, 0.0), max(r, 0.0))


# ---------------------------------------------------------------- groups of cells inside a row


def norm(values):
    return math.sqrt(sum(float(v) ** 2 for v in values))


def members(groups):
    """Column numbers of each group, from one group number per column."""
    return {g: [j for j, other in enumerate(groups) if other == g] for g in sorted(set(groups))}


def group_value(N, groups, lam):
    """lam times the sum over rows and groups of sqrt(size) times the norm."""
    total = 0.0
    for row in N:
        for columns in members(groups).values():
            total += lam * math.sqrt(len(columns)) * norm(row[columns])
    return total


def group_prox(R, groups, lam):
    N = np.zeros_like(R)
    for i, row in enumerate(R):
        for columns in members(groups).values():
            size = norm(row[columns])
            bound = lam * math.sqrt(len(columns)) / 2
            if size > bound:
                N[i, columns] = (1 - bound / size) * row[columns]
    return N


def group_envelope(R, groups, lam):
    """One number for each row and group, by the formula."""
    out = []
    for row in R:
        energies = []
        for columns in members(groups).values():
            energies.append(l1_envelope(norm(row[columns]), lam * math.sqrt(len(columns))))
        out.append(energies)
    return np.array(out)


def group_envelope_by_search(r, lam):
    """One group: min over N of ||r - N||^2 + lam sqrt(size) ||N||, searched along r (N is never turned)."""
    weight = lam * math.sqrt(len(r))
    return smallest(lambda t: norm(r - t * r) ** 2 + weight * norm(t * r), 0.0, 1.0)


def patch_groups(image_shape, height, width):
    """Tile number of every cell of a flattened image (height, width[, channels]); border tiles may be cut."""
    rows, columns = image_shape[:2]
    across = math.ceil(columns / width)
    channels = math.prod(image_shape[2:])
    return [
        (i // height) * across + j // width
        for i in range(rows)
        for j in range(columns)
        for _ in range(channels)
    ]


def trimmed_rows(R, share):
    """The rows dropped: those of largest norm, at most a share of them."""
    order = sorted(range(len(R)), key=lambda i: -norm(R[i]))
    return set(order[: int(share * len(R))])


# ---------------------------------------------------------------- the objective: equations (1) to (4)


def sigmoid(a):
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def sigmoid_forward(X, U, V, b=None, c=None):
    """f(XU)V of equation (1); with biases f(XU + b)V + c."""
    out = np.zeros((len(X), V.shape[1]))
    for i, row in enumerate(X):
        code = [sigmoid(float(row @ U[:, k]) + (0 if b is None else b[k])) for k in range(U.shape[1])]
        out[i] = sum((z * V[k] for k, z in enumerate(code)), np.zeros(V.shape[1]))
        out[i] += 0 if c is None else c
    return out


def objective(X, Xhat, N, lam, mu=0.0, weights=()):
    """Equation (3) with the bracket written out, lam by column if wanted; absent cells count nothing."""
    lam = np.broadcast_to(lam, X.shape[1:])
    total = 0.0
    for i, j in np.ndindex(X.shape):
        if not np.isnan(X[i, j]):
            total += (X[i, j] - (Xhat[i, j] + N[i, j])) ** 2 + lam[j] * abs(N[i, j])
    return total + mu / 2 * sum(float(w) ** 2 for weight in weights for w in np.ravel(weight))


def l1_objective(X, Xhat, lam, mu=0.0, weights=()):
    """J at the best N."""
    half = np.broadcast_to(lam, X.shape[1:]) / 2
    N = np.array([[soft(r, h) for r, h in zip(row, half, strict=True)] for row in X - Xhat])
    return objective(X, Xhat, N, lam, mu, weights)


def finite_differences(function, x, step=1e-6):
    """Gradient of a scalar function by central differences."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


# ---------------------------------------------------------------- predictors with a known answer


def alternate_constant(X, lam, steps=20000):
    """The paper's alternation for the constant predictor: N by (6), then the centre by its mean."""
    centre = np.median(X, axis=0)
    history = []
    for _ in range(steps):
        N = np.array([[soft(v, lam / 2) for v in row] for row in X - centre])
        history.append(objective(X, np.broadcast_to(centre, X.shape), N, lam))
        moved = np.mean(X - N, axis=0)
        if np.max(np.abs(moved - centre)) < 1e-13:
            break
        centre = moved
    return centre, history


def huber_location(x, lam, weights=None):
    """Huber M-estimate of location of one column: the zero of sum w clip(x - m, -lam/2, lam/2), bisected."""
    weights = np.ones(len(x)) if weights is None else weights
    low, high = float(np.min(x)), float(np.max(x))
    for _ in range(200):
        middle = (low + high) / 2
        pull = sum(w * min(max(v - middle, -lam / 2), lam / 2) for v, w in zip(x, weights, strict=True))
        low, high = (middle, high) if pull > 0 else (low, middle)
    return (low + high) / 2


def pca_reconstruction(X, rank):
    """Principal components by SVD: the best affine fit of that rank."""
    centre = X.mean(axis=0)
    left, s, right = np.linalg.svd(X - centre, full_matrices=False)
    return centre + (left[:, :rank] * s[:rank]) @ right[:rank]


def row_space(X, rank):
    """Orthonormal basis (d, rank) of the leading directions of the rows around their mean."""
    return np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:rank].T


def subspace_error(A, B):
    """Sine of the largest angle between two subspaces given by orthonormal bases."""
    return float(np.linalg.norm(A @ A.T - B @ B.T, 2))


def one_cycle(largest, steps, fall=0.9):
    """One rate for each step: up over the first tenth, level, down a cosine in the last `fall`."""
    rates = []
    for step in range(steps):
        at = step / steps
        level = 1 if at < 1 - fall else (1 + math.cos(math.pi * (at - (1 - fall)) / fall)) / 2
        rate = 0.1 + 9 * at if at < 0.1 else level
        rates.append(largest * max(rate, 1e-3))
    return rates


def plain_autoencoder(module, X, rates):
    """The plain autoencoder in five lines of torch: full-batch Adam on the squared error."""
    optimiser = torch.optim.Adam(module.parameters())
    for optimiser.param_groups[0]["lr"] in rates:
        optimiser.zero_grad()
        ((X - module(X)) ** 2).sum(dim=1).mean().backward()
        optimiser.step()
    return module


# ---------------------------------------------------------------- scores, flags, quantiles


def row_energies(X, Xhat, cell_energy):
    """Sum over the observed cells of a row, times d / observed; cell_energy takes (residual, column)."""
    out = []
    for x, xhat in zip(X, Xhat, strict=True):
        seen = [j for j in range(len(x)) if not np.isnan(x[j])]
        out.append(sum(cell_energy(x[j] - xhat[j], j) for j in seen) * len(x) / len(seen))
    return np.array(out)


def squared_energy(X, Xhat):
    return row_energies(X, Xhat, lambda r, j: r * r)


def envelope_energy(X, Xhat, lam):
    return row_energies(X, Xhat, lambda r, j: l1_envelope(r, lam))


def log_energy(X, Xhat, scale):
    return row_energies(X, Xhat, lambda r, j: math.log(1 + (r / scale[j]) ** 2))


def flags(X, Xhat, scale, c=3.0):
    """Cells called outlying: |r| > c deviations; a missing cell is never one."""
    out = np.zeros(X.shape, dtype=bool)
    for i, j in np.ndindex(X.shape):
        out[i, j] = not np.isnan(X[i, j]) and abs(X[i, j] - Xhat[i, j]) > c * scale[j]
    return out


def repair(X, Xhat, flagged):
    """Xhat where flagged or missing, else X."""
    out = X.copy()
    for i, j in np.ndindex(X.shape):
        if flagged[i, j] or np.isnan(X[i, j]):
            out[i, j] = Xhat[i, j]
    return out


def weighted_quantile(x, weights, q):
    """Quantile of x with every value repeated as often as its integer weight says."""
    return np.quantile(np.repeat(x, weights), q)


def weighted_median(x, weights):
    return np.median(np.repeat(x, weights))


def mad(x):
    """Median absolute deviation, times 1.4826: the standard deviation of Gaussian values."""
    return 1.482602218505602 * np.median(np.abs(x - np.median(x)))


def row_scale(R, weights=None):
    """Root mean square of the median row, each row as often as its integer weight says, NaN left out."""
    squares = []
    for i, row in enumerate(R):
        seen = [float(r) ** 2 for r in row if not math.isnan(r)]
        squares += [sum(seen) / len(seen)] * (1 if weights is None else int(weights[i]))
    squares.sort()
    middle = len(squares) // 2
    return math.sqrt(squares[middle] if len(squares) % 2 else (squares[middle - 1] + squares[middle]) / 2)


def average_precision(y, score):
    """Mean over the anomalies of the precision at their rank (no ties)."""
    order = np.argsort(-np.asarray(score), kind="stable")
    hits, total = 0, 0.0
    for rank, i in enumerate(order, start=1):
        hits += int(y[i])
        total += hits / rank * int(y[i])
    return total / hits


def f1(truth, found):
    hits = int(np.sum(truth & found))
    return 2 * hits / max(int(truth.sum()) + int(found.sum()), 1)


# ---------------------------------------------------------------- planted data with a known answer


def planted(n=500, d=100, rank=3, share=0.1, size=10.0, noise=1.0, seed=0):
    """Rows near a plane plus noise, a share of the cells hit: (X, hit, basis of the plane)."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((d, rank)))[0]
    low = rng.standard_normal((n, rank)) * 3 * noise * math.sqrt(d) / math.sqrt(rank) @ basis.T
    hit = rng.random((n, d)) < share
    signs = np.where(rng.random((n, d)) < 0.5, -1.0, 1.0)
    X = low + noise * rng.standard_normal((n, d)) + hit * signs * size * noise
    return X, hit, basis


def planted_rows(n=300, d=20, rank=2, anomalies=15, seed=0):
    """Rows near a plane, and some far from it: (X, y)."""
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((rank, d))
    X = rng.standard_normal((n, rank)) @ basis + 0.3 * rng.standard_normal((n, d))
    y = np.zeros(n, dtype=int)
    y[rng.choice(n, anomalies, replace=False)] = 1
    X[y == 1] += 3 * rng.standard_normal((anomalies, d))
    return X, y
