"""From the energies of the training rows to a threshold, and to the probability of an anomaly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf

from robustae.stats.scales import Weight, quantile
from robustae.utils.checks import InputError

__all__ = ["CleanPart", "clean_part", "offset", "valid_contamination"]

CUT = 3.0  # deviations above the clean part at which a row is called anomalous
QUARTILE_TO_SD = 0.6744897501960817
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

    def probability(self, energies: np.ndarray) -> np.ndarray:
        """Probability that a clean row has a lower energy, counted above the centre.

        This is the Gaussian scaling of Kriegel et al. (2011): max(0, erf(z / sqrt 2)).
        """
        z = (energies**self.power - self.centre) / max(self.spread, np.finfo(float).tiny)
        return np.maximum(0.0, erf(z / np.sqrt(2.0)))

    @property
    def limit(self) -> float:
        """Energy `CUT` deviations above the centre."""
        return (self.centre + CUT * self.spread) ** (1 / self.power)


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
        part = CleanPart(float(centre), float(max(centre - low, upper) / QUARTILE_TO_SD), power)
        now = y <= part.centre + CUT * part.spread
        if (now == inside).all() or not now.any():
            break
        inside = now
    return part


def valid_contamination(contamination: Any) -> Any:
    """Return "auto" or a share in [0, 0.5]."""
    if isinstance(contamination, str) and contamination == "auto":
        return contamination
    share = contamination if isinstance(contamination, (int, float, np.number)) else -1.0
    if not isinstance(contamination, bool) and 0 <= float(share) <= 0.5:
        return float(share)
    raise InputError(f"contamination={contamination!r} must be 'auto' or a share in [0, 0.5].")


def offset(
    energies: np.ndarray, contamination: Any = "auto", weight: Weight = None, clean: CleanPart | None = None
) -> float:
    """Return `offset_`: a row is anomalous where its score, minus its energy, lies below it.

    Parameters
    ----------
    energies : array, shape (n,)
        Of the training rows, positive, higher = more anomalous.
    contamination : "auto" or float in [0, 0.5]
        A share gives the exact percentile of the scores. "auto" cuts 3 deviations above the clean
        part, but flags at least the worst training row unless all rows are alike.
    clean : CleanPart, optional
        Of the energies, or of what unseen rows like them would have.
    """
    contamination = valid_contamination(contamination)
    if contamination != "auto":
        return float(quantile(-energies, contamination, weight))
    worst = -energies.max()
    if worst == -energies.min():
        return float(worst)
    above_worst = worst + max(1e-9 * abs(worst), 1e-300)  # by more than rounding can move a score
    return float(max(-(clean or clean_part(energies, weight)).limit, above_worst))
