"""What changes over much of the picture and is no foreground: a lamp switched on, sun and clouds, a curtain.

A few components beside the picture, found by alternating between codes and components on the cells that
are inlying (hard threshold on the residuals, the paper's alternation with another penalty). A component
stays if it explains what it is for and covers a good part of the picture: people do not.

The picture may show one part with the lamp on and another with the lamp off. So it is corrected too, cell
by cell: by what a component says that another code would make of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from robustae.video.grid import loudest, some_of

__all__ = ["Changes", "codes_of", "components_of", "refined", "solved"]

MOST = 3
LARGE = 30  # cells of the shorter side, from which every second row and column is enough at first
CUT = 12.0  # grey levels: what differs by more is outlying
FEW = 30  # frames, by which it is told at which code a cell was taken
TRIES = 6  # codes that a part of the picture may have been taken at
BLOCKS = 8  # of successive frames, of which every second is held out
BROAD = 0.25  # of the picture is changed by a component, at least
WORTH = 0.8  # of the cost without it is left, at most
HELD, SHORT = 0.45, 75  # ... in frames held out; in clips of fewer frames these are much like the others
ANNEALED = (5.0, 2.5, 1.0, 1.0)  # times the cut: from far residuals in to near ones
ROUNDS = (2.5, 2.0, 1.5, 1.0, 1.0, 1.0)  # the same, where people are among the far ones
RIDGE = 1e-3
PIXELS = 3000  # are enough to tell codes


@dataclass(frozen=True)
class Changes:
    """What is added to a picture of d values in n frames.

    Attributes
    ----------
    codes : array, shape (n, K)
        0 is the most usual.
    components : array, shape (K, d)
    correction : array, shape (d,)
        Of the picture itself.
    """

    codes: np.ndarray
    components: np.ndarray
    correction: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """All of it, shape (n, d)."""
        return self.codes @ self.components + self.correction


def components_of(residuals: np.ndarray) -> Changes:
    """Find the components of small pictures; K is 0 mostly.

    Parameters
    ----------
    residuals : array, shape (n, rows, columns, c)
        Frames minus the background, grey levels, averaged to cells.
    """
    if not _anything_broad(residuals):
        return _none(residuals)
    # Most films have none, and that a quarter of the cells tells.
    if min(residuals.shape[1:3]) >= LARGE and not len(_all_of(residuals[:, ::2, ::2]).components):
        return _none(residuals)
    return _all_of(residuals)


def _all_of(residuals: np.ndarray) -> Changes:
    rows, shape = residuals.reshape(len(residuals), -1), residuals.shape[1:]
    found = _none(residuals)
    for _ in range(MOST):
        trial = _fitted(rows, _one_more(rows, found))
        if _cost(rows, trial) > WORTH * _cost(rows, found) or _breadth(trial, shape) < BROAD:
            break
        if not _holds(rows, trial):
            break
        found = trial
    return found


def _none(residuals: np.ndarray) -> Changes:
    n, cells = len(residuals), residuals[0].size
    return Changes(*(np.zeros(size, np.float32) for size in ((n, 0), (0, cells), cells)))


def _holds(rows: np.ndarray, trial: Changes) -> bool:
    """Whether the latest component explains frames that it was not fitted to, too."""
    block = np.arange(len(rows)) * BLOCKS // len(rows) % 2 == 0
    with_it = without = 0.0
    for fitted in (block, ~block):
        again = refined(rows[fitted], replace(trial, codes=trial.codes[fitted]))
        others = rows[~fitted] - again.correction
        for K, components in ((-1, again.components[:-1]), (0, again.components)):
            cost = float(_costs(others - codes_of(others, components) @ components).sum())
            with_it, without = with_it + (K == 0) * cost, without + (K < 0) * cost
    return with_it <= (HELD if len(rows) < SHORT else WORTH) * without


def _anything_broad(residuals: np.ndarray) -> bool:
    """Whether one frame in twenty differs over a good part of the picture: else no component can.

    Over half of that part, as the picture may show the other half as that frame does.
    """
    shares = (loudest(residuals) > CUT / 2).mean((1, 2))
    return bool(np.quantile(shares, 0.95) >= BROAD / 2)


def _cost(rows: np.ndarray, changes: Changes) -> float:
    return float(_costs(rows - changes.rows).sum())


def _one_more(rows: np.ndarray, changes: Changes) -> Changes:
    """The leading component of how what is left varies, far residuals brought in."""
    left = np.clip(rows - changes.rows, -4 * CUT, 4 * CUT)
    left -= left.mean(0)
    code = np.linalg.eigh(left @ left.T)[1][:, -1:] * np.sqrt(len(rows))
    codes = np.hstack([changes.codes, code]).astype(np.float32)
    components = np.vstack([changes.components, code.T @ left / len(rows)]).astype(np.float32)
    return Changes(codes, components, changes.correction)


def _fitted(rows: np.ndarray, changes: Changes) -> Changes:
    for times in ROUNDS:
        changes = refined(rows, changes, times * CUT)
        codes = codes_of(rows - changes.correction, changes.components)
        usual = np.sort(codes, axis=0)[len(codes) // 2]  # the code of a frame, which a mean is not
        correction = changes.correction + usual @ changes.components
        changes = Changes(codes - usual, changes.components, correction)
    return changes


def refined(rows: np.ndarray, changes: Changes, cut: float = CUT) -> Changes:
    """Return least squares over the inlying cells of rows (n, d), for the same codes."""
    codes = changes.codes
    left = rows - codes @ changes.components
    correction, some = changes.correction, left[:: max(1, len(left) // FEW)].T
    costs = _costs(some - correction[:, None])
    for code in codes[:: -(-len(codes) // TRIES)]:
        other = -code @ changes.components
        others = _costs(some - other[:, None])
        correction = np.where(others < costs, other, correction)
        costs = np.minimum(costs, others)
    inlying = (np.abs(left - correction) < cut).astype(np.float32)
    both = solved(rows.T, np.hstack([codes, np.ones_like(codes[:, :1])]), inlying.T).T
    return Changes(codes, both[:-1], both[-1])


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
    cells = some_of(rows.shape[1], PIXELS)
    rows, basis = rows[:, cells], components[:, cells].T
    codes = np.zeros((len(rows), len(components)), np.float32)
    for times in (np.inf, *ANNEALED):
        near = np.abs(rows - codes @ basis.T) < times * CUT
        targets = np.clip(rows, -8 * CUT, 8 * CUT) if times == np.inf else rows
        codes = solved(targets, basis, near.astype(np.float32))
    better = _costs(rows - codes @ basis.T) < _costs(rows)
    return codes * better[:, None]


def _costs(rows: np.ndarray) -> np.ndarray:
    squares = rows * rows
    return np.minimum(squares, CUT * CUT, out=squares).sum(1)


def _breadth(changes: Changes, shape: tuple[int, ...]) -> float:
    """The share of the picture that the latest component changes by more than half a cut."""
    low, high = np.quantile(changes.codes[:, -1], (0.05, 0.95))
    return float((loudest((high - low) * changes.components[-1].reshape(shape)) > CUT / 2).mean())
