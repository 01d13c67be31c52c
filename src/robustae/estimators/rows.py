"""What a fitted estimator holds, and its methods that give results by row."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from robustae.data.kinds import Kind
from robustae.data.rows import NumberRows
from robustae.fit.members import one_thread_for
from robustae.fit.mixed import OfColumns, rows_of
from robustae.fit.model import Model
from robustae.stats.scales import Weight
from robustae.stats.thresholds import Calibration, offset, valid_rate
from robustae.utils.checks import InputError

__all__ = ["RowMethods"]


class RowMethods(OfColumns):
    """A fitted estimator: what its other methods and the functions of this room find in it."""

    predictor: Any
    contamination: Any
    models_: list[Model]
    kind_: Kind
    calibration_: Calibration
    _energies_of_fit: tuple[np.ndarray, Weight]
    predictor_name_: str | None
    energy_: str
    hidden_: Any
    mu_: float
    objective_: float
    history_: list[float]
    n_iter_: int
    status_: str
    offset_: float
    n_samples_fit_: int

    def _rows(self, X: Any) -> NumberRows:
        check_is_fitted(self)
        return rows_of(self, X, self.image_shape_)

    def _energies(self, rows: NumberRows) -> np.ndarray:
        return np.mean([rows.energies(model) / model.unit for model in self.models_], axis=0)

    @property
    def image_shape_(self):
        """(height, width[, channels]) of images, None for all else."""
        return self.kind_.image_shape

    def score_samples(self, X):
        """Minus the energies of the rows, shape (n,): higher is more normal."""
        rows = self._rows(X)
        with one_thread_for(self.predictor):
            return -self._energies(rows)

    def decision_function(self, X):
        """`score_samples` minus `offset_`, shape (n,): negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """+1 for normal rows and -1 for anomalies, shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def predict_proba(self, X):
        """Probabilities of normal and anomaly, shape (n, 2), in that order (as PyOD has it).

        The second is 1 - p, p the share of clean unseen rows with at least that energy: of clean rows one in
        twenty exceeds .95.
        """
        energies = -self.score_samples(X)
        anomaly = 1 - self.calibration_.p_values(energies)
        return np.column_stack([1 - anomaly, anomaly])

    @property
    def predictor_(self):
        """The first member's nn.Module."""
        return self.models_[0].predictor

    @property
    def column_lam_(self):
        """The first member's lam by column, shape (d,)."""
        model = self.models_[0]
        return np.broadcast_to(np.asarray(model.lam, float), model.noise.shape).copy()

    @property
    def lam_(self):
        """The first member's lam: the median of `column_lam_`."""
        return float(np.median(self.column_lam_))

    @property
    def noise_scale_(self):
        """The first member's noise deviations by column, shape (d,)."""
        return self.models_[0].noise

    def _set_threshold(self, energies: np.ndarray, weight: np.ndarray | None, contamination: Any):
        self.offset_ = offset(energies, contamination, weight, self.calibration_)
        self._energies_of_fit = (energies, weight)
        return self

    def rethreshold(self, contamination="auto", *, false_alarms=None):
        """Move the threshold without a refit.

        Parameters
        ----------
        contamination : "auto", float in [0, 0.5] or callable
            As the parameter of the fit: a share of the training rows, or a rule from their energies to a
            threshold.
        false_alarms : float in (0, 0.5], optional
            Instead: the share of clean unseen rows that may be called.
        """
        check_is_fitted(self)
        if false_alarms is None:
            return self._set_threshold(*self._energies_of_fit, contamination)
        if contamination != "auto":
            raise InputError("rethreshold takes contamination or false_alarms, and both were given.")
        self.offset_ = -self.calibration_.limit(valid_rate(false_alarms))
        return self
