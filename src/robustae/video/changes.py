"""What changes over much of the picture and is no foreground: a lamp switched on, sun and clouds, a curtain.

A few components beside the picture, found by alternating between codes and components on the cells that
are inlying (hard threshold on the residuals, the paper's alternation with another penalty). A component
stays if it explains what it is for and covers a good part of the picture: people do not.
"""

import numpy as np

from robustae.video.grid import loudest

__all__ = ["CUT", "codes_of", "components_of", "solved"]

MOST = 3
CUT = 12.0  # grey levels: what differs by more is outlying
ROUNDS = 6
BROAD = 0.25  # of the picture is changed by a component, at least
WORTH = 0.8  # of the cost without it is left, at most
ANNEALED = (5.0, 2.5, 1.0, 1.0)  # times the cut: from far residuals in to near ones
RIDGE = 1e-3
PIXELS = 3000  # are enough to tell codes


def components_of(residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return codes (n, K) and components (K, rows, columns, c) of small pictures; K is 0 mostly.

    Parameters
    ----------
    residuals : array, shape (n, rows, columns, c)
        Frames minus the background, grey levels, averaged to cells.
    """
    rows = residuals.reshape(len(residuals), -1)
    codes, components = np.zeros((len(rows), 0), np.float32), np.zeros((0, rows.shape[1]), np.float32)
    left = _cost(rows)
    for _ in range(MOST):
        trial = _fitted(rows, *_one_more(rows, codes, components))
        cost = _cost(rows - trial[0] @ trial[1])
        if cost > WORTH * left or _breadth(*trial, residuals.shape[1:]) < BROAD:
            break
        (codes, components), left = trial, cost
    return codes, components.reshape(-1, *residuals.shape[1:])


def _cost(rows: np.ndarray) -> float:
    return float(np.minimum(rows * rows, CUT * CUT).sum())


def _one_more(rows: np.ndarray, codes: np.ndarray, components: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The leading component of what is left, far residuals brought in."""
    left = np.clip(rows - codes @ components, -4 * CUT, 4 * CUT)
    values, vectors = np.linalg.eigh(left @ left.T)
    code = vectors[:, -1:] * np.sqrt(max(values[-1], 1e-12))
    component = code.T @ left / max(values[-1], 1e-12)
    return np.hstack([codes, code]).astype(np.float32), np.vstack([components, component]).astype(np.float32)


def _fitted(rows: np.ndarray, codes: np.ndarray, components: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for _ in range(ROUNDS):
        inlying = (np.abs(rows - codes @ components) < CUT).astype(np.float32)
        components = solved(rows.T, codes, inlying.T).T
        codes = codes_of(rows, components)
    return codes, components


def solved(targets: np.ndarray, regressors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares of each row of targets (m, n) on regressors (n, K)."""
    normal = np.einsum("mn,nk,nl->mkl", weights, regressors, regressors, optimize=True)
    scale = np.trace(regressors.T @ regressors) / max(1, len(regressors))
    normal += (RIDGE * scale + 1e-9) * np.eye(regressors.shape[1])
    moments = (weights * targets) @ regressors
    return np.linalg.solve(normal, moments[..., None])[..., 0].astype(np.float32)


def codes_of(rows: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return the codes of residuals (n, d), shape (n, K), that outlying cells do not pull.

    Each frame starts from all its cells, brought in, and keeps 0 where that explains it better.
    """
    if not len(components):
        return np.zeros((len(rows), 0), np.float32)
    cells = slice(None, None, max(1, rows.shape[1] // PIXELS))
    rows, basis = rows[:, cells], components[:, cells].T
    codes = np.zeros((len(rows), len(components)), np.float32)
    for times in (np.inf, *ANNEALED):
        near = np.abs(rows - codes @ basis.T) < times * CUT
        targets = np.clip(rows, -8 * CUT, 8 * CUT) if times == np.inf else rows
        codes = solved(targets, basis, near.astype(np.float32))
    better = _costs(rows - codes @ basis.T) < _costs(rows)
    return codes * better[:, None]


def _costs(rows: np.ndarray) -> np.ndarray:
    return np.minimum(rows * rows, CUT * CUT).sum(1)


def _breadth(codes: np.ndarray, components: np.ndarray, shape: tuple[int, ...]) -> float:
    """The share of the picture that the latest component changes by more than half a cut."""
    low, high = np.quantile(codes[:, -1], (0.05, 0.95))
    return float((loudest((high - low) * components[-1].reshape(shape)) > CUT / 2).mean())
