"""robustae benchmark."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.cli._running import FAILED, INTERRUPTED, MISUSED
from robustae.utils.checks import InputError, one_of
from robustae.utils.progress import shown
from robustae.utils.signals import handled

KEPT = "Interrupted: what was measured is kept, and the same command goes on from there."
NO_PICTURES = "No pictures: they need matplotlib, pip install 'robustae[plot]'."


def benchmark(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The experiment: detection, inductive, denoising, subtle or lambda (the paper's); video; "
            "tables, contamination, thresholds, cells or named-cells (on tables); or all.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write tables and pictures to.")
    ] = Path("benchmark"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Use small sample data, only to see that the experiment runs.")
    ] = False,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            metavar="NUMBER",
            min=1,
            help="How many random draws are made of each data set.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        list[str] | None, options.option("NAME", "--method", help="Run only this method; may be repeated.")
    ] = None,
    set_: Annotated[
        list[str] | None, options.option("NAME", "--set", help="Use only this data set; may be repeated.")
    ] = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Repeat the experiments that compare this method with others.

    Public data are searched in the folder that the environment variable ROBUSTAE_DATA names; sets that are
    not there are left out. Results are kept: the same command goes on where it was interrupted.
    """
    from robustae.lab import EXPERIMENTS, Plan, experiment
    from robustae.lab.runner import check_names

    chosen = list(EXPERIMENTS) if one_of("NAME", name, [*EXPERIMENTS, "all"]) == "all" else [name]
    plan = Plan(quick, draws, tuple(method) if method else None, tuple(set_) if set_ else None, seed)
    experiments = [experiment(each) for each in chosen]
    check_names(experiments, plan)
    _make(out)
    with handled(_stop, signal.SIGINT):
        results = [_run(each, plan, out) for each in experiments]
    lines = [line for each, result in zip(experiments, results, strict=True) for line in _lines(each, result)]
    running.show({"experiments": results}, json, lines)
    _end(results)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {str(folder)!r} cannot be a folder: {error.strerror}.") from None


def _run(experiment: Any, plan: Any, folder: Path) -> dict[str, Any]:
    from robustae.lab.runner import execute, written

    with _progress(experiment.NAME) as report:
        outcome = execute(experiment, plan, folder, report)
    result: dict[str, Any] = {"name": experiment.NAME, "ran": outcome.ran, "rows": len(outcome.rows)}
    result |= {"absent": outcome.absent, "failed": outcome.failed, "summary": [], "files": []}
    if outcome.rows:
        found, files = written(experiment, plan, folder, outcome.rows)
        result |= {"summary": found, "files": [str(file) for file in files]}
    return result


def _lines(experiment: Any, result: dict[str, Any]) -> Iterator[str]:
    from robustae.lab.methods import OURS
    from robustae.lab.tables import NOTE, tables

    ran, rows = running.counted(result["ran"], "job"), running.counted(result["rows"], "row")
    yield f"{result['name']}: {ran} run now, {rows} in all."
    for table in tables(result["summary"], getattr(experiment, "REFERENCE", OURS)):
        yield from ("", *([table.title] if table.title else []))
        yield from running.show_table(table.columns, table.rows)
    if result["summary"]:
        yield from ("", getattr(experiment, "NOTE", NOTE))
    yield from (f"Left out: {name}: {why}" for name, why in result["absent"].items())
    yield from (f"Failed: {job}: {why}" for job, why in result["failed"].items())
    if result["files"]:
        yield f"Written: {', '.join(result['files'])}."
        yield from [NO_PICTURES] if find_spec("matplotlib") is None else []


def _end(results: list[dict[str, Any]]) -> None:
    if any(result["failed"] for result in results):
        raise typer.Exit(FAILED)
    if not any(result["rows"] for result in results):
        raise typer.Exit(MISUSED)


def _stop(*_: Any) -> None:
    # A fit would take Ctrl-C as "keep what you have", and be measured half done.
    typer.echo(KEPT, err=True)
    raise SystemExit(INTERRUPTED)


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int, dict[str, Any]], None]]:
    """Yield the callback that shows the job that begins."""
    with shown(name, "jobs", every=0.0) as progress:
        yield lambda done, of, key: progress(done, of, _words(key)) if key else None


def _words(key: dict[str, Any]) -> str:
    return ", ".join(f"draw {part}" if title == "draw" else str(part) for title, part in key.items())
