"""The estimator's methods for rows that are read in batches."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from robustae.data.columns import Columns, plan_of
from robustae.data.streams import row_source
from robustae.data.whole import image_shape_of
from robustae.estimators.cells import CellMethods
from robustae.estimators.scoring import score_source
from robustae.fit.distributed import SourceFit, SourceOptions, fit_source, world_here
from robustae.utils.progress import stages_shown

__all__ = ["SourceMethods"]


class SourceMethods(CellMethods):
    """Fits and scores of more rows than memory holds."""

    verbose: Any
    _seeds: Any
    _keep: Any

    def fit_source(
        self,
        source,
        *,
        checkpoint=None,
        resume=False,
        spill=None,
        own_rows=False,
        every=60.0,
        callback=None,
        progress=None,
    ):
        """Fit to rows that are read in batches, as many as there are, by as many processes as there are.

        Under torchrun, Ray Train or Spark's TorchDistributor every process calls it alike, and has the
        same model afterwards, to the last bit that of one process alone.

        Parameters
        ----------
        source : path, pattern, folder, list of these, iterator, function, Arrow reader, or RowSource
            See `robustae.data.streams.row_source`. Numbers only; NaN for missing.
        checkpoint : path, optional
            Folder for the state of the fit, written when an epoch ends and every `every` seconds.
        resume : bool, default=False
            Go on from the latest checkpoint there, if there is one, with any number of processes: the
            result is that of a fit never interrupted, to the last bit.
        spill : path or False, optional
            Folder that keeps the rows in float32 for other fits; False decodes the source anew in each epoch.
        own_rows : bool, default=False
            Each process has rows of its own (`source` may be a list of such parts), and not all the same.
        every : float, default=60
            Seconds.
        callback : callable, optional
            ``callback(epoch, epochs, objective)``.
        progress : callable, optional
            ``progress(what, rows so far, rows in all or None)``, what being "read" or "fit".

        Returns
        -------
        RobustAutoencoder
            This object. `max_iter` counts epochs over all rows ("auto": 2 million rows in all, one epoch at
            least, 20 at most). Ctrl-C, in any of the processes, ends the fit in all with the weights so far.

        Raises
        ------
        InputError
            If the source, a parameter or the checkpoint cannot be used.
        distributed.PeerLost
            If another process ends before its time.
        """
        world = world_here()
        options = SourceOptions(checkpoint, resume, spill, own_rows, every)
        params, seed = self.get_params(deep=False), int(self._seeds()[0])
        if params["image_shape"] is None:
            params["image_shape"] = image_shape_of(source)
        source = source if own_rows else row_source(source)
        with stages_shown(self.verbose and world.rank == 0, progress) as report:
            found = fit_source(source, params, seed, options, callback, report, world)
        self._name_columns(found, plan_of(found.columns, getattr(source, "kinds", {})))
        self._keep(found.fitted)
        return self

    def _name_columns(self, found: SourceFit, plan: Columns | None) -> None:
        self.plan_ = plan
        self.n_features_in_, self.n_samples_fit_ = len(found.columns), found.n_rows
        self.__dict__.pop("feature_names_in_", None)
        if found.named:
            self.feature_names_in_ = np.asarray(found.columns, dtype=object)

    def score_source(self, source, out=None, progress=None):
        """Score rows that are read in batches, in the memory of one batch.

        Parameters
        ----------
        source : path, pattern, folder, list of these, iterator, function, Arrow reader, or RowSource
        out : path, optional
            .csv, .parquet or .npy for row (from 0 on), score, flagged and probability; whole or absent.
        progress : callable, optional
            ``progress(rows so far, rows in all or None)``.

        Returns
        -------
        array, shape (n,), or dict
            The scores; with `out` a summary of them.
        """
        check_is_fitted(self)
        return score_source(self, source, out, progress)
