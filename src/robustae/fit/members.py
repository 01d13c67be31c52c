"""From raw rows to fitted models: merge, scale, size, train, measure the noise."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from robustae.data.kinds import WIDEST
from robustae.fit.auto import Settings, choices, closed_choices, sized
from robustae.fit.closed import Prepared, cell_by_cell, result_of
from robustae.fit.energies import ENERGIES
from robustae.fit.lambdas import LEAST_NOISE, NoiseRule
from robustae.fit.model import Model
from robustae.fit.ranking import RowsOfFit, calibrated, ranked, rows_of_fit
from robustae.fit.training import Refresh, Trained, train
from robustae.fit.whole_rows import cells_err_together, whole_rows
from robustae.predictors import build, named, start, traits_of
from robustae.solvers import Result, Solver, choose
from robustae.solvers.objective import Preprocessing, Problem, prepare
from robustae.stats.scales import (
    Weight,
    by_columns,
    median,
    quantile,
    rounding_sd,
    some_rows,
    thinned,
    winsorised_sd,
)
from robustae.stats.scaling import ColumnScaling, Scaling, fit_scaling
from robustae.stats.thresholds import Calibration

__all__ = [
    "Fitted",
    "code_width",
    "fit_models",
    "merged_rows",
    "noise_floor",
    "one_thread_for",
    "own_seed",
    "prepared",
    "problem_of",
    "with_energies",
]

FEW_THREADS = 4
ROUNDING = 2.0  # units in the last place of the median: the least noise of a column


@dataclass(frozen=True)
class Fitted:
    """Members of a fit, the first one's course, and what the threshold needs.

    `choices` are the automatic ones, by the fitted attribute that holds each. `calibration` is of energies of
    clean rows that the fit has not seen.
    """

    predictor: Any
    models: list[Model]
    result: Result
    hidden: tuple[int, ...]
    energies: np.ndarray
    weight: Weight
    calibration: Calibration
    choices: dict[str, Any] = field(default_factory=dict)


def merged_rows(X: np.ndarray, weight: Weight) -> tuple[np.ndarray, Weight]:
    """Sort the rows and merge equal ones into one that weighs as much.

    So a fit does not depend on the order of the rows, and a weight w counts exactly like w copies.
    The order is by value, so that units and number types do not change it.
    """
    order = _order(X)
    X = X[order]
    keys = _keys(X)
    first = np.r_[True, keys[1:] != keys[:-1]]
    if weight is None and first.all():
        return X, None
    sums = np.add.reduceat(np.ones(len(X)) if weight is None else weight[order], np.flatnonzero(first))
    return X[first], None if (sums == 1).all() else sums


def _order(X: np.ndarray) -> np.ndarray:
    """Sort rows by up to 16 columns; bytes decide between rows alike in them, so equal rows meet."""
    first = np.argsort(X[:, 0], kind="stable")
    if (np.diff(X[first, 0]) > 0).all():
        return first
    columns = np.unique(np.linspace(0, X.shape[1] - 1, 16).astype(int))
    keys = _keys(X)
    by_bytes = np.argsort(keys, kind="stable")
    rank = np.empty(len(X), dtype=np.intp)
    rank[by_bytes] = np.arange(len(X))
    return np.lexsort([rank, *X[:, columns[::-1]].T])


def _keys(X: np.ndarray) -> np.ndarray:
    """Every row as one value that can be sorted and compared: its bytes."""
    X = np.ascontiguousarray(X)
    return X.view(np.dtype((np.void, X.dtype.itemsize * X.shape[1]))).ravel()


def problem_of(X: np.ndarray, weight: Weight, preprocessing: Preprocessing, settings: Settings) -> Problem:
    """Return the problem X poses, lam still open where it is automatic."""
    parts = prepare(X, weight, preprocessing, settings.dtype)
    target, inputs = parts.target.to(settings.device), parts.inputs.to(settings.device)
    observed = None if parts.observed is None else parts.observed.to(settings.device)
    rows = None if weight is None else torch.from_numpy(weight).to(target)
    lam = np.inf if settings.auto_lam else settings.lam
    return Problem(target, inputs, observed, rows, settings.penalty, lam, settings.mu, parts.excess)


def _preprocessing(X: np.ndarray, weight: Weight, settings: Settings) -> Preprocessing:
    """Fit the scaling, and what a missing cell counts as: the median of its column."""
    scaling = fit_scaling(settings.scaling, X, weight)
    fill = np.zeros(X.shape[1])
    if settings.scaling is None or X.dtype.kind == "f" and np.isnan(X).any():
        some, weight = some_rows(X, weight)
        fill = np.nan_to_num(
            by_columns(lambda Z: median(Z, weight), scaling.transform(some.astype(np.float64)))
        )
    return Preprocessing(scaling, fill, settings.clip, settings.far)


def noise_floor(X: np.ndarray, scaling: Scaling, settings: Settings) -> np.ndarray:
    """Return the least noise by column, in the model's units: of rounding, and a share of the spread.

    A column without any spread takes the typical one: noise is never 0.
    """
    cells = some_rows(X, None)[0] if settings.by_column else thinned(X)[:, None]
    scale = scaling.scale if isinstance(scaling, ColumnScaling) else 1.0
    if not isinstance(scaling, ColumnScaling):
        cells = scaling.transform(some_rows(X, None)[0].astype(np.float64))
    rounding, spread = by_columns(_rounding_and_spread, cells) / scale
    typical = np.median(spread[spread > 0]) if (spread > 0).any() else 1.0
    least = np.maximum(rounding, LEAST_NOISE * np.where(spread > 0, spread, typical))
    return np.broadcast_to(least, X.shape[1:])


def _rounding_and_spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    own = ROUNDING * np.finfo(float).eps * np.abs(np.nan_to_num(median(x)))
    return np.maximum(rounding_sd(x), own), winsorised_sd(x, share=0.1)[1]


def fit_models(X: np.ndarray, weight: Weight, settings: Settings, seeds: Any) -> Fitted:
    """Fit one member for each seed to X, shape (n, d), NaN for missing."""
    if weight is not None:
        X, weight = X[weight > 0], weight[weight > 0]
    if settings.sources is not None:
        settings = replace(settings, sources=settings.sources.counted(X, weight))
    if traits_of(settings.predictor).closed_form:
        return _closed(X, weight, settings)
    problem, preprocessing, floor = _posed(X, weight, settings)
    settings, hidden = sized(settings, problem.inputs.cpu().numpy())
    noise = NoiseRule(settings.noise_by, floor, code_width(settings, hidden))
    members = []
    for seed in seeds:
        members.append(_member(problem, hidden, noise, settings, int(seed)))
        if members[-1].result.interrupted:
            break
    models = [_model(trained, noise, preprocessing, settings) for trained in members]
    result = members[0].result
    if len(members) < len(seeds):
        status = f"interrupted: {len(members)} of {len(seeds)} members are kept, the last as far as it came."
        result = replace(result, interrupted=True, status=status)
    solver = members[0].solver
    del problem, members  # the rows are scored in their own units: let go of the scaled ones
    models, calibration = with_energies(models, X, weight, settings)
    models, energies = _united(models, X, weight)
    if calibration is None or len(models) > 1:
        calibration = calibrated(models[0], energies, weight)
    chosen = choices(settings, solver, X.shape[0], len(seeds))
    return Fitted(settings.predictor, models, result, hidden, energies, weight, calibration, chosen)


def _closed(X: np.ndarray, weight: Weight, settings: Settings) -> Fitted:
    """Fit what needs no descent: once, whatever the seeds."""
    merged, copies = merged_rows(X, weight)
    preprocessing = _preprocessing(merged, copies, settings)
    floor = noise_floor(merged, preprocessing.scaling, settings)
    settings, model, rows = _of_kind(Prepared.of(merged, copies, preprocessing, floor), settings)
    model, calibration = ranked(model, rows, settings)
    return Fitted(
        settings.predictor,
        [model],
        result_of(rows),
        (),
        model.energies(X),
        weight,
        calibration,
        closed_choices(settings),
    )


def _of_kind(prepared: Prepared, settings: Settings) -> tuple[Settings, Model, RowsOfFit]:
    """Fit cell by cell or by whole rows, and return the settings with the one named that was."""
    if not traits_of(settings.predictor).whole_rows:
        model, rows = cell_by_cell(prepared, settings)
        undecided = settings.undecided and prepared.Z.shape[1] <= WIDEST and prepared.there.all()
        if not (undecided and cells_err_together(rows)):
            return settings, model, rows
        settings = settings.of_whole_rows()
    return settings, *whole_rows(prepared, settings)


def with_energies(
    models: list[Model], X: np.ndarray, weight: Weight, settings: Settings
) -> tuple[list[Model], Calibration | None]:
    """Give the models their energies; the first one's tell those of clean unseen rows of tables."""
    kind = ENERGIES[settings.energy]
    if not settings.by_column and not kind.needs_rows:
        return [model.having(energy=kind()) for model in models], None
    rows, copies = merged_rows(X, weight)
    found = [ranked(model, rows_of_fit(model, rows, copies, settings.clean), settings) for model in models]
    return [model for model, _ in found], found[0][1]


def _posed(X: np.ndarray, weight: Weight, settings: Settings) -> tuple[Problem, Preprocessing, np.ndarray]:
    """Return the problem that X poses, its preprocessing, and the least noise by column."""
    X, weight = merged_rows(X, weight)
    preprocessing = _preprocessing(X, weight, settings)
    return (
        problem_of(X, weight, preprocessing, settings),
        preprocessing,
        noise_floor(X, preprocessing.scaling, settings),
    )


def code_width(settings: Settings, hidden: tuple[int, ...]) -> int:
    """Return the width of the bottleneck, 0 where there is none."""
    return hidden[-1] if hidden else 0


def _module(problem: Problem, hidden: tuple[int, ...], settings: Settings, seed: int) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    module = build(settings.predictor, problem.shape[1], hidden, settings.image_shape, generator)
    return module.to(problem.target)


def _member(
    problem: Problem, hidden: tuple[int, ...], noise: NoiseRule, settings: Settings, seed: int
) -> Trained:
    trimmed = settings.penalty if settings.penalty.drops_rows else None
    auto_lam = settings.auto_lam and settings.penalty.kept.uses_lam
    refresh = Refresh(noise, auto_lam, trimmed, problem.weight)
    with own_seed(seed):
        module = _module(problem, hidden, settings, seed)
        solver = choose(settings.solver, module, problem)
        return train(problem, module, solver, settings.budget, refresh, seed)


@contextmanager
def own_seed(seed: int) -> Iterator[None]:
    """Seed what a user's module draws, its dropout included, and restore the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def prepared(X: np.ndarray, settings: Settings, seed: int) -> tuple[Problem, torch.nn.Module, Solver]:
    """Return the problem X poses, the predictor at its start, and the solver: for paths over lam."""
    X, weight = merged_rows(X, None)
    preprocessing = replace(_preprocessing(X, weight, settings), far=np.inf)  # lam goes through inf here
    problem = problem_of(X, weight, preprocessing, settings)
    settings, hidden = sized(settings, problem.inputs.cpu().numpy())
    with own_seed(seed):
        module = _module(problem, hidden, settings, seed)
    start(module, problem.inputs.cpu().numpy(), weight, robust=True)
    module.to(problem.target)
    return problem, module, choose(settings.solver, module, problem)


def _model(trained: Trained, noise: NoiseRule, preprocessing: Preprocessing, settings: Settings) -> Model:
    penalty = settings.penalty
    if trained.cutoff is not None:
        penalty = penalty.at(trained.cutoff)
    sigma = noise(trained.problem, trained.module)
    widening = noise.widening(trained.problem, trained.module, sigma)
    module = trained.module.double().eval().requires_grad_(False)
    lam = trained.problem.lam
    return Model(
        module,
        penalty,
        lam,
        preprocessing.scaling,
        preprocessing.clip,
        sigma,
        preprocessing.fill,
        ENERGIES["log"](),  # until the rows have been looked at
        widening=widening,
        sources=settings.sources,
    )


def _united(models: list[Model], X: np.ndarray, weight: Weight) -> tuple[list[Model], np.ndarray]:
    """Give the members of an ensemble their units, and return the energies of the rows."""
    if len(models) == 1:
        return models, models[0].energies(X)
    each = [model.energies(X) for model in models]
    units = [max(float(quantile(energies, 0.5, weight)), np.finfo(float).tiny) for energies in each]
    models = [model.having(unit=unit) for model, unit in zip(models, units, strict=True)]
    return models, np.mean([energies / unit for energies, unit in zip(each, units, strict=True)], axis=0)


class one_thread_for:
    """Run small predictors on one thread of torch's and of BLAS's, and restore the settings on leaving.

    Two threads beside another busy process were 5 to 20 times slower than one. Users' modules keep
    what is set, and so does what gains from threads where there are more than four.
    """

    def __init__(self, predictor: Any):
        self.before = torch.get_num_threads()
        self.limit = named(predictor) is not None and (
            not traits_of(predictor).parallel or self.before <= FEW_THREADS
        )

    def __enter__(self) -> None:
        if self.limit and self.before > 1:
            torch.set_num_threads(1)
        self.blas = _libraries().limit(limits=1, user_api="blas") if self.limit else nullcontext()
        self.blas.__enter__()

    def __exit__(self, *_: Any) -> None:
        self.blas.__exit__(None, None, None)
        if torch.get_num_threads() != self.before:
            torch.set_num_threads(self.before)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()  # takes milliseconds to find them
