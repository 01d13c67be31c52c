"""lam tied to the noise: a robust scale of the residuals, estimated jointly with theta."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from robustae.solvers.objective import Problem
from robustae.stats.scales import MAD_TO_SD, quantile, scale_beside_spike, scale_of_cells, scale_of_rows
from robustae.utils.checks import InputError

__all__ = ["K_NOISE", "LEAST_NOISE", "NoiseRule", "geometric", "lam_of_noise", "valid_lam"]

K_NOISE = 0.5  # lam = 2 k sigma: residuals beyond half a noise deviation are pulled with constant force
LEAST_NOISE = (
    1e-3  # below this share of a column's spread noise is not distinguished from the fit's own error
)
ROWS = 4000  # enough rows for a median by column
CELLS = 200_000  # enough cells for one scale


@dataclass(frozen=True)
class NoiseRule:
    """How noisy the residuals are: by "columns" or all "cells" 1.4826 times their median size.

    By "rows" it is the root mean square of the median row. In pictures that are mostly background the
    median cell does not show the strokes, the median row does.

    Attributes
    ----------
    by : {"columns", "cells", "rows"}
        One scale for every column (tables), or one for all (images, video).
    floor : array, shape (d,)
        Least scale by column, in the model's units.
    width : int
        Width of the code, for the degrees of freedom it spends.
    """

    by: str
    floor: np.ndarray
    width: int

    def __call__(self, problem: Problem, module: nn.Module) -> np.ndarray:
        """Noise scale by column, shape (d,)."""
        d = len(self.floor)
        R, weight = problem.residuals(module, ROWS if self.by == "columns" else max(CELLS // d, 20))
        if self.by == "columns":
            sigma = np.nan_to_num(MAD_TO_SD * quantile(np.abs(R), 0.5, weight))
            return np.maximum(sigma * self._freedom(problem.distinct_rows, d), self.floor)
        one = scale_of_cells(R, weight) if self.by == "cells" else scale_of_rows(R, weight)
        sigma = np.full(d, np.nan_to_num(one))
        return np.maximum(sigma * self._freedom(problem.distinct_rows, d), np.median(self.floor))

    def widening(self, problem: Problem, module: nn.Module, sigma: np.ndarray) -> np.ndarray:
        """How many times wider than sigma the scale is by which cells are judged, shape (d,), from 1 on.

        Wider where much of a column holds one value: lam keeps the narrow scale there, which holds Xhat to
        that value, and so do energies, since it ranks rows better.
        """
        if self.by != "columns":
            return np.ones(len(self.floor))
        R, weight = problem.residuals(module, ROWS)
        cells = problem.target[problem.spread_rows(ROWS)].cpu().numpy()
        wider = np.nan_to_num(scale_beside_spike(np.abs(R), cells, weight))
        return np.maximum(wider * self._freedom(problem.distinct_rows, len(sigma)) / sigma, 1.0)

    def _freedom(self, n: float, d: int) -> float:
        """Inflation for the degrees of freedom that K codes a row and K + 1 weights a column spend."""
        rows = max(n - self.width - 1, 0.1 * n) / n
        columns = max(d - self.width, 0.1 * d) / d
        return 1 / np.sqrt(rows * columns)


def lam_of_noise(sigma: np.ndarray, problem: Problem) -> Any:
    """lam = 2 k sigma: by column where the penalty works cell by cell, else at the median sigma."""
    if problem.penalty.lam_by_column and np.ptp(sigma) > 0:
        return 2 * K_NOISE * sigma
    return float(2 * K_NOISE * np.median(sigma))


def valid_lam(lam: Any) -> Any:
    """Return "auto" or a positive float, inf included."""
    if isinstance(lam, str) and lam == "auto":
        return lam
    if isinstance(lam, (int, float, np.number)) and not isinstance(lam, bool) and lam > 0:
        return float(lam)
    why = " (lam=0 would send every cell to N and leave nothing to learn)" if lam == 0 else ""
    raise InputError(f"lam={lam!r} must be 'auto', a positive number or inf{why}.")


def geometric(lam_max: float, steps: int, ratio: float) -> np.ndarray:
    """Return `steps` values from lam_max down to ratio * lam_max, evenly spaced in their logarithm."""
    return lam_max * np.geomspace(1.0, ratio, steps)
