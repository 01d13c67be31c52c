"""Runs the jobs of an experiment that are not done yet, and writes down each as soon as it is."""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from robustae.data.writers import write_table
from robustae.lab.jobs import Cannot, Experiment, Job, Plan, Row
from robustae.lab.ledger import Ledger
from robustae.utils.checks import NotFound, known_names
from robustae.utils.version import __version__

__all__ = ["Outcome", "Report", "check_names", "execute", "jobs_of", "one_thread", "written"]

Report = Callable[[int, int, dict[str, Any]], None]  # jobs done, of how many, key of the next one ({}: none)


@dataclass
class Outcome:
    """What came of an experiment.

    Attributes
    ----------
    rows : list of dict
        All rows in the CSV, those of earlier runs among them.
    ran : int
        Jobs that ran now.
    absent : dict of str to str
        Sets left out because their data are not here, and where they should be.
    failed : dict of str to str
        Jobs that broke, and how; they are not in the CSV, so the next run tries again.
    """

    rows: list[Row] = field(default_factory=list)
    ran: int = 0
    absent: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def jobs_of(experiment: Experiment, plan: Plan) -> list[Job]:
    """Return the jobs that the plan wants."""
    every = experiment.jobs(replace(plan, methods=None, sets=None))
    return [job for job in every if _wanted(job, "method", plan.methods) and _wanted(job, "set", plan.sets)]


def _wanted(job: Job, column: str, names: tuple[str, ...] | None) -> bool:
    return names is None or job.key.get(column) in names


def check_names(experiments: Iterable[Experiment], plan: Plan) -> None:
    """Refuse the name of a method or set that no experiment has; the message suggests the nearest."""
    every = replace(plan, methods=None, sets=None)
    keys = [job.key for experiment in experiments for job in experiment.jobs(every)]
    for column, names in (("method", plan.methods), ("set", plan.sets)):
        known_names(column, names or (), dict.fromkeys(str(key[column]) for key in keys if column in key))


def execute(experiment: Experiment, plan: Plan, folder: Path, report: Report) -> Outcome:
    """Run what is not in FOLDER/NAME.csv yet.

    Raises
    ------
    InputError
        If the CSV there was written under other settings.
    """
    jobs = jobs_of(experiment, plan)
    outcome = Outcome()
    if not jobs:
        return outcome
    ledger = Ledger(
        folder / f"{experiment.NAME}.csv", experiment.KEY, jobs[0].key, _settings(experiment, plan)
    )
    with one_thread():
        for number, job in enumerate(jobs):
            if not ledger.has(job.key) and job.key.get("set") not in outcome.absent:
                report(number, len(jobs), job.key)
                _attempt(job, ledger, outcome)
    report(len(jobs), len(jobs), {})
    outcome.rows = ledger.values()
    return outcome


def written(
    experiment: Experiment, plan: Plan, folder: Path, rows: list[Row]
) -> tuple[list[Row], list[Path]]:
    """Write NAME_summary.csv and, where matplotlib is here, NAME_*.png: the summary, and all files."""
    name = experiment.NAME
    found = experiment.summary(rows)
    files = [folder / f"{name}.csv", folder / f"{name}_summary.csv"]
    columns = dict.fromkeys(column for row in found for column in row)
    write_table(
        files[1], {column: np.array([row.get(column) for row in found], object) for column in columns}
    )
    if find_spec("matplotlib") is None:
        return found, files
    with one_thread():
        return found, [*files, *experiment.pictures(folder, plan)]


def _settings(experiment: Experiment, plan: Plan) -> dict[str, Any]:
    protocol = getattr(experiment, "PROTOCOL", 1)
    return {"robustae": __version__, "protocol": protocol, "quick": plan.quick, "seed": plan.seed}


def _attempt(job: Job, ledger: Ledger, outcome: Outcome) -> None:
    try:
        rows = _rows(job)
    except NotFound as error:
        outcome.absent[str(job.key.get("set"))] = str(error)
    except Exception as error:  # one broken job must not cost a night's run
        name = ", ".join(str(part) for part in job.key.values())
        outcome.failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    else:
        ledger.append(rows)
        outcome.ran += 1


def _rows(job: Job) -> list[Row]:
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = job.run()
        except Cannot as reason:
            found = {"status": str(reason)}
    took = round(time.perf_counter() - start, 4)
    ends = {"seconds": took, "status": _status(caught)}
    return [{**job.key, **ends, **row} for row in (found if isinstance(found, list) else [found])]


def _status(caught: list[warnings.WarningMessage]) -> str:
    remarks = dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning))
    return f"ok, but {'; '.join(remarks)}" if remarks else "ok"


@contextmanager
def one_thread() -> Iterator[None]:
    """Pin BLAS, OpenMP and torch to one thread, for comparable times; restored after."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
