"""Principal component pursuit: min ||L||_* + lam ||S||_1 subject to L + S = X on the observed cells.

Inexact augmented Lagrangian (Candes, Li, Ma and Wright 2011; Lin, Chen and Ma 2010), over-relaxed.
With A = X - S + Y / mu one iteration is

    L = A with its singular values lowered by 1 / mu
    T = X - L + Y / mu,  Y' = clip(mu T, -lam, lam),  S' = T - Y' / mu

so A and the multiplier Y are all there is to keep: S = X - A + Y / mu. Shrinking the singular
values needs the eigenvectors of A'A only (the smaller side's Gram matrix), and everything else goes
cell by cell: one iteration is a single pass over the data in blocks that fit the processor's cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from robustae.stats.scales import quantile, thinned

__all__ = ["Pursuit", "extend", "pursue"]

RELAX = 1.6  # over-relaxation (Eckstein and Bertsekas 1992)
SETTLED = 0.1  # mu may grow, and the iteration may stop, while the relative dual residual is below this
START = 5.0  # first mu, over 1 / ||X||
MU_RANGE = 1e7  # last mu over first: beyond, A'A does not separate singular values from rounding
FREE = 2.0  # a lam that leaves S at 0: from 1 upwards all do
STEPS, GROWTH = 40, 1.2  # of `extend`: training rows get their L back to about 1e-3
BLOCK_CELLS = 2**17  # 1 MiB: A, Y and X of a block stay in cache


@dataclass(frozen=True)
class Pursuit:
    """What the pursuit found.

    Attributes
    ----------
    low_rank, sparse : array, shape (n, d)
        L, and S: X - L where X and L differ, exactly 0 elsewhere and where a cell is missing.
    components : array, shape (r, d)
        Orthonormal basis of the row space of L, in the order of `singular_values`.
    singular_values : array, shape (r,)
        Of L, largest first.
    objective : float
        ||L||_* + lam ||X - L||_1, feasible, so an upper bound of the minimum.
    gap : float
        Share of `objective` that is not certified: the minimum lies above objective (1 - gap).
    history : list of float
        Relative residual ||X - L - S|| / ||X|| by iteration (wild cells count less in ||X||).
    converged : bool
    mu : float
        Where the multiplier's weight began.
    """

    low_rank: np.ndarray
    sparse: np.ndarray
    components: np.ndarray
    singular_values: np.ndarray
    objective: float
    gap: float
    history: list[float]
    converged: bool
    mu: float


def pursue(X: np.ndarray, lam: float, tol: float = 1e-7, max_iter: int = 500, rho: float = 1.2) -> Pursuit:
    """Solve principal component pursuit.

    Parameters
    ----------
    X : array of float64, shape (n, d)
        NaN for missing; not modified.
    lam : float
        Weight of the l1 norm; from 1 upwards S is 0 (no entry of UV' exceeds 1).
    tol : float
        Stop when ||X - L - S||_F falls below tol ||X||_F.
    max_iter : int
    rho : float
        Growth of mu per iteration; nearer to 1 takes longer and ends nearer to the minimum.
    """
    state = _Iteration(X, min(lam, FREE), rho)
    history, converged = [], False
    while not converged and len(history) < max_iter:
        history.append(state.sweep())
        converged = history[-1] < tol and state.dual < SETTLED
    return state.finish(history, converged)


def extend(
    X: np.ndarray, components: np.ndarray, singular_values: np.ndarray, lam: float, mu: float
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows, seen or unseen, given the fitted row space: (L, S), each row by itself.

    ||L||_* is the least of (||Z||^2 + ||B||^2) / 2 over all L = ZB' (Srebro, Rennie and Jaakkola
    2005), reached at B = V sqrt(Sigma). With B held there, each row is a small convex problem,

        min over z of  ||z||^2 / 2 + lam ||x - Bz||_1,

    whose answer on a training row is that row of L. The same iteration solves it, for a fixed
    number of steps: a row's result depends on that row only.

    Parameters
    ----------
    X : array of float64, shape (n, d)
        NaN for missing.
    components, singular_values, mu
        Of a `Pursuit`.
    """
    lam = min(lam, FREE)
    cells = _Cells.start(X, lam, mu)
    for _ in range(STEPS):
        cells.advance(_coded(cells.a, components, singular_values, mu), lam, mu, GROWTH)
        mu *= GROWTH
    L = _coded(cells.a, components, singular_values, mu)
    return L, cells.sparse(L, lam)


def _coded(a: np.ndarray, components: np.ndarray, singular_values: np.ndarray, mu: float) -> np.ndarray:
    """The best Bz for rows of X - S + Y / mu: ridge regression on B = V sqrt(Sigma)."""
    factors = mu * singular_values / (1 + mu * singular_values)
    return ((a @ components.T) * factors) @ components


@dataclass(frozen=True)
class _Cells:
    """X (0 where missing), where it is missing, A = X - S + Y / mu, and Y: arrays of one shape."""

    x: np.ndarray
    hole: np.ndarray | None
    a: np.ndarray
    y: np.ndarray

    @classmethod
    def start(cls, X: np.ndarray, lam: float, mu: float) -> "_Cells":
        """From L = 0."""
        hole = np.isnan(X)
        x = np.where(hole, 0.0, X) if hole.any() else X
        y = np.clip(mu * x, -lam, lam)
        return cls(x, hole if hole.any() else None, 2 / mu * y, y)

    def part(self, rows: slice) -> "_Cells":
        """Views of some rows."""
        return _Cells(
            self.x[rows], None if self.hole is None else self.hole[rows], self.a[rows], self.y[rows]
        )

    def advance(self, L: np.ndarray, lam: float, mu: float, growth: float) -> np.ndarray:
        """Step S and Y in place, given L (consumed); A is left as the next mu, mu growth, needs it.

        Returns the squared norms of X - L - S, of the change of S and of Y. X only ever meets the
        clip, so a cell of 1e12 costs the others no digit.
        """
        a, y = self.a, self.y
        before = y / mu
        L *= RELAX
        L += (1 - RELAX) * (a - before)
        a -= L
        L -= before
        pull = np.clip(self.x - L, -lam / mu, lam / mu)
        if self.hole is not None:
            pull[self.hole] = 0.0
        np.multiply(pull, mu, out=y)
        a -= pull
        before -= pull
        norms = np.array([np.vdot(before, before), np.vdot(a, a), np.vdot(y, y)])
        np.add(L, (1 + 1 / growth) * pull, out=a)
        return norms

    def residual(self, L: np.ndarray) -> np.ndarray:
        """X - L, 0 where missing."""
        return self.x - L if self.hole is None else np.where(self.hole, 0.0, self.x - L)

    def sparse(self, L: np.ndarray, lam: float) -> np.ndarray:
        """S = X - L where the multiplier is at its bound, else exactly 0."""
        return np.where(np.abs(self.y) >= lam * (1 - 1e-12), self.x - L, 0.0)


@dataclass(frozen=True)
class _Shrinkage:
    """Lowers the singular values of A, given A'A: A -> A U diag(1 - threshold / s) U'."""

    basis: np.ndarray
    factors: np.ndarray
    singular: np.ndarray

    @classmethod
    def of(cls, gram: np.ndarray, threshold: float) -> "_Shrinkage":
        values, vectors = np.linalg.eigh(gram)
        s = np.sqrt(np.maximum(values[::-1], 0.0))
        s = s[s > threshold]
        return cls(vectors[:, ::-1][:, : len(s)], 1 - threshold / s, s - threshold)

    def __call__(self, A: np.ndarray) -> np.ndarray:
        return ((A @ self.basis) * self.factors) @ self.basis.T


def _size(X: np.ndarray) -> float:
    """||X||_F over the observed cells, each counted up to ten times the upper quartile; 1 if X is 0."""
    some = np.abs(thinned(X))
    some = some[some > 0]
    limit = 10 * quantile(some, 0.75) if some.size else np.inf
    parts = np.array_split(X, max(1, X.size // BLOCK_CELLS))
    return float(np.sqrt(sum(np.nansum(np.minimum(np.abs(part), limit) ** 2) for part in parts))) or 1.0


class _Iteration:
    """The iteration on all of X, which is held upright: its longer side down."""

    def __init__(self, X: np.ndarray, lam: float, rho: float) -> None:
        self.lam, self.rho, self.size = lam, rho, _size(X)
        self.mu = self.first_mu = START / self.size
        self.wide = X.shape[1] > X.shape[0]
        self.cells = _Cells.start(np.ascontiguousarray(X.T if self.wide else X), lam, self.mu)
        self.gram = self.cells.a.T @ self.cells.a
        self.dual = 0.0

    def blocks(self) -> Iterator[_Cells]:
        m, k = self.cells.x.shape
        step = max(BLOCK_CELLS // k, min(k, 512))
        return (self.cells.part(slice(start, start + step)) for start in range(0, m, step))

    def sweep(self) -> float:
        """One iteration; returns the relative residual and leaves the relative dual one in `dual`."""
        shrink, growth = _Shrinkage.of(self.gram, 1 / self.mu), self.growth()
        norms, self.gram = np.zeros(3), np.zeros_like(self.gram)
        for block in self.blocks():
            norms += block.advance(shrink(block.a), self.lam, self.mu, growth)
            self.gram += block.a.T @ block.a
        primal, moved, multiplier = np.sqrt(norms)
        self.dual = self.mu * moved / max(multiplier, np.finfo(float).tiny)
        self.mu *= growth
        return float(primal / self.size)

    def growth(self) -> float:
        """Too large a mu freezes a wrong split: step back while S still moves much."""
        if self.dual >= SETTLED:
            return 1 / self.rho
        return self.rho if self.mu * self.rho < MU_RANGE * self.first_mu else 1.0

    def finish(self, history: list[float], converged: bool) -> Pursuit:
        """One half step more for L, which takes the place of A, as S does that of Y."""
        shrink = _Shrinkage.of(self.gram, 1 / self.mu)
        objective, gap = self.certified(shrink)
        L, S, components = self.cells.a, self.cells.y, shrink.basis.T
        if self.wide:
            L, S, components = L.T, S.T, np.linalg.qr(L @ shrink.basis)[0].T
        return Pursuit(L, S, components, shrink.singular, objective, gap, history, converged, self.first_mu)

    def certified(self, shrink: _Shrinkage) -> tuple[float, float]:
        """Put L and S into place; return the objective and its gap to the dual bound that Y gives."""
        distance, inner, gram = 0.0, 0.0, np.zeros_like(self.gram)
        for block in self.blocks():
            inner += np.vdot(block.x, block.y)
            gram += block.y.T @ block.y
            L = shrink(block.a)
            distance += np.abs(block.residual(L)).sum()
            block.y[:] = block.sparse(L, self.lam)
            block.a[:] = L
        objective = float(shrink.singular.sum() + self.lam * distance)
        # Y scaled into the unit ball of the spectral norm is feasible for the dual problem.
        bound = float(inner) / max(1.0, float(np.sqrt(np.linalg.eigvalsh(gram)[-1])))
        return objective, max(0.0, 1 - bound / objective) if objective > 0 else 0.0
