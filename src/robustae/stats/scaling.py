"""From the user's units to the model's and back: lam and mu mean something on scaled data only."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from robustae.stats.scales import (
    Weight,
    by_columns,
    mad_scale,
    mean_sd,
    median,
    rounding_sd,
    some_rows,
    thinned,
    winsorised_sd,
)
from robustae.utils.checks import InputError, one_of

__all__ = ["ColumnScaling", "Scaling", "TransformerScaling", "fit_scaling"]


ROUNDING = 1e-14  # of the location: spreads below are constants
UNSEEN = 1.5e-8  # of a constant: what differs by less is half of the digits
LEAST = 1e-100  # scale of a column of zeros: whatever else comes is as far off as cells are told apart


class Scaling(Protocol):
    """What the model asks of a scaling."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return X, shape (n, d), in the model's units; NaN stays NaN."""
        ...

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Return Z in the user's units."""
        ...

    def outlier_part(self, Zhat: np.ndarray, N: np.ndarray) -> np.ndarray:
        """Return N beside the reconstruction `Zhat`, both in the model's units, in the user's."""
        ...


@dataclass(frozen=True)
class ColumnScaling:
    """z = (x - location) / scale, by column (or the same for all).

    Attributes
    ----------
    location, scale : array, shape (d,)
        In the user's units.
    """

    location: np.ndarray
    scale: np.ndarray

    def transform(self, X: np.ndarray) -> np.ndarray:
        return (X - self.location) / self.scale

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        return Z * self.scale + self.location

    def outlier_part(self, Zhat: np.ndarray, N: np.ndarray) -> np.ndarray:
        return N * self.scale


@dataclass(frozen=True)
class TransformerScaling:
    """A scikit-learn transformer with `transform` and `inverse_transform`, column for column."""

    transformer: Any

    def transform(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.transformer.transform(X), dtype=np.float64)

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        return np.asarray(self.transformer.inverse_transform(Z), dtype=np.float64)

    def outlier_part(self, Zhat: np.ndarray, N: np.ndarray) -> np.ndarray:
        return self.inverse(Zhat + N) - self.inverse(Zhat)


def _usable(scale: np.ndarray, location: np.ndarray) -> np.ndarray:
    """Columns that are constant, up to rounding, get a scale that no rounding error reaches."""
    size = np.abs(location)
    varies = np.isfinite(scale) & (scale > ROUNDING * size)
    return np.where(varies, scale, np.maximum(UNSEEN * size, LEAST))


def _robust(X: np.ndarray, weight: Weight) -> tuple[np.ndarray, np.ndarray]:
    """Median, and the larger of the MAD and 0.6 of the deviation winsorised at the outer tenths.

    For a Gaussian column that is the MAD. Where most cells hold nearly one value (strokes on paper,
    counts of mostly nothing) the second keeps the rest on a sensible scale; where a tenth is not
    enough, milder winsorising and at last the plain deviation do.
    """
    X, weight = some_rows(X, weight)
    location, scale = by_columns(lambda block: _robust_block(block, weight), X)
    return location, scale


def _robust_block(X: np.ndarray, weight: Weight) -> tuple[np.ndarray, np.ndarray]:
    location = median(X, weight)
    scale = np.maximum(mad_scale(X, weight, location), 0.6 * winsorised_sd(X, weight, 0.1)[1])
    rounding = rounding_sd(X)
    for fallback in (winsorised_sd, mean_sd):
        rough = ~(scale > rounding)
        if rough.any():
            scale[rough] = fallback(X[:, rough], weight)[1]
    return location, scale


def _global(X: np.ndarray, weight: Weight) -> tuple[np.ndarray, np.ndarray]:
    """One winsorised mean and deviation for all cells: they share their unit."""
    cells = thinned(X)
    weights = None if weight is None else thinned(np.broadcast_to(weight[:, None], X.shape))
    mean, sd = winsorised_sd(cells, weights)
    sd = sd if sd > 0 else mean_sd(cells, weights)[1]
    return np.full(X.shape[1], mean), np.full(X.shape[1], sd)


_FITS = {"robust": _robust, "standard": mean_sd, "global": _global}


def fit_scaling(scaling: Any, X: np.ndarray, weight: Weight = None) -> Scaling:
    """Fit a scaling to X, shape (n, d), NaN for missing.

    Parameters
    ----------
    scaling : {"robust", "standard", "global"}, None, a scikit-learn transformer, or a `ColumnScaling`
        The last is returned as it is.

    Raises
    ------
    InputError
        If `scaling` is none of these.
    """
    d = X.shape[1]
    if isinstance(scaling, ColumnScaling):
        return scaling
    if scaling is None:
        return ColumnScaling(np.zeros(d), np.ones(d))
    if hasattr(scaling, "transform"):
        return _fit_transformer(scaling, X)
    location, scale = _FITS[one_of("scaling", scaling, ["auto", *_FITS])](X, weight)
    location = np.where(np.isfinite(location), location, 0.0)
    return ColumnScaling(location, _usable(scale, location))


def _fit_transformer(transformer: Any, X: np.ndarray) -> TransformerScaling:
    from sklearn.base import clone

    if not hasattr(transformer, "inverse_transform"):
        raise InputError(f"scaling={transformer!r} needs an inverse_transform to give results in X's units.")
    fitted: Any = clone(transformer)
    fitted.fit(X)
    if np.shape(fitted.transform(X[:1])) != (1, X.shape[1]):
        raise InputError(f"scaling={transformer!r} changes the number of columns.")
    return TransformerScaling(fitted)
