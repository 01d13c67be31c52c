"""Robust kernel components: which rows, taken as wholes, are unlike the others?

For many columns of one unit (feature maps, embeddings, pixels). Rows are compared by
``k(x, y) = exp(-|x - y|^2 / (4 median |x - y|^2))`` (Schölkopf, Smola and Müller 1998). About the mean of the
rows kept the covariance in feature space has eigenvalues l, trace t and components u; each is shrunk,

    s = 1 - EPS t / l  where l > EPS t, else 0,        Phihat(x) = mean + sum_j s_j <Phi(x) - mean, u_j> u_j,

so that there is no width to choose. With ink = |Phi(x) - mean|^2 a row's energy is

    e(x) = |Phi(x) - Phihat(x)|^2 / sqrt(ink)
         = (ink - sum_j s_j (2 - s_j) <Phi(x) - mean, u_j>^2) / sqrt(ink),

and of a row of the fit it is *out of fold*: components of the other folds. Rows of a fit are trimmed by
concentration (as the fast MCD, Rousseeuw and Van Driessen 1999): the share KEEP with the least energies out
of fold is fitted again until it stands.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from robustae.stats.clusters import CLUSTER, shares_within
from robustae.stats.scales import Weight

__all__ = ["FoldModel", "KernelComponents", "fit_kernel", "squared_distances"]

EPS = 0.005  # shrinkage, as a share of the total variance: at most 1 / EPS components
KEEP = 0.9  # share of the rows kept
FOLDS = 5
STEPS = 8  # of the concentration, at most
FEW, MOST = 500, 1000  # rows of the concentration and of the last fit, at most
WIDTH = 4.0  # of the kernel, in median squared distances
AS_LARGE = 0.5  # a cluster against the typical one
WEISZFELD = 10  # steps to the spatial median
TINY = 1e-12
TIED = 1e-9  # energies this near, relatively, are one
BLOCK = 256  # rows scored at a time


@dataclass(frozen=True)
class FoldModel:
    """Shrunken components of some rows, from their kernel matrix.

    Attributes
    ----------
    members : array of int, shape (m,)
        The rows, by their place among all references.
    weight : array, shape (m,)
        Of each, summing to 1.
    row_means : array, shape (m,)
        Weighted means of the kernel matrix by row.
    mean : float
        Weighted mean of the kernel matrix.
    loadings : array, shape (m, r)
        ``<Phi(x) - mean, u_j> = centred kernel of x with the members @ loadings``.
    shares : array, shape (r,)
        What is left of each component, s_j.
    """

    members: np.ndarray
    weight: np.ndarray
    row_means: np.ndarray
    mean: np.ndarray
    loadings: np.ndarray
    shares: np.ndarray

    def codes(self, K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coordinates (n, r) and ink (n,) of rows whose kernel with the members is K, shape (n, m)."""
        own = K @ self.weight
        ink = np.maximum(1.0 - 2 * own + self.mean, TINY)
        return (K - own[:, None] - self.row_means + self.mean) @ self.loadings, ink

    def energies(self, K: np.ndarray) -> np.ndarray:
        """Return e of rows whose kernel with the members is K, shape (n, m)."""
        codes, ink = self.codes(K)
        explained = codes**2 @ (self.shares * (2 - self.shares))
        return np.maximum(ink - explained, TINY) / np.sqrt(ink)

    def mixing(self, K: np.ndarray) -> np.ndarray:
        """Return weights of the members, shape (n, m) and sums 1, that make the rows' reconstructions."""
        codes, _ = self.codes(K)
        parts = (codes * self.shares) @ self.loadings.T
        return parts + (1 - parts.sum(axis=1, keepdims=True)) * self.weight


@dataclass(frozen=True)
class KernelComponents:
    """Fitted components: a model for each fold, of the rows kept in the others.

    Attributes
    ----------
    rows : array, shape (m, d), float32
        References: distinct rows of the fit, at most MOST, about `centre`.
    centre : array, shape (d,)
    fold, kept, energy : arrays, shape (m,)
        Fold of each reference, whether it was kept, and its energy out of fold.
    width : float
        The kernel is exp(-squared distance / width).
    models : tuple of FoldModel
    """

    rows: np.ndarray
    centre: np.ndarray
    fold: np.ndarray
    kept: np.ndarray
    energy: np.ndarray
    width: float
    models: tuple[FoldModel, ...]

    def energies(self, X: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
        """Return the energies of rows, shape (n,), higher being more unusual.

        Parameters
        ----------
        X : array, shape (n, d)
            A row equal to a reference gets that one's energy out of fold, others the mean over the folds.
        there : array of bool, shape (n, d), optional
            Cells that are observed: distances are those of these cells, times d / their number.
        """
        out = np.empty(len(X))
        for rows, K, places in self._blocks(X, there):
            found = np.array([model.energies(K[:, model.members]) for model in self.models])
            own = self.energy[places]
            if there is not None:
                own = np.where(there[rows].all(1), own, found[self.fold[places], np.arange(len(places))])
            out[rows] = np.where(places < 0, found.mean(0), own)
        return out

    def residuals(self, X: np.ndarray, cells: int) -> np.ndarray:
        """Return squared residuals, summed over groups of columns.

        The reconstruction of a row is a sum of weighted references (`FoldModel.mixing`): of those in the
        other folds for a row equal to a reference; for others, residuals are averaged over the folds.

        Parameters
        ----------
        X : array, shape (n, d)
        cells : int
            Groups of d / cells neighbouring columns each.

        Returns
        -------
        array, shape (n, cells), float32
        """
        out = np.zeros((len(X), cells), dtype=np.float32)
        for rows, K, places in self._blocks(X):
            folds = self.fold[places]
            for number, model in enumerate(self.models):
                share = np.where(places < 0, 1 / len(self.models), folds == number)
                at = np.flatnonzero(share)
                if len(at):
                    left = self._about(X[rows][at]) - self._mixed(model, K[at])
                    out[rows][at] += share[at, None] * _by_group(left, cells)
        return out

    def reconstructed(self, X: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
        """Return rows made of weighted references, shape (n, d), float32; folds as in `residuals`."""
        out = np.zeros(X.shape, dtype=np.float32)
        for rows, K, places in self._blocks(X, there):
            for number, model in enumerate(self.models):
                share = np.where(places < 0, 1 / len(self.models), self.fold[places] == number)
                out[rows] += share[:, None] * (self._mixed(model, K) + self.centre)
        return out

    def places(self, X: np.ndarray) -> np.ndarray:
        """Return the place among the references of each row that equals one, else -1; shape (n,)."""
        return self._places_of(self._about(X))

    def folds_of(self, X: np.ndarray) -> np.ndarray:
        """Return the fold of rows of the fit, shape (n,); -1 for others, and those that all folds have."""
        places = self.places(X)
        return np.where((places < 0) | self._shared[places], -1, self.fold[places])

    def continued(self, X: np.ndarray, share: float) -> "KernelComponents":
        """Return components in which a share of the references are rows of X, evenly spread in both."""
        count = min(round(share * len(self.rows)), len(X))
        old = np.ones(len(self.rows), bool)
        old[_spread(len(old), count)] = False
        rows = np.concatenate([self.rows[old], self._about(X[_spread(len(X), count)])])
        kept = np.concatenate([self.kept[old], np.ones(count, bool)])
        K = np.exp(-squared_distances(rows, rows) / self.width)
        return _fitted(rows, self.centre, self.width, K, np.ones(len(rows)), kept)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all as named arrays; `of` makes it anew."""
        own = {name: np.asarray(getattr(self, name)) for name in _OWN}
        parts = {
            f"model{number}.{field.name}": np.asarray(getattr(model, field.name))
            for number, model in enumerate(self.models)
            for field in fields(FoldModel)
        }
        return own | parts

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "KernelComponents":
        """Make one of what `arrays` returned.

        Raises
        ------
        ValueError
            If they do not fit together.
        """
        count = sum(name.endswith(".loadings") for name in arrays)
        models = [
            FoldModel(**{field.name: arrays[f"model{number}.{field.name}"] for field in fields(FoldModel)})
            for number in range(count)
        ]
        own: dict[str, Any] = {name: arrays[name] for name in _OWN}
        _check(own, models)
        own |= {"width": float(own["width"]), "models": tuple(models)}
        return cls(**own)

    @cached_property
    def _places(self) -> dict[bytes, int]:
        return {_digest(row): place for place, row in enumerate(self.rows)}

    def _places_of(self, A: np.ndarray) -> np.ndarray:
        return np.array([self._places.get(_digest(row), -1) for row in A])

    @cached_property
    def _shared(self) -> np.ndarray:
        """Which references are in the model of their own fold, shape (m,)."""
        shared = np.zeros(len(self.rows), dtype=bool)
        for number, model in enumerate(self.models):
            shared[model.members] |= self.fold[model.members] == number
        return shared

    @cached_property
    def _squares(self) -> np.ndarray:
        return _squares(self.rows)

    def _about(self, X: np.ndarray) -> np.ndarray:
        return _about(X, self.centre)

    def _mixed(self, model: FoldModel, K: np.ndarray) -> np.ndarray:
        return model.mixing(K[:, model.members]).astype(np.float32) @ self.rows[model.members]

    def _blocks(
        self, X: np.ndarray, there: np.ndarray | None = None
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield blocks of rows, their kernel with the references and their places among them, else -1."""
        for start in range(0, len(X), BLOCK):
            rows = slice(start, start + BLOCK)
            A = self._about(X[rows])
            yield (
                rows,
                np.exp(-self._distances(A, None if there is None else there[rows]) / self.width),
                self._places_of(A),
            )

    def _distances(self, A: np.ndarray, there: np.ndarray | None) -> np.ndarray:
        if there is None or there.all():
            return squared_distances(A, self.rows, self._squares)
        seen = there.astype(np.float32)
        wider = seen.shape[1] / np.maximum(seen.sum(1, keepdims=True), 1)
        return squared_distances(A * seen, self.rows, seen @ (self.rows**2).T) * wider


_OWN = tuple(field.name for field in fields(KernelComponents) if field.name != "models")


def _check(own: dict[str, np.ndarray], models: list[FoldModel]) -> None:
    """Refuse arrays that no fit makes; they may come from any file."""
    (count, columns), folds = own["rows"].shape, len(models)
    shapes = {"centre": (columns,), "fold": (count,), "kept": (count,), "energy": (count,), "width": ()}
    if not count or any(own[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("references are damaged")
    numbers = [own[name] for name in ("rows", "centre", "energy", "width")]
    if not all(part.dtype.kind == "f" and np.isfinite(part).all() for part in numbers):
        raise ValueError("references hold what is no number")
    if not (own["energy"] > 0).all() or not own["width"] > 0 or not _are_places(own["fold"], folds):
        raise ValueError("references have no such energies, folds or width")
    for model in models:
        _check_model(model, count)


def _check_model(model: FoldModel, count: int) -> None:
    sizes = model.loadings.shape
    shapes = [(model.members, sizes[:1]), (model.weight, sizes[:1]), (model.row_means, sizes[:1])]
    shapes += [(model.mean, ()), (model.shares, sizes[1:])]
    if len(sizes) != 2 or any(part.shape != shape for part, shape in shapes):
        raise ValueError("components are damaged")
    numbers = (model.weight, model.row_means, model.mean, model.loadings, model.shares)
    if not _are_places(model.members, count) or not all(np.isfinite(part).all() for part in numbers):
        raise ValueError("components hold what is no number")


def _are_places(places: np.ndarray, count: int) -> bool:
    return places.dtype.kind in "iu" and bool(((places >= 0) & (places < count)).all())


def fit_kernel(X: np.ndarray, weight: Weight = None, clean: bool = False) -> KernelComponents:
    """Fit robust kernel components.

    Deterministic, and the order of the rows does not matter; a row of weight 2 counts as two equal rows.
    Of more than MOST distinct rows, as many are fitted, evenly spread.

    Parameters
    ----------
    X : array, shape (n, d)
        At least one row, finite; columns in one unit.
    weight : array, shape (n,), optional
        Not negative, some positive.
    clean : bool
        Keep all rows.

    Returns
    -------
    KernelComponents
    """
    centre, rows, mass = _distinct(X, weight)
    few = _spread(len(rows), MOST if clean else FEW)
    D = squared_distances(rows[few], rows[few])
    width = WIDTH * _typical(D, mass[few])
    if clean:
        return _fitted(rows[few], centre, width, np.exp(-D / width), mass[few], np.ones(len(few), bool))
    found = _concentrated(rows[few], centre, width, np.exp(-D / width), mass[few])
    if len(rows) == len(few):
        return found
    rows, mass = (part[_spread(len(rows), MOST)] for part in (rows, mass))
    K = np.exp(-squared_distances(rows, rows) / width)
    kept = _best(found.energies(rows + centre), mass)
    return _fitted(rows, centre, width, K, mass, kept | _clusters(K, mass, kept))


def squared_distances(A: np.ndarray, B: np.ndarray, squares: np.ndarray | None = None) -> np.ndarray:
    """Return squared Euclidean distances between rows, shape (n, m), float64; `squares` are those of B."""
    squares = _squares(B) if squares is None else squares
    return np.maximum(_squares(A)[:, None] + squares - 2.0 * (A @ B.T), 0.0)


def _squares(A: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", A, A, dtype=np.float64)


def _about(X: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.asarray(X, dtype=np.float32) - centre  # 0 - 0 has no sign


def _digest(row: np.ndarray) -> bytes:
    return blake2b(np.ascontiguousarray(row).tobytes(), digest_size=16).digest()


def _by_group(left: np.ndarray, cells: int) -> np.ndarray:
    return (left.reshape(len(left), cells, -1) ** 2).sum(axis=2)


def _distinct(X: np.ndarray, weight: Weight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a centre, the distinct rows about it in an order of their own, and the weight of each."""
    mass = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=np.float64)
    X, mass = np.asarray(X, dtype=np.float32)[mass > 0], mass[mass > 0]
    waves = np.cos(np.arange(X.shape[1], dtype=np.float32))
    # Summed row by row, so that equal rows have equal keys wherever they stand.
    keys = np.array([(row * waves).sum(dtype=np.float64) for row in X])
    order = np.argsort(keys, kind="stable")
    new = np.r_[True, np.any(X[order[1:]] != X[order[:-1]], axis=1)]
    first = order[new]
    total = np.bincount(np.cumsum(new) - 1, mass[order])
    centre = (total @ X[first] / total.sum()).astype(np.float32)
    return centre, _about(X[first], centre), total


def _spread(count: int, most: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def _typical(D: np.ndarray, mass: np.ndarray) -> float:
    """Return the weighted median of the squared distances; where that is 0, of those above 0."""
    weight = np.outer(mass, mass)
    for chosen in (D >= 0, D > 0):
        if chosen.any():
            values, parts = D[chosen], weight[chosen]
            order = np.argsort(values)
            sums = np.cumsum(parts[order])
            middle = float(values[order][np.searchsorted(sums, sums[-1] / 2)])
            if middle > 0:
                return middle
    return 1.0


def _components(K: np.ndarray, members: np.ndarray, mass: np.ndarray) -> FoldModel:
    """Return the shrunken components of some references, from the kernel matrix of all."""
    G, weight = K[np.ix_(members, members)], mass[members] / mass[members].sum()
    means = G @ weight
    mean = np.asarray(weight @ means)
    roots = np.sqrt(weight)
    values, U = np.linalg.eigh((G - means[:, None] - means + mean) * roots[:, None] * roots)
    floor = max(EPS * values.sum(), TINY)
    above = values > floor
    values, U = values[above], U[:, above]
    return FoldModel(members, weight, means, mean, roots[:, None] * U / np.sqrt(values), 1 - floor / values)


def _folds(K: np.ndarray, mass: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, tuple[FoldModel, ...]]:
    # A row of more than half the weight is what is usual: without it nothing is.
    fold = np.arange(len(K)) % min(FOLDS, len(K))
    models = []
    for number in range(fold.max() + 1):
        others = np.flatnonzero(kept & ((fold != number) | (mass > mass.sum() / 2)))
        models.append(_components(K, others if len(others) else np.flatnonzero(kept), mass))
    return fold, tuple(models)


def _out_of_fold(K: np.ndarray, fold: np.ndarray, models: tuple[FoldModel, ...]) -> np.ndarray:
    energy = np.empty(len(K))
    for number, model in enumerate(models):
        own = np.flatnonzero(fold == number)
        energy[own] = model.energies(K[np.ix_(own, model.members)])
    return energy


def _best(energy: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Return the rows with the least energies that make up the share KEEP, ties with them."""
    order = np.argsort(energy, kind="stable")
    reached = np.cumsum(mass[order]) >= KEEP * mass.sum() * (1 - TIED)
    return energy <= energy[order][np.argmax(reached)] * (1 + TIED)


def _first(K: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Return the rows kept at first: components of rows weighted by 1 / distance^2 to the spatial median."""
    pull = np.ones(len(K))
    for _ in range(WEISZFELD):
        v = mass * pull / (mass @ pull)
        distance = np.sqrt(np.maximum(1.0 - 2 * K @ v + v @ K @ v, TINY))
        pull = 1 / np.maximum(distance, 0.1 * np.median(distance))
    weight = mass / np.maximum(distance, np.median(distance)) ** 2
    return _best(_components(K, np.arange(len(K)), weight).energies(K), mass)


def _concentrated(
    rows: np.ndarray, centre: np.ndarray, width: float, K: np.ndarray, mass: np.ndarray
) -> KernelComponents:
    kept = _first(K, mass)
    found = _fitted(rows, centre, width, K, mass, kept)
    previous = np.zeros(len(rows))
    for _ in range(STEPS):
        # Two odd rows that are alike would else take turns: the one kept excuses the other.
        before, kept = kept, _best(np.maximum(found.energy, previous), mass)
        if (kept == before).all():
            break
        previous = found.energy
        found = _fitted(rows, centre, width, K, mass, kept)
    back = _clusters(K, mass, found.kept)
    return _fitted(rows, centre, width, K, mass, found.kept | back) if back.any() else found


def _clusters(K: np.ndarray, mass: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the rows left out that have about as many others near them as those kept have, (m,), bool.

    Clusters that were left out as a whole.
    """
    if mass[~kept].sum() < CLUSTER * mass.sum():
        return np.zeros(len(kept), bool)
    D = 2 - 2 * K
    np.fill_diagonal(D, np.inf)
    usual, found = shares_within(D[kept], D[~kept], mass)
    back = np.zeros(len(kept), bool)
    back[~kept] = found >= AS_LARGE * np.median(usual)
    return back & (mass @ back >= CLUSTER * mass.sum())


def _fitted(
    rows: np.ndarray, centre: np.ndarray, width: float, K: np.ndarray, mass: np.ndarray, kept: np.ndarray
) -> KernelComponents:
    fold, models = _folds(K, mass, kept)
    return KernelComponents(rows, centre, fold, kept, _out_of_fold(K, fold, models), width, models)
