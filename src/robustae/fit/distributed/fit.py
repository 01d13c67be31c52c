"""The fit of a source, the same function in every process of it (SPMD)."""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from robustae.data.kinds import Kind
from robustae.fit.auto import choices
from robustae.fit.distributed.beginning import Beginning, Sample, course_of
from robustae.fit.distributed.checkpoints import Checkpoints
from robustae.fit.distributed.course import SECONDS, Course
from robustae.fit.distributed.data import Data, opened, spread
from robustae.fit.distributed.worlds import World, with_heartbeat, world_here
from robustae.fit.members import Fitted, one_thread_for, with_energies
from robustae.fit.ranking import calibrated
from robustae.predictors import traits_of
from robustae.solvers import Result
from robustae.utils.checks import InputError

__all__ = ["SourceFit", "SourceOptions", "fit_source"]

SCORED = 100_000  # rows whose energies set the threshold
ROWS = "rows"  # in the folder of checkpoints: what was read, until the fit is done


@dataclass(frozen=True)
class SourceOptions:
    """How rows are read from a source, kept and saved.

    Attributes
    ----------
    checkpoint : path, optional
        Folder for checkpoints, written by rank 0.
    resume : bool
        Go on from the latest one, if there is any.
    spill : path, None or False
        Folder that keeps the rows as they were read; False reads the source anew in each epoch. None takes
        a temporary folder, or one beside the checkpoints until the fit is done.
    own_rows : bool
        Each process has rows of its own, as a source or a list of them, and not all the same.
    every : float
        Seconds between checkpoints, beside those at the end of an epoch.
    """

    checkpoint: str | os.PathLike[str] | None = None
    resume: bool = False
    spill: Any = None
    own_rows: bool = False
    every: float = SECONDS

    @property
    def place(self) -> Any:
        """Where rows lie meanwhile."""
        if self.spill is None and self.checkpoint is not None:
            return Path(self.checkpoint).expanduser() / ROWS
        return self.spill


@dataclass(frozen=True)
class SourceFit:
    """A fit and what is known of its rows.

    Attributes
    ----------
    fitted : Fitted
    kind : Kind
    columns : list of d str
    named : bool
    n_rows : int
    world : World
    """

    fitted: Fitted
    kind: Kind
    columns: list[str]
    named: bool
    n_rows: int
    world: World


def fit_source(
    source: Any,
    params: dict[str, Any],
    seed: int,
    options: SourceOptions,
    callback: Callable[[int, int, float], Any] | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
    world: World | None = None,
) -> SourceFit:
    """Fit to all rows of a source, together with the other processes of `world`.

    First the rows are read, written as float32 and their quantiles taken; then a sample of 20 000 of them,
    the same for any number of processes, is fitted in memory; then Adam goes through all of them. N is never
    stored or sent: a step sends the sum of the gradients of a process's rows.

    Parameters
    ----------
    source : RowSource or what makes one
    params : dict
        The estimator's parameters.
    seed : int
        Rank 0's counts.
    options : SourceOptions
    callback : callable, optional
        ``callback(epoch, epochs, objective)``, on all ranks.
    progress : callable, optional
        ``progress(what, rows so far, rows in all)``, for "read" and "fit".
    world : World, optional
        Where this process was started, if not given.

    Raises
    ------
    InputError
        If a parameter, the source, or a checkpoint cannot be used.
    PeerLost
        If another process ends before its time.
    """
    _check(params, options)
    world = world_here() if world is None else world
    progress_of = {what: None if progress is None else partial(progress, what) for what in ("read", "fit")}
    with ExitStack() as stack:
        kept = _prepared(world, options, stack)
        data = opened(source, world, stack, options.own_rows, options.place, progress_of["read"])
        sample = Sample.of(data, params)
        with one_thread_for(params["predictor"]), _own_draws():
            if traits_of(sample.settings.predictor).closed_form:
                return _closed(world, data, sample, seed, progress_of["fit"])
            begin = partial(Beginning.of, data, sample, seed, params, kept, options.resume)
            begun = world.of_first(with_heartbeat(world, begin if world.rank == 0 else None))
            assert begun is not None
            course = course_of(data, sample, begun, kept, options.every)
            result = begun.first.result
            if not result.interrupted:
                result = course.run(callback, progress_of["fit"])
            fitted = _fitted(course, result, begun.first, sample)
    if options.spill is None and options.checkpoint is not None and not result.interrupted:
        shutil.rmtree(options.place, ignore_errors=True)
    return SourceFit(fitted, sample.settings.kind, data.one.columns, data.one.named, data.layout.n, world)


def _closed(world: World, data: Data, sample: Sample, seed: int, progress: Any) -> SourceFit:
    """Fit the sample, which is all that a fit in closed form takes, and score rows from all over."""
    first = world.of_first(with_heartbeat(world, partial(sample.fit, seed) if world.rank == 0 else None))
    assert first is not None
    energies = data.of_rows(spread(data.layout.n, SCORED), first.models[0].energies)
    chosen = first.choices | {"scaling_": sample.scaling}
    fitted = replace(first, energies=energies, weight=None, choices=chosen)
    if progress is not None:
        progress(data.layout.n, data.layout.n)
    return SourceFit(fitted, sample.settings.kind, data.one.columns, data.one.named, data.layout.n, world)


def _fitted(course: Course, result: Result, first: Fitted, sample: Sample) -> Fitted:
    """Return the model at its end, and the energies of rows from all over."""
    data, model = course.descent.data, course.fitted()
    energies = data.of_rows(spread(data.layout.n, SCORED), model.energies)
    (model,), calibration = with_energies([model], sample.X, None, sample.settings)
    calibration = calibration or calibrated(model, energies, None)
    settings = replace(sample.settings, predictor=first.predictor, scaling=sample.scaling)
    pace = course.pace
    chosen = choices(settings, pace.adam, data.layout.n, 1)
    chosen |= {"max_iter_": pace.epochs, "batch_size_": pace.batch}
    return replace(
        first, models=[model], result=result, energies=energies, calibration=calibration, choices=chosen
    )


def _check(params: dict[str, Any], options: SourceOptions) -> None:
    members, solver = params["n_estimators"], params["solver"]
    if not isinstance(members, str) and members != 1:
        raise InputError(f"n_estimators={members!r}: a source is fitted by one member; fit several by seed.")
    by_batches = (
        solver in ("auto", "adam") if isinstance(solver, str) else getattr(solver, "by_batches", False)
    )
    if not by_batches:
        raise InputError(
            f"solver={solver!r} needs all rows in memory: a source is fitted by 'auto' or 'adam'."
        )
    if options.resume and options.checkpoint is None:
        raise InputError(
            "resume=True needs the folder of the checkpoints (checkpoint=..., --checkpoint DIR)."
        )


def _prepared(world: World, options: SourceOptions, stack: ExitStack) -> Checkpoints | None:
    if options.checkpoint is None:
        return None
    kept = Checkpoints(Path(options.checkpoint).expanduser())
    holding = kept.held(options.resume)
    with_heartbeat(world, (lambda _: stack.enter_context(holding)) if world.rank == 0 else None)
    return kept


def _own_draws() -> Any:
    """Give the generators that modules draw from back as they were."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    return torch.random.fork_rng(devices=devices)
