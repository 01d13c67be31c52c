"""From the energies of the training rows to a threshold, and to the probability of an anomaly."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from robustae.stats.scales import MAD_TO_SD, Weight, quantile
from robustae.utils.checks import InputError

__all__ = [
    "FALSE_ALARMS",
    "Calibration",
    "CleanPart",
    "clean_part",
    "offset",
    "valid_contamination",
    "valid_rate",
]

CUT = 3.0  # deviations above the clean part at which a row is called anomalous
CUBE_ROOT = 1 / 3


@dataclass(frozen=True)
class CleanPart:
    """Centre and deviation of a power of the clean rows' energies that makes them nearly Gaussian.

    The cube root does so with a sum of squares, from one cell to thousands (Wilson and Hilferty 1931); a sum
    of logarithms over columns is nearly Gaussian as it is.
    """

    centre: float
    spread: float
    power: float = CUBE_ROOT

    @property
    def limit(self) -> float:
        """Energy `CUT` deviations above the centre."""
        return self.beyond(CUT)

    def beyond(self, deviations: float) -> float:
        """Energy so many deviations above the centre."""
        return (self.centre + deviations * self.spread) ** (1 / self.power)


def clean_part(energies: np.ndarray, weight: Weight = None, power: float = CUBE_ROOT) -> CleanPart:
    """Find the clean rows without labels.

    The lower half of the energies is taken for clean, which gives a first spread; rows `CUT`
    spreads above the centre are set aside, and the upper quarter of those left may widen the
    spread again, until nothing changes. Anomalies only stretch the upper tail, so the lower half
    bears almost half of them; skewed clean energies are met by the widening.
    """
    y = energies**power
    w = np.ones(len(y)) if weight is None else weight
    inside = np.ones(len(y), dtype=bool)
    part = CleanPart(0.0, 0.0, power)
    for step in range(20):
        low, centre, high = quantile(y[inside], (0.25, 0.5, 0.75), w[inside])
        upper = 0.0 if step == 0 else high - centre
        part = CleanPart(float(centre), float(MAD_TO_SD * max(centre - low, upper)), power)
        now = y <= part.centre + CUT * part.spread
        if (now == inside).all() or not now.any():
            break
        inside = now
    return part


SHARES = np.concatenate([np.linspace(1, 0.02, 99), np.geomspace(0.02, 1e-4, 62)[1:]])
FALSE_ALARMS = 0.01  # share of clean unseen rows that "auto" calls
ODD = 0.05  # share of clean rows beyond the worst row, up to which it is called
TIE = 1e-6  # relative difference that rounding may make


@dataclass(frozen=True)
class Calibration:
    """How energies of clean unseen rows are distributed.

    Attributes
    ----------
    energies : array, shape (160,)
        Ascending: those that shares of 1 to .0001 of the clean rows reach.
    rate : float
        Share of them that contamination="auto" calls.
    """

    energies: np.ndarray
    rate: float = FALSE_ALARMS

    @classmethod
    def of_rows(cls, energies: np.ndarray) -> "Calibration":
        """Of energies of clean rows, or of rows drawn like them."""
        return cls(np.sort(quantile(energies, 1 - SHARES)))

    @classmethod
    def of_clean_part(cls, part: CleanPart) -> "Calibration":
        """Of the Gaussian part of energies that include anomalies'; "auto" calls beyond 3 deviations."""
        powers = part.centre + part.spread * ndtri(1 - np.minimum(SHARES, 1 - SHARES[-1]))
        return cls(np.maximum(powers, 0.0) ** (1 / part.power), float(ndtr(-CUT)))

    def at_least(self, rate: float) -> "Calibration":
        """Return one that calls at least such a share of clean rows."""
        return replace(self, rate=max(self.rate, rate))

    def or_more(self, energies: np.ndarray, weight: Weight) -> "Calibration":
        """Return at least what rows themselves reach."""
        return replace(
            self, energies=np.maximum(self.energies, np.sort(quantile(energies, 1 - SHARES, weight)))
        )

    @property
    def sound(self) -> bool:
        """Whether it is one."""
        ascending = self.energies.shape == SHARES.shape and (np.diff(self.energies) >= 0).all()
        return bool(ascending and np.isfinite(self.energies).all() and 0 < self.rate < 1)

    def p_values(self, energies: np.ndarray) -> np.ndarray:
        """Shares of clean rows that reach each energy; 0 beyond what one in 10 000 reaches."""
        at = np.searchsorted(self.energies, energies * (1 - TIE))
        inside = np.clip(at, 1, len(SHARES) - 1)
        low, high = self.energies[inside - 1], self.energies[inside]
        part = np.clip((energies - low) / np.maximum(high - low, np.finfo(float).tiny), 0, 1)
        found = SHARES[inside - 1] ** (1 - part) * SHARES[inside] ** part
        return np.where(at == 0, 1.0, np.where(at == len(SHARES), 0.0, found))

    def limit(self, rate: float | None = None) -> float:
        """Return the energy that a share of the clean rows exceeds."""
        share = self.rate if rate is None else rate
        energy = np.interp(-np.log(share), -np.log(SHARES), self.energies)
        return float(energy + TIE * abs(energy))


def valid_contamination(contamination: Any) -> Any:
    """Return "auto", a share in [0, 0.5], or a callable."""
    if callable(contamination) or isinstance(contamination, str) and contamination == "auto":
        return contamination
    share = contamination if isinstance(contamination, (int, float, np.number)) else -1.0
    if not isinstance(contamination, bool) and 0 <= float(share) <= 0.5:
        return float(share)
    raise InputError(
        f"contamination={contamination!r} must be 'auto', a share in [0, 0.5], or a callable "
        "from energies to a threshold."
    )


def valid_rate(rate: Any) -> float:
    """Return a rate of false alarms in (0, 0.5].

    Raises
    ------
    InputError
        If it is none.
    """
    if isinstance(rate, (int, float, np.number)) and not isinstance(rate, bool) and 0 < rate <= 0.5:
        return float(rate)
    raise InputError(f"false_alarms={rate!r} must be a share in (0, 0.5].")


def offset(
    energies: np.ndarray,
    contamination: Any = "auto",
    weight: Weight = None,
    calibration: Calibration | None = None,
) -> float:
    """Return `offset_`: a row is anomalous where its score, minus its energy, lies below it.

    Parameters
    ----------
    energies : array, shape (n,)
        Of the training rows as unseen, positive, higher = more anomalous.
    contamination : "auto", float in [0, 0.5] or callable
        A share gives the exact percentile of the scores; a callable the threshold from the energies (of each
        copy of a row). "auto" calls what few clean rows reach, and the worst row where
        not many do.
    calibration : Calibration, optional
        Of clean unseen rows.
    """
    contamination = valid_contamination(contamination)
    if callable(contamination):
        return -_threshold(contamination, energies, weight)
    if contamination != "auto":
        return float(quantile(-energies, contamination, weight))
    calibration = calibration or Calibration.of_clean_part(clean_part(energies, weight))
    typical = float(quantile(energies, 0.5, weight)) * (1 + TIE)  # half of the rows are never called
    return -max(min(calibration.limit(), _below_worst(energies, weight, calibration)), typical)


def _below_worst(energies: np.ndarray, weight: Weight, calibration: Calibration) -> float:
    """Return what the worst row alone exceeds, inf where clean rows reach that, too, or many rows do."""
    worst = energies.max()
    with_it = energies >= worst * (1 - TIE)
    w = np.ones(len(energies)) if weight is None else weight
    lone = w[with_it].sum() <= max(1.0, FALSE_ALARMS * w.sum()) and not with_it.all()
    if not lone or calibration.p_values(np.array([worst]))[0] > ODD:
        return np.inf
    return float(worst * (1 - TIE))


def _threshold(rule: Any, energies: np.ndarray, weight: Weight) -> float:
    copies = None if weight is None or (weight != np.rint(weight)).any() else weight.astype(int)
    found = rule(energies.copy() if copies is None else np.repeat(energies, copies))
    try:
        threshold = float(found)
    except (TypeError, ValueError):
        threshold = np.nan
    if np.isnan(threshold):
        raise InputError(f"contamination: the callable returned {found!r}, and must return one number.")
    return threshold
