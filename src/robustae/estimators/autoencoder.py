"""The scikit-learn face of the robust autoencoder."""

import os
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils import ClassifierTags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from robustae.data import Table
from robustae.data.kinds import Kind
from robustae.data.rows import NumberRows, read_weight, valid_image_shape
from robustae.data.streams import is_row_source
from robustae.data.whole import in_memory
from robustae.estimators.batched import SourceMethods
from robustae.estimators.export import to_onnx
from robustae.estimators.saving import Portable, restored, save, without_rows
from robustae.estimators.shown import Pictures
from robustae.fit.auto import Settings, settings_of, valid_members
from robustae.fit.learning import Learner, continued, fading, valid_forget
from robustae.fit.members import Fitted, fit_models, one_thread_for
from robustae.fit.mixed import rows_of
from robustae.fit.path import path_over_lam
from robustae.fit.ranking import calibrated
from robustae.predictors import PREDICTORS, encoder_of, traits_of
from robustae.utils.checks import InputError, known_names
from robustae.utils.progress import fit_shown

__all__ = ["RobustAutoencoder", "load"]


def _has_code(estimator: "RobustAutoencoder") -> bool:
    if hasattr(estimator, "models_"):
        return encoder_of(estimator.predictor_) is not None
    kind = PREDICTORS.get(estimator.predictor) if isinstance(estimator.predictor, str) else None
    return kind is None or hasattr(kind, "encode")


class RobustAutoencoder(OutlierMixin, Pictures, SourceMethods, Portable):
    """An autoencoder with an explicit, exact part N for gross outliers.

    It minimises, over the predictor's weights theta and N::

        ||X - (Xhat(theta) + N)||_F^2 + mu/2 Omega(theta) + lam P(N)

    (Chalapathy, Menon and Chawla 2017, equation (4)). N is eliminated exactly: for fixed theta it is
    a proximal step (soft-thresholding at lam/2 for the l1 penalty), and what is left is a smooth
    loss. So the model is trained on data that already contains anomalies, and scores unseen rows.

    Parameters
    ----------
    predictor : str, nn.Module or callable, default="auto"
        Xhat: "constant" (a robust centre), "linear", "sigmoid" (one hidden layer, f(XU)V), "deep"
        (ELU), "shallow" (each cell from all others, in closed form), "kernel" (rows made of other rows, for
        many columns of one unit), "conv" (ELU, needs `image_shape`), a
        module mapping (batch, d) or (batch, *image_shape) to the same shape, or a callable that takes
        d and returns one. "auto" is "shallow" for tables; for images and for tables that
        are not all numbers "linear", or "constant" where no component predicts held-out cells better.
    hidden : "auto", int or tuple of int, default="auto"
        Width of the code, or widths down to it. "auto" is the least width within 5 % of the best
        error on held-out cells; for "conv" 16, or d / 8 if that is less.
    image_shape : tuple of int, optional
        (height, width) or (height, width, channels), channels fastest; taken from X where X is
        (n, height, width[, channels]).
    penalty : str or Penalty, default="auto"
        P: "l1", "rows", "channels", "patches", "trimmed", "none", or an object of
        `robustae.penalties`. "auto": "l1"; for "conv" `Trimmed(.1, L1())`.
    lam : "auto" or float, default="auto"
        Weight of P on scaled data. "auto" is 2 k sigma with k = 0.5 and sigma a robust scale of the
        residuals, estimated jointly; inf is the plain autoencoder.
    mu : float, default=1e-4
        Weight of the sum of squared weights.
    scaling : str, None or transformer, default="auto"
        "robust" (by column), "standard", "global" (one centre and scale), None, or a scikit-learn
        transformer. "auto": "global" for images and bytes, else "robust".
    solver : str or Solver, default="auto"
        "alternating" (the paper's, in float64), "lbfgs", "adam", or an object of `robustae.solvers`.
    max_iter : "auto" or int, default="auto"
        Iterations or epochs at most; 0 keeps the start.
    tol : float, default=1e-4
        Relative decrease of the objective below which a fit has converged.
    batch_size : "auto" or int, default="auto"
        Rows in a step of Adam.
    energy : str, default="auto"
        A row's energy: "envelope", "squared", "log" (sum over cells of log(1 + (r / scale)^2)),
        "neighbours" (mean squared distance to the nearest rows of the fit), "combined" (log times a power of
        neighbours), "kernel" (the row as a whole, `stats.kernel`). "auto": "kernel" for images of up to 4096
        cells where no predictor is named and for `predictor="kernel"`, else "squared" for images; "log" for
        tables that are not all numbers, else "combined".
    n_estimators : "auto" or int, default="auto"
        Members that differ by their seeds; energies are averaged after division by each one's median.
        "auto": 2 for "conv", else 1.
    contamination : "auto", float or callable, default="auto"
        Share of anomalies in [0, 0.5], which makes `offset_` an exact percentile; "auto" needs none and calls
        about 1 % of clean unseen rows; a callable gives the threshold from the energies of the rows.
        0 means that the training rows are clean: nothing is trimmed, none is flagged.
    dtype : {"float32", "float64"}, default="float32"
        Of the fit; scoring is in float64.
    device : str, default="auto"
        A torch device; "auto" takes a GPU where there is one.
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    lam_ : float
        Weight of P on scaled data (the median of `column_lam_`).
    column_lam_ : array, shape (d,)
        The weights by column; all alike unless lam="auto" on a table.
    mu_, objective_ : float
        Weight of Omega, and the final objective.
    hidden_ : int or tuple of int
        Width of the code (0 for the constant, and for a module of your own), or widths down to it.
    predictor_ : nn.Module
        In float64.
    noise_scale_ : array, shape (d,)
        Noise deviations by column, in the units of the scaled data.
    offset_ : float
        Scores below it are anomalous; may be set.
    history_ : list of float
        Objective by iteration, for the final lam.
    n_iter_ : int
    status_ : str
        How the fit ended, as a sentence.
    n_features_in_ : int
    n_samples_fit_ : int
        Where X was read in batches.
    feature_names_in_ : array of str
        Where X was a DataFrame, or files with named columns.
    columns_ : list of tables.Column
        Where X was a mixed table: what each source column holds. Attributes by column are then by
        encoded column, d of them.

    Examples
    --------
    >>> import numpy as np
    >>> from robustae import RobustAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> X[:3] += 20
    >>> model = RobustAutoencoder(random_state=0).fit(X)
    >>> np.flatnonzero(model.predict(X) == -1)[:3]
    array([0, 1, 2])
    """

    def __init__(
        self,
        *,
        predictor="auto",
        hidden="auto",
        image_shape=None,
        penalty="auto",
        lam="auto",
        mu=1e-4,
        scaling="auto",
        solver="auto",
        max_iter="auto",
        tol=1e-4,
        batch_size="auto",
        energy="auto",
        n_estimators="auto",
        contamination="auto",
        dtype="float32",
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.predictor = predictor
        self.hidden = hidden
        self.image_shape = image_shape
        self.penalty = penalty
        self.lam = lam
        self.mu = mu
        self.scaling = scaling
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.energy = energy
        self.n_estimators = n_estimators
        self.contamination = contamination
        self.dtype = dtype
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True  # made dense, up to a size
        tags.classifier_tags = ClassifierTags(multi_class=False)  # of predict_proba: two columns
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "models_")

    def set_params(self, **params):
        """Set parameters by name; an unknown one is answered with the nearest known."""
        known_names("parameter", [name.partition("__")[0] for name in params], self.get_params(deep=False))
        return super().set_params(**params)

    # Fitting ---------------------------------------------------------------------------------------

    def fit(self, X, y=None, sample_weight=None, callback=None):
        """Fit to the rows of X, anomalies among them or not.

        Parameters
        ----------
        X : array or DataFrame, shape (n, d) or (n, height, width[, channels])
            NaN for missing cells. A DataFrame (or `robustae.data.MixedTable`) may hold texts, truth values,
            categories and dates, too. What is read in batches (files by their path, iterators,
            Arrow readers: see `fit_source`) is fitted without holding all of it in memory.
        y : ignored
        sample_weight : array, shape (n,), optional
            A weight w counts exactly like w copies of the row.
        callback : callable, optional
            ``callback(iteration, iterations_at_most, objective)``, for progress.

        Returns
        -------
        RobustAutoencoder
            This object. Ctrl-C ends the fit with the best weights so far and a warning.

        Raises
        ------
        InputError
            If a parameter, a row or the image shape cannot be used.
        """
        if is_row_source(X):
            table, rest = in_memory(X)
            if table is None:
                if sample_weight is not None:
                    raise InputError("sample_weight goes with rows in memory, and X is read in batches.")
                return self.fit_source(rest, callback=callback)
            return self._fit_table(table, sample_weight, callback)
        return self._fit(X, sample_weight, callback)

    def _fit_table(self, table: Table, sample_weight: Any, callback: Any):
        self._fit(table.values, sample_weight, callback)
        if table.named and self.plan_ is None:
            self.feature_names_in_ = np.array(table.columns, dtype=object)
        return self

    def _fit(self, X: Any, sample_weight: Any, callback: Any):
        image_shape = valid_image_shape(self.image_shape, X)
        rows: Any = rows_of(self, X, image_shape, reset=True)
        weight = read_weight(sample_weight, rows.values)
        settings = self._settings(rows)
        with fit_shown(self.verbose, callback) as report, one_thread_for(settings.predictor):
            settings = replace(settings, budget=replace(settings.budget, callback=report))
            fitted = fit_models(rows.values, weight, settings, self._seeds())
        self._keep(fitted)
        return self

    def partial_fit(self, X, y=None, sample_weight=None, forget=0.1):
        """Go on from the fit so far with one more batch of rows.

        The first batch is fitted whole and sets the scaling; every later one gives one epoch of Adam (or, for
        a fit in closed form, takes the place of a share of the scatter and of the references),
        noise, lam and the threshold follow slowly, the last by the energies of the latest 10 000 rows.
        `history_` then holds the objective of the latest batch before and after.

        Parameters
        ----------
        X : array or DataFrame
        y : ignored
        sample_weight : array, shape (n,), optional
        forget : float in [0, 1], default=0.1
            What a batch counts against all before it, less for one of few rows: the noise, and with it an
            automatic lam, goes that share of the way to the batch's. For the threshold the energies of
            earlier rows count that share less with every 1000 rows. Near 0 for what stays as it is, larger
            for what drifts.

        Raises
        ------
        InputError
            If `forget` is no such number, or the batch cannot be used.
        """
        forget = valid_forget(forget)
        if not hasattr(self, "models_"):
            return self.fit(X, y, sample_weight)
        rows = rows_of(self, X, self.image_shape_)
        weight = read_weight(sample_weight, rows.values)
        settings = self._settings(rows, self.kind_)
        if traits_of(self.predictor_).closed_form:
            return self._continued(rows, weight, forget)
        if not hasattr(self, "_learners"):
            self._learners = [Learner(model, settings) for model in self.models_]
        with one_thread_for(settings.predictor):
            steps = [
                learner.learn(model, rows.values, weight, settings, int(seed) + self.n_iter_, forget)
                for learner, model, seed in zip(self._learners, self.models_, self._seeds(), strict=False)
            ]
            self.models_ = [model for model, _ in steps]
            recent = fading(self._energies_of_fit, self._energies(rows), weight, forget)
        self.history_ = steps[0][1]
        self.objective_ = self.history_[-1]
        return self._ranked_by(recent, rows)

    def _continued(self, rows: Any, weight: Any, forget: float):
        self.models_ = [continued(model, rows.values, weight, forget) for model in self.models_]
        return self._ranked_by(fading(self._energies_of_fit, self._energies(rows), weight, forget), rows)

    def _ranked_by(self, recent: tuple[np.ndarray, np.ndarray], rows: Any):
        """Set the threshold by the energies of recent rows."""
        self.n_iter_ += 1
        self.status_ = f"continued on {len(rows.values)} more rows."
        self.calibration_ = calibrated(self.models_[0], *recent)
        return self._set_threshold(*recent, self.contamination)

    def _settings(self, rows: NumberRows, kind: Kind | None = None) -> Settings:
        settings = settings_of(self.get_params(deep=False), kind or rows.kind)
        return settings if rows.sources is None else settings.of_sources(rows.sources)

    def _seeds(self) -> np.ndarray:
        members = valid_members(self.n_estimators, self.predictor)
        return check_random_state(self.random_state).randint(2**31 - 1, size=members)

    def _keep(self, fitted: Fitted) -> None:
        self.__dict__.pop("_learners", None)
        self.models_ = fitted.models
        for name, value in fitted.choices.items():
            setattr(self, name, value)
        self.hidden_ = fitted.hidden if len(fitted.hidden) > 1 else sum(fitted.hidden)
        self.mu_ = float(self.mu)
        self.objective_ = fitted.result.history[-1]
        self.history_ = fitted.result.history
        self.n_iter_ = fitted.result.n_iter
        self.status_ = fitted.result.status
        self.calibration_ = fitted.calibration
        self._set_threshold(fitted.energies, fitted.weight, self.contamination)
        if fitted.result.interrupted:
            warnings.warn(self.status_, UserWarning, stacklevel=3)

    # What was found --------------------------------------------------------------------------------

    @available_if(_has_code)
    def encode(self, X):
        """Codes of the rows, shape (n, K)."""
        rows = self._rows(X)
        with one_thread_for(self.predictor):
            return self.models_[0].encode(rows.values)

    def lam_path(self, X, n_lams=20, ratio=1e-2):
        """Fit along lam, from lam = inf and the least lam with N = 0 down, each from the one before.

        Parameters
        ----------
        X : array or DataFrame
        n_lams : int
            Finite values of lam, down to ratio * lam_max in equal steps of the logarithm.
        ratio : float

        Returns
        -------
        dict of arrays
            lam (inf first), objective, share_nonzero (of N's cells), residual_scale (robust, on
            scaled data).
        """
        image_shape = valid_image_shape(self.image_shape, X)
        rows = rows_of(self, X, image_shape, reset=not hasattr(self, "models_"))
        settings = self._settings(rows)
        with one_thread_for(settings.predictor):
            return path_over_lam(rows.values, settings, int(self._seeds()[0]), n_lams, ratio)

    # Saving ----------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], references: bool = True) -> None:
        """Write the model to one file that `robustae.load` reads; nothing in it is ever executed.

        A module of your own is saved by its weights; `load` asks for the module again.

        Parameters
        ----------
        path : str or path
        references : bool, default=True
            Whether rows of the fit that others are compared with, and the numbers by which its rows are
            recognised, are written. Without them the model read ranks by cells alone: energy "log".
        """
        check_is_fitted(self)
        save(self if references else without_rows(self), path)

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the model as an ONNX graph: X (batch, d) in; score, reconstruction, outliers out.

        Scaling included; needs the extra `onnx`, and penalty "l1", "trimmed" or "none".
        """
        check_is_fitted(self)
        if self.plan_ is not None:
            raise InputError("to_onnx writes models of numbers, and this one takes other columns, too.")
        to_onnx(self.models_, path)


def load(path: str | os.PathLike[str], predictor: Any = None) -> RobustAutoencoder:
    """Read a model written by `RobustAutoencoder.save`.

    Parameters
    ----------
    path : str or path
    predictor : nn.Module or callable, optional
        The module the model was fitted with, where it was your own.

    Returns
    -------
    RobustAutoencoder
        Fitted; its scores are bit-identical to those of the one saved.

    Raises
    ------
    InputError
        If the file is missing, damaged, foreign or of a later version, or a module is needed.
    """
    return restored(RobustAutoencoder, path, predictor)
