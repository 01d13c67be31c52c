"""What users of scikit-learn and PyOD expect of an estimator, said in their words."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from robustae.data.column_kinds import Column
from robustae.estimators.cells import CellMethods
from robustae.fit.model import Block, Model

__all__ = ["Conventions"]


class Conventions(TransformerMixin, CellMethods):
    """A transformer's methods, a score for searches, and PyOD's names for what a fit found."""

    # scikit-learn ----------------------------------------------------------------------------------

    def transform(self, X):
        """X with flagged and missing cells replaced, as `repaired` gives it: for pipelines.

        Returns
        -------
        array or DataFrame, of X's shape
        """
        return self.repaired(X)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of `transform`, shape (d,): those of the fit, or x0, x1, ..."""
        from sklearn.utils.validation import _check_feature_names_in

        check_is_fitted(self)
        return _check_feature_names_in(self, input_features)

    def score(self, X, y=None):
        """How good the model is on X, higher being better: what searches maximise by default.

        Parameters
        ----------
        X : array or DataFrame
        y : array, shape (n,), optional
            Known anomalies: 1 or True, normal rows being 0 or False; or -1, normal rows being 1. Of other
            values nothing is known, and they are not used.

        Returns
        -------
        float
            With y the average precision. Else minus the mean over columns of the logarithm of the residuals'
            scale (root of the mean square on scaled data, cells that are flagged left out).
        """
        if y is not None:
            from robustae.metrics import auprc

            scores, labels = self.score_samples(X), _anomalies(y)
            if labels is not None:
                return float(auprc(labels, -scores))
        rows, model = self._rows(X), self.models_[0]
        deviations = self._cells(rows, lambda block: _kept(model, block), dtype=np.float64)[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = (
                np.sqrt(np.nanmean(deviations**2, axis=0, where=~np.isnan(deviations))) * model.noise.ravel()
            )
        scale = scale[np.isfinite(scale)]
        return -float(np.mean(np.log(np.maximum(scale, np.finfo(np.float32).tiny)))) if len(scale) else 0.0

    @property
    def columns_(self) -> list[Column]:
        """What each column of the fit holds, how it is read, and why it is left out: a list of `Column`."""
        check_is_fitted(self)
        plan = getattr(self, "plan_", None)
        if plan is not None:
            return list(plan.columns)
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return [Column(str(name), "number") for name in names]

    # PyOD ------------------------------------------------------------------------------------------

    @property
    def decision_scores_(self) -> np.ndarray:
        """PyOD's name: energies of the rows of the fit, shape (n,), higher being more anomalous.

        Of a fit in batches those of an evenly spread sample of its rows.
        """
        check_is_fitted(self)
        return self._energies_of_fit[0].copy()

    @property
    def threshold_(self) -> float:
        """PyOD's name: the energy above which a row is an anomaly, minus `offset_`."""
        check_is_fitted(self)
        return -float(self.offset_)

    @property
    def labels_(self) -> np.ndarray:
        """PyOD's name: 1 for the rows of the fit that are anomalies, else 0, shape (n,)."""
        return (self.decision_scores_ > self.threshold_).astype(int)


def _kept(model: Model, block: Block) -> np.ndarray:
    """Residuals in noise deviations, NaN where missing or flagged."""
    from robustae.fit.explain import FLAG_AT

    deviations = model.deviations_of(block)
    return np.where(block.observed & (np.abs(deviations) <= FLAG_AT), deviations, np.nan)


def _anomalies(y: Any) -> np.ndarray | None:
    """Labels as 1 for anomalies and 0 for normal rows; None where they are of another kind."""
    labels = np.asarray(y)
    found = set(np.unique(labels).tolist())
    if found <= {0, 1}:
        return labels.astype(int)
    if found <= {-1, 1}:
        return (labels == -1).astype(int)
    warnings.warn("y is not used: 1 is an anomaly and 0 is not, or -1 is and 1 is not.", stacklevel=3)
    return None
