"""Distances of whole rows, from the rows kept: what no single cell gives away."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from robustae.stats.scales import Weight, mad_scale, mean_sd, median, quantile, some_rows
from robustae.stats.thresholds import clean_part
from robustae.utils.checks import InputError

__all__ = ["RobustDistance", "RowDistances", "robust_distance", "row_distances"]

WIDEST = 2000
KEPT = 0.75
STEPS, RECOUNTS = 10, 2
LEAST_SHRINKAGE = 0.2  # of the regressions: a cell predicted from the others overfits sooner than a distance
REFERENCES, NEIGHBOUR = 1000, 5  # rows kept that others are compared with, and which of the nearest counts
SELF = 1e-6  # relative distance below which a reference is the row itself: rounding leaves up to 1e-7
ROWS = 2048  # at a time
TINY = 1e-12
MOST_LEVERAGE = 0.95
LEANING = 0.005  # mean leverage from which it tells

Residuals = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class RobustDistance:
    """d2 = (z - location)' precision (z - location), divided by its median over the rows.

    Attributes
    ----------
    location : array, shape (d,)
    precision : array, shape (d, d)
        Divided by the median distance of the training rows.
    """

    location: np.ndarray
    precision: np.ndarray

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        """Squared distances of the rows of Z, shape (n, d), in units of the median one."""
        B = Z - self.location
        return ((B @ self.precision) * B).sum(1)


@dataclass(frozen=True)
class RowDistances:
    """Three looks at a row, together: each cell alone, each cell from all others, and the nearest rows.

    With r the residuals of the cells about the columns' centres, and r' those about their regression on all
    other columns (by the inverse P of the shrunk covariance of the rows kept: r'_j = (P b)_j / P_jj), the
    looks are sum log(1 + (r / scale)^2), sum log(1 + (r' / scale')^2), and the distance to the fifth
    nearest of the reference rows. Their logarithms, in robust deviations, are averaged; the energy is the
    exponential of that.

    Attributes
    ----------
    centre, scale : array, shape (d,)
    location, others_scale : array, shape (d,)
    others : array, shape (d, d)
        P / diag P.
    references : array, shape (m, d)
    middle, spread : array, shape (3,)
        Of the logarithms.
    pivots : array, shape (d,)
        diag P.
    part : array, shape ()
        Share that one row kept has in the shrunk covariance.
    """

    centre: np.ndarray
    scale: np.ndarray
    location: np.ndarray
    others: np.ndarray
    others_scale: np.ndarray
    references: np.ndarray
    middle: np.ndarray
    spread: np.ndarray
    pivots: np.ndarray = field(default_factory=lambda: np.ones(()))
    part: np.ndarray = field(default_factory=lambda: np.zeros(()))

    def __call__(self, Z: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
        """Energies of the rows of Z, shape (n, d), lower = more normal; missing cells count for nothing."""
        return self._energies(Z, observed, self._from_others)

    @property
    def leaning(self) -> bool:
        """Whether the rows are few for the columns, so that the regressions lean towards each of them."""
        return float(self.part) * len(self.centre) > LEANING

    def as_unseen(self, Z: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
        """Energies of rows of the fit as they would be had each not been there."""
        return self._energies(Z, observed, self._from_others_without)

    def _energies(self, Z: np.ndarray, observed: np.ndarray | None, residuals: Residuals) -> np.ndarray:
        parts = [
            self._looks(Z[rows], None if observed is None else observed[rows], residuals)
            for rows in (slice(k, k + ROWS) for k in range(0, len(Z), ROWS))
        ]
        looks = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0))
        return np.exp(((looks - self.middle[:, None]) / self.spread[:, None]).mean(0))

    def _looks(self, Z: np.ndarray, observed: np.ndarray | None, residuals: Residuals) -> np.ndarray:
        """Logarithms of the three, shape (3, n)."""
        alone = _log_cells((Z - self.centre) / self.scale, observed)
        others = _log_cells(residuals(Z) / self.others_scale, observed)
        return np.log(np.stack([alone, others, self._nearest(Z)]) + TINY)

    def _from_others(self, Z: np.ndarray) -> np.ndarray:
        return (Z - self.location) @ self.others

    def _from_others_without(self, Z: np.ndarray) -> np.ndarray:
        """Residuals under the inverse without the row itself (Sherman and Morrison 1950).

        A leverage of nearly 1 is that of a row that was not kept.
        """
        B = Z - self.location
        PB = B @ self.others * self.pivots
        left = 1 - np.minimum(self.part * np.einsum("ij,ij->i", PB, B), MOST_LEVERAGE)[:, None]
        return PB / (left * self.pivots + self.part * PB**2)

    def _nearest(self, Z: np.ndarray) -> np.ndarray:
        """Distance to the fifth nearest reference that is not the row itself."""
        last = min(NEIGHBOUR, len(self.references) - 1)
        lengths = (Z * Z).sum(1)
        near = np.sqrt(np.maximum(self._least(Z, last + 1) + lengths[:, None], 0))
        floor = SELF * np.sqrt(Z.shape[1] + lengths)
        return np.where(near[:, 0] < floor, near[:, last], near[:, max(last - 1, 0)])

    def _least(self, Z: np.ndarray, count: int) -> np.ndarray:
        """Least of the references' r'r - 2 r'z by row, sorted: torch selects three times as fast as NumPy."""
        writable = np.require(self.references, requirements="W")  # may be mapped from a file
        references = torch.from_numpy(writable)
        products = torch.addmm((references**2).sum(1), torch.from_numpy(Z), references.T, alpha=-2)
        return torch.topk(products, count, dim=1, largest=False).values.numpy()


def _log_cells(deviations: np.ndarray, observed: np.ndarray | None) -> np.ndarray:
    cells = np.log1p(deviations**2)
    if observed is None or observed.all():
        return cells.sum(1)
    return (cells * observed).sum(1) * observed.shape[1] / np.maximum(observed.sum(1), 1)


def robust_distance(Z: np.ndarray, weight: Weight = None) -> RobustDistance:
    """Fit by concentration steps (Rousseeuw and Van Driessen 1999): keep the nearest 3/4 of the rows.

    The start is the rows of least sum of log(1 + z^2); the covariance is shrunk towards its diagonal
    by d / (d + rows kept).

    Raises
    ------
    InputError
        If there are more than 2000 columns.
    """
    weight = _checked(Z, weight)
    distance = _gaussian(*_kept_rows(Z, weight, _concentrated(Z, weight)))
    middle = float(quantile(distance(Z), 0.5, weight))
    return RobustDistance(distance.location, distance.precision / (middle if middle > TINY else 1.0))


def row_distances(Z: np.ndarray, weight: Weight = None, clean: bool = False) -> RowDistances:
    """Fit to the rows of Z, shape (n, d), anomalies among them or not.

    Three quarters of the rows are kept by concentration steps, then all that lie no farther out than those
    would by chance are taken back (reweighting, as is usual for covariances by concentration).

    Parameters
    ----------
    Z : array, shape (n, d)
        As the encoder sees it: robustly scaled, soft-clipped, without missing cells.
    weight : array, shape (n,), optional
    clean : bool
        Whether the rows are said to be clean: all are kept then.

    Raises
    ------
    InputError
        If there are more than 2000 columns.
    """
    weight = _checked(Z, weight)
    keep = np.ones(len(Z), bool) if clean else _taken_back(Z, weight, _concentrated(Z, weight))
    kept, weights = _kept_rows(Z, weight, keep)
    looks = _unscaled(kept, weights)
    some, weights = some_rows(Z, _unless_even(weight), ROWS)
    logs = looks._looks(some, None, looks._from_others)
    middle = np.array([median(one, weights) for one in logs])
    spread = np.array([mad_scale(one, weights) for one in logs])
    fields = {**vars(looks), "middle": middle, "spread": np.where(spread > TINY, spread, 1.0)}
    return RowDistances(**fields)


def _unless_even(weight: np.ndarray) -> Weight:
    """None where all weigh the same: quantiles are quicker without."""
    return None if np.ptp(weight) == 0 else weight


def _unscaled(kept: np.ndarray, weight: np.ndarray) -> RowDistances:
    distance, weights = _gaussian(kept, weight, LEAST_SHRINKAGE), _unless_even(weight)
    others = distance.precision / np.diag(distance.precision)
    residuals = (kept - distance.location) @ others
    centre = median(kept, weights)
    places = np.linspace(0, len(kept) - 1, min(len(kept), REFERENCES)).astype(int)
    scales = _scale(kept - centre, weights), _scale(residuals, weights)
    part = (1 - _shrinkage(weight, kept.shape[1], LEAST_SHRINKAGE)) / weight.sum()
    return RowDistances(
        centre,
        scales[0],
        distance.location,
        others,
        scales[1],
        kept[places],
        middle=np.zeros(3),
        spread=np.ones(3),
        pivots=np.diag(distance.precision).copy(),
        part=np.array(part),
    )


def _scale(residuals: np.ndarray, weights: Weight) -> np.ndarray:
    """The MAD, the deviation where that is 0, and 1 where all are."""
    robust, plain = mad_scale(residuals, weights, 0.0), mean_sd(residuals, weights)[1]
    return np.where(robust > 1e-6 * plain, robust, np.where(plain > TINY, plain, 1.0))


def _checked(Z: np.ndarray, weight: Weight) -> np.ndarray:
    if Z.shape[1] > WIDEST:
        raise InputError(f"energy: distances of rows work up to {WIDEST} columns, and X has {Z.shape[1]}.")
    return np.ones(len(Z)) if weight is None else weight


def _kept_rows(Z: np.ndarray, weight: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return Z[keep], weight[keep]


def _concentrated(Z: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Which rows are the nearest three quarters."""
    d2 = np.log1p(Z**2).sum(1)
    keep = np.zeros(len(Z), dtype=bool)
    for _ in range(STEPS):
        before, keep = keep, _nearest(d2, weight)
        if (before == keep).all():
            break
        d2 = _gaussian(Z[keep], weight[keep])(Z)
    return keep


def _taken_back(Z: np.ndarray, weight: np.ndarray, keep: np.ndarray) -> np.ndarray:
    for _ in range(RECOUNTS):
        d2 = _gaussian(Z[keep], weight[keep])(Z)
        keep = _nearest(d2, weight) | (d2 <= clean_part(d2, weight).limit)
    return keep


def _nearest(d2: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Which rows make up the nearest `KEPT` of the weight."""
    order = np.argsort(d2, kind="stable")
    upto = np.cumsum(weight[order])
    keep = np.zeros(len(d2), dtype=bool)
    keep[order[upto - weight[order] < KEPT * upto[-1] * (1 - 1e-12)]] = True
    return keep


def _gaussian(Z: np.ndarray, weight: np.ndarray, least: float = 0.0) -> RobustDistance:
    location = np.average(Z, axis=0, weights=weight)
    B = (Z - location) * np.sqrt(weight / weight.sum())[:, None]
    S = B.T @ B
    shrink = _shrinkage(weight, Z.shape[1], least)
    S *= 1 - shrink
    spread = np.diag(S) / (1 - shrink)
    S[np.diag_indices(len(S))] += shrink * spread + 1e-9 + 1e-6 * spread.mean()
    return RobustDistance(location, np.linalg.inv(S))


def _shrinkage(weight: np.ndarray, d: int, least: float) -> float:
    return max(least, d / (d + (weight > 0).sum()))
