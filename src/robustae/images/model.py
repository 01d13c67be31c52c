"""What is usual in pictures: features in front, robust kernel components behind, read in two ways.

A picture's maps as one row say whether it is odd: its energy by components of the others
(`stats.kernel`). The same prediction says where: the squared residual by place. The score joins two
readings of a picture, each in deviations of the fit: the logarithm of the energy, and the mean of the
worst twentieth of the places. Where what is usual lies here or there (`Features.parts`) places say
little; the second reading is then the logarithm of the distance of the means over the picture's parts
to those of the others (`stats.distances`). With deviations a and b the score is
log((exp(a) + exp(b)) / 2), which follows the larger one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from robustae.images.features import Features
from robustae.images.reading import in_colour, reduced
from robustae.stats.distances import FoldedDistance, fit_distance
from robustae.stats.kernel import KernelComponents, fit_kernel
from robustae.stats.scales import MAD_TO_SD
from robustae.stats.thresholds import clean_part, valid_contamination
from robustae.utils.checks import InputError

__all__ = ["FEWEST", "MOST", "ImageModel", "fit_model", "stretched", "threshold_of"]

FEWEST = 5  # pictures that show what is usual
MOST = 1000  # pictures that are fitted
SAMPLE = 200  # pictures that the whitening is measured on
WIDEST = 64  # channels after whitening
LOW, HIGH = 0.001, 0.999  # quantiles of the values that become 0 and 1
CUT = 2.326  # deviations above the clean part: one in a hundred
WORST = 0.05  # share of the places that count
FLOOR = 1e-3  # of a residual, in typical ones
LEAST_SPREAD = 0.1  # of the logarithm of a place's residuals
SMOOTH = 1.25  # of heat maps, in cells of the grid
UPPER = 0.8  # quantile of the fit's readings that tells their deviation
COARSE = 6  # grids with fewer cells a side are not smoothed


@dataclass(frozen=True)
class ImageModel:
    """A fitted model of pictures.

    Attributes
    ----------
    features : Features
    shape : (int, int)
        Height and width to which pictures are brought.
    colour : bool
        Whether colours count.
    values : array, shape (2,)
        What becomes 0 and 1.
    location : array, shape (channels,)
    whitening : array, shape (channels, k)
    grid : (int, int)
        Rows and columns of the maps.
    components : KernelComponents
        Of whole maps.
    typical : array, shape (2, cells)
        Median and deviation, by place, of the logarithm of the residuals, smoothed by `features.blur`.
    units : array, shape (2, 3)
        Median and deviation of the two readings and of the heat maps.
    floor : float
        Added to residuals.
    scores : array, shape (m,)
        Of the pictures of the fit, higher = more anomalous.
    threshold : float
        Above it a picture is flagged.
    parts : FoldedDistance or None
        Of the means of maps over `features.parts` squared parts.
    """

    features: Features
    shape: tuple[int, int]
    colour: bool
    values: np.ndarray
    location: np.ndarray
    whitening: np.ndarray
    grid: tuple[int, int]
    components: KernelComponents
    typical: np.ndarray
    units: np.ndarray
    floor: float
    scores: np.ndarray
    threshold: float
    parts: FoldedDistance | None = None

    def prepared(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture at the model's size, shape (height, width, 1 or 3), about 0 to 1."""
        return stretched(in_colour(reduced(picture, self.shape), self.colour), self.values)

    def rows(self, pictures: Iterable[np.ndarray]) -> np.ndarray:
        """Return the maps of pictures that `prepared` made as rows, shape (n, d)."""
        return _rows(self.features(np.stack(list(pictures))), self.location, self.whitening)

    def judged(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return scores (n,), higher = more anomalous, and heat maps (n, rows, columns), float32.

        Raises
        ------
        InputError
            If a score is no number.
        """
        logs = np.log(self.components.residuals(rows, self.typical.shape[1]) + self.floor)
        judged = _smoothed(logs, self.grid, self.features.blur)
        readings = self._readings(rows, judged)
        centres, spreads = self.units
        deviations = (readings - centres[:2, None]) / spreads[:2, None]
        if not np.isfinite(deviations).all():
            raise InputError("the model gives an image no score: it is damaged, or values are too large.")
        left = np.sqrt(max(SMOOTH**2 - self.features.blur**2, 0.0))
        heat = _smoothed((_shrunken(judged, self.typical) - centres[2]) / spreads[2], self.grid, left)
        return np.logaddexp(*deviations) - np.log(2), heat.reshape(len(rows), *self.grid)

    def _readings(self, rows: np.ndarray, judged: np.ndarray) -> np.ndarray:
        """Return the two readings, shape (2, n); `judged` are the smoothed logarithms by place."""
        energies = np.log(self.components.energies(rows))
        if self.parts is None:
            return np.stack([energies, _worst((judged - self.typical[0]) / self.typical[1])])
        means = _means(rows, self.grid, self.features.parts)
        return np.stack([energies, np.log(self.parts.squares(means, self.components.folds_of(rows)))])


def fit_model(
    pictures: np.ndarray, features: Features, values: np.ndarray, contamination: Any = "auto"
) -> tuple[ImageModel, np.ndarray]:
    """Fit to pictures that may hold odd ones.

    Parameters
    ----------
    pictures : array, shape (n, height, width, 1 or 3)
        As `ImageModel.prepared` makes them; at most MOST.
    features : Features
        Not yet fitted.
    values : array, shape (2,)
        What has become 0 and 1.
    contamination : "auto", float or callable
        See `threshold_of`.

    Returns
    -------
    model : ImageModel
    rows : array, shape (n, d)
        What the model makes of the pictures, in their order.
    """
    # In an order of their own, so that the given one cannot matter.
    order = sorted(range(len(pictures)), key=lambda number: pictures[number].tobytes())
    pictures = pictures[order]
    features = features.fit(pictures)
    sample = features(pictures[:SAMPLE])
    location, whitening = _whitening(sample, features.own_unit)
    rows = np.concatenate(
        [_rows(sample, location, whitening)]
        + [_rows(features(part), location, whitening) for part in _parts(pictures[SAMPLE:])]
    )
    model = _model(features, pictures.shape, values, (location, whitening), sample.shape[1:3], rows)
    scores, _ = model.judged(rows)
    model = replace(model, scores=scores, threshold=threshold_of(scores, contamination))
    back = np.empty(len(order), dtype=int)
    back[order] = np.arange(len(order))
    return model, rows[back]


def threshold_of(scores: np.ndarray, contamination: Any) -> float:
    """Return the score above which a picture is flagged.

    Parameters
    ----------
    scores : array, shape (n,)
        Of the pictures of the fit, each as unseen.
    contamination : "auto", float in [0, 0.5] or callable
        "auto": about one of a hundred clean pictures is above, by the spread of the clean part, and at least
        that of the upper quartile of all. A share: so many of the fit are above. Else a function of the
        scores.
    """
    if callable(contamination):
        rule: Any = contamination
        return float(rule(scores))
    share: Any = valid_contamination(contamination)
    if share == "auto":
        clean = clean_part(scores, power=1.0)
        # Scores of clean pictures may have heavy tails, which a search for the clean part cuts off.
        middle, upper = np.quantile(scores, (0.5, 0.75))
        by_quartile = middle + CUT * MAD_TO_SD * (upper - middle)
        return float(max(clean.centre + CUT * clean.spread, by_quartile))
    place = len(scores) - 1 - round(share * len(scores))
    return float(np.sort(scores)[max(place, 0)])


def _model(
    features: Features, shape: Any, values: np.ndarray, channels: Any, grid: Any, rows: np.ndarray
) -> ImageModel:
    components = fit_kernel(rows)
    residuals = components.residuals(rows, grid[0] * grid[1])
    floor = float(FLOOR * float(np.median(residuals)) or np.finfo(np.float32).tiny)
    logs = np.log(residuals + floor)
    judged = _smoothed(logs, grid, features.blur)
    typical = np.stack(_centre_and_spread(judged, axis=0))
    typical[1] = np.maximum(typical[1], LEAST_SPREAD)
    parts = None
    if features.parts:
        means, kept = _means(rows, grid, features.parts), components.kept[components.places(rows)]
        parts = fit_distance(means, components.folds_of(rows), len(components.models), kept)
    centre, unit = channels
    model = ImageModel(
        features,
        (int(shape[1]), int(shape[2])),
        shape[3] == 3,
        values,
        centre,
        unit,
        grid,
        components,
        typical,
        np.empty((2, 0)),
        floor,
        np.empty(0),
        np.inf,
        parts,
    )
    readings = [_centre_and_upper_spread(reading) for reading in model._readings(rows, judged)]
    units = np.array([*readings, _centre_and_spread(_shrunken(judged, typical))]).T
    units[1] = np.maximum(units[1], 1e-6)
    return replace(model, units=units)


def _means(rows: np.ndarray, grid: tuple[int, int], parts: int) -> np.ndarray:
    """Return the means over parts x parts parts of the grid, shape (n, parts^2 k); a small grid has fewer."""
    maps = rows.reshape(len(rows), *grid, -1)
    strips = np.array_split(maps, min(parts, grid[0]), axis=1)
    cut = [part for strip in strips for part in np.array_split(strip, min(parts, grid[1]), axis=2)]
    return np.concatenate([part.mean(axis=(1, 2)) for part in cut], axis=1)


def _whitening(maps: np.ndarray, own_unit: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return what centres and whitens channels; the mean eigenvalue is added, and at most WIDEST are kept."""
    channels = maps.shape[3]
    if own_unit or maps.shape[1:3] == (1, 1):  # embeddings rank better as they are
        return np.zeros(channels, np.float32), np.eye(channels, dtype=np.float32)
    rows = maps.reshape(-1, channels).astype(np.float64)
    location, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale <= 1e-6 * scale.max(initial=0.0)] = np.inf  # channels that never change say nothing
    values, V = np.linalg.eigh(np.cov((rows - location).T / scale[:, None]).reshape(channels, channels))
    ridge = max(float(values.mean()), 1e-12)
    values, V = np.maximum(values[::-1][:WIDEST], 0), V[:, ::-1][:, :WIDEST]
    whitening = V / np.sqrt(values + ridge) / scale[:, None]
    return location.astype(np.float32), whitening.astype(np.float32)


def _rows(maps: np.ndarray, location: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(((maps - location) @ whitening).reshape(len(maps), -1), dtype=np.float32)


def _parts(pictures: np.ndarray, size: int = 32) -> list[np.ndarray]:
    return [pictures[start : start + size] for start in range(0, len(pictures), size)]


def _centre_and_spread(values: np.ndarray, axis: Any = None) -> tuple[Any, Any]:
    centre = np.median(values, axis=axis)
    return centre, MAD_TO_SD * np.median(np.abs(values - centre), axis=axis)


def _centre_and_upper_spread(values: np.ndarray) -> tuple[Any, Any]:
    """Return the median and the deviation that UPPER tells: readings are skewed, each in its own way."""
    centre, upper = np.quantile(values, (0.5, UPPER))
    return centre, (upper - centre) / NormalDist().inv_cdf(UPPER)


def _worst(deviations: np.ndarray) -> np.ndarray:
    count = max(1, round(WORST * deviations.shape[1]))
    return np.partition(deviations, -count, axis=1)[:, -count:].mean(axis=1)


def _shrunken(judged: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Return deviations by place, each place's centre and spread halfway to those of all.

    By their own alone a place where much is usual would hide what is there; by those of all, borders and
    corners, where networks are noisy, would be lit in every picture.
    """
    middle = (typical[0] + np.median(typical[0])) / 2
    return (judged - middle) / np.sqrt(typical[1] * np.median(typical[1]))


def _smoothed(logs: np.ndarray, grid: tuple[int, int], by: float) -> np.ndarray:
    """Return rows (n, cells) smoothed along the grid, by so many of its cells."""
    from scipy.ndimage import gaussian_filter

    if by == 0 or min(grid) < COARSE:
        return logs.astype(np.float32)
    maps = gaussian_filter(logs.reshape(len(logs), *grid), (0, by, by), mode="nearest")
    return maps.reshape(logs.shape).astype(np.float32)


def stretched(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return a picture whose `values` have become 0 and 1, float16."""
    low, high = values
    return ((picture - np.float32(low)) / np.float32(high - low)).astype(np.float16)
