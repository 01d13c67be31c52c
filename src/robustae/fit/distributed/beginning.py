"""Where a fit of a source begins: at the fit of a sample, or where a checkpoint left it."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from robustae.data.kinds import kind_of
from robustae.data.rows import valid_image_shape
from robustae.fit import artifact
from robustae.fit.auto import Settings, settings_of
from robustae.fit.concentration import linear_distance
from robustae.fit.distributed.checkpoints import Arrays, Checkpoints, stable_text
from robustae.fit.distributed.course import Course, pace_of
from robustae.fit.distributed.data import Data, spread
from robustae.fit.distributed.descent import Descent, RowsToProblem, State
from robustae.fit.distributed.flat import Flat
from robustae.fit.lambdas import NoiseRule
from robustae.fit.members import Fitted, code_width, fit_models, noise_floor, problem_of
from robustae.fit.model import Model
from robustae.predictors import traits_of
from robustae.solvers import Result
from robustae.solvers.objective import Preprocessing
from robustae.stats.scaling import fit_scaling
from robustae.stats.thresholds import Calibration
from robustae.utils.checks import InputError

__all__ = ["Beginning", "Sample", "course_of"]

ROWS, CELLS = 20_000, 2**24  # of the sample
GRID = 2001  # quantiles that stand for a column when it is scaled
UNKNOWN = Calibration(np.zeros(0))  # of a fit that goes on: told at its end
IGNORED = ("verbose", "device", "n_estimators")  # a fit may be resumed with others of these


@dataclass(frozen=True)
class Sample:
    """Some rows in memory, and how all are scaled.

    Attributes
    ----------
    X : array, shape (m, d)
    settings : Settings
        All of whose scales are known.
    scaling : str or transformer
        As chosen.
    """

    X: np.ndarray
    settings: Settings
    scaling: Any

    @classmethod
    def of(cls, data: Data, params: dict[str, Any]) -> "Sample":
        """Gather it, the same in every process whatever their number; columns are scaled by all rows."""
        n, d = data.layout.n, len(data.one.columns)
        if n < 2:
            raise InputError(f"a model needs at least 2 rows, and the data have {n}.")
        X = data.of_rows(spread(n, min(ROWS, max(CELLS // d, 1000))), np.asarray)
        kind = kind_of(X, valid_image_shape(params["image_shape"], X))
        settings = settings_of(params, kind)
        settings = replace(settings, device=data.world.device(settings.device))
        chosen = settings.scaling
        if isinstance(settings.scaling, str):
            grid = data.sketch.quantile((np.arange(GRID) + 0.5) / GRID)
            settings = replace(settings, scaling=fit_scaling(settings.scaling, grid))
        return cls(X, settings, chosen)

    def fit(self, seed: int, beat: Callable[..., None]) -> Fitted:
        """Fit it as any other rows."""
        budget = replace(self.settings.budget, max_iter="auto", batch_size="auto", callback=beat)
        return fit_models(self.X, None, replace(self.settings, budget=budget), [seed])


@dataclass(frozen=True)
class Beginning:
    """What rank 0 finds out for all.

    Attributes
    ----------
    first : Fitted
        Of the sample.
    seed : int
    state : State
    about : dict
        What checkpoints are of.
    far_off : callable or None
        Which rows are not learned from.
    moments : dict or None
        Weights and Adam's moments of a checkpoint.
    """

    first: Fitted
    seed: int
    state: State
    about: dict[str, Any]
    far_off: Callable[[np.ndarray], np.ndarray] | None
    moments: dict[str, torch.Tensor] | None = None

    @classmethod
    def of(
        cls,
        data: Data,
        sample: Sample,
        seed: int,
        params: dict[str, Any],
        kept: Checkpoints | None,
        resume: bool,
        beat: Callable[..., None],
    ) -> "Beginning":
        """Fit the sample, unless there is a checkpoint to go on from."""
        about = {} if kept is None else _about(data, sample, params)
        found = kept.latest(about) if kept is not None and resume else None
        if found is not None:
            with artifact.damage_named():
                return cls._of_checkpoint(*found, sample, params)
        first = sample.fit(seed, beat)
        first.models[0].predictor.cpu()  # sent to processes whose GPU is another
        start = first.result.history[-1] * data.layout.n / len(sample.X)
        state = State(first.models[0].lam, first.models[0].noise, history=[start])
        return cls(first, seed, state, about, _far_off(sample, first))

    @classmethod
    def _of_checkpoint(
        cls, arrays: Arrays, description: dict[str, Any], sample: Sample, params: dict[str, Any]
    ) -> "Beginning":
        given = params["predictor"]
        own = None if isinstance(given, str) else given
        models, shape = artifact.unpack(arrays, description["model"], own)
        name, hidden = shape["predictor_name_"], shape["hidden_"]
        result = Result(description["history"], "")
        first = Fitted(name or own, models, result, hidden, np.empty(0), None, UNKNOWN)
        state, moments = State.of_arrays(arrays, description), _moments(arrays)
        _check(models, state, moments, description["seed"])
        return cls(first, description["seed"], state, description["about"], _far_off(sample, first), moments)


def _check(models: list[Model], state: State, moments: dict[str, torch.Tensor], seed: Any) -> None:
    """Refuse a checkpoint that no fit wrote."""
    (model,) = models
    shape = model.fill.shape
    if not 0 < model.unit < np.inf or model.clip is not None and not model.clip > 0:
        raise ValueError("its unit or clip is not above 0")
    if type(seed) is not int or min(state.epoch, state.step) < 0 or not state.history:
        raise ValueError("no fit is as far as that")
    if state.noise.shape != shape or np.shape(state.lam) not in ((), shape):
        raise ValueError("noise or lam are of another number of columns")
    numbers = [state.noise, state.total, state.history, *moments.values()]
    if not all(np.isfinite(part).all() for part in numbers) or not np.all(state.noise > 0):
        raise ValueError("it holds what is no number")
    if not np.all(np.asarray(state.lam) > 0) or not (moments["exp_avg_sq"] >= 0).all():
        raise ValueError("lam or squares are not above 0")


def _about(data: Data, sample: Sample, params: dict[str, Any]) -> dict[str, Any]:
    rows = {"rows": data.layout.n, "columns": data.one.columns, "shards": len(data.layout.bounds) - 1}
    of_params = {name: stable_text(value) for name, value in params.items() if name not in IGNORED}
    return rows | of_params | {"the data": data.digest(sample.X)}


def _moments(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix("adam."): torch.from_numpy(values.copy())
        for name, values in arrays.items()
        if name.startswith("adam.")
    }


def _preprocessing(first: Fitted, settings: Settings) -> Preprocessing:
    model = first.models[0]
    return Preprocessing(model.scaling, model.fill, model.clip, settings.far)


def _far_off(sample: Sample, first: Fitted) -> Callable[[np.ndarray], np.ndarray] | None:
    """Find rows that a trimmed penalty drops: farther out than those of the sample it keeps.

    Networks learn by heart what they are given, so their residuals do not show it.
    """
    trimmed, settings = sample.settings.penalty, sample.settings
    if not trimmed.drops_rows:
        return None
    inputs = problem_of(sample.X, None, _preprocessing(first, settings), settings).inputs.cpu().numpy()
    distance = linear_distance(inputs, None, trimmed)
    far = distance(inputs)
    return FarOff(distance, float(far[trimmed.keep(far)].max()))


@dataclass(frozen=True)
class FarOff:
    """Whether rows, as the encoder sees them, are farther than `limit`."""

    distance: Callable[[np.ndarray], np.ndarray]
    limit: float

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return self.distance(inputs) > self.limit


def course_of(data: Data, sample: Sample, begun: Beginning, kept: Checkpoints | None, every: float) -> Course:
    """Return what goes on from there."""
    first, settings = begun.first, replace(sample.settings, predictor=begun.first.predictor)
    model = first.models[0]
    module = deepcopy(model.predictor).to(settings.device, settings.dtype).requires_grad_(True)
    traits = traits_of(first.predictor)
    pace = pace_of(data.layout.n, settings.solver, settings.budget, traits.at_optimum)
    to_problem = RowsToProblem(_preprocessing(first, settings), settings, begun.far_off)
    descent = Descent(data, to_problem, Flat(module, pace.adam.lr), begun.seed, pace.batch, traits.random)
    floor = noise_floor(sample.X, model.scaling, settings)
    rule = NoiseRule(settings.noise_by, floor, code_width(settings, first.hidden))
    name = first.predictor if isinstance(first.predictor, str) else None
    shape = {"predictor_name_": name, "hidden_": first.hidden, "image_shape_": settings.image_shape}
    course = Course(descent, begun.state, pace, model, sample.X, rule, kept, begun.about, shape, every)
    if begun.moments is not None:
        with artifact.damage_named():
            descent.flat.restore(begun.moments)
    else:
        course.save()
    return course
