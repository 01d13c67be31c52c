"""robustae fit: a model of rows, in memory or in batches."""

import os
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.cli import _reading as reading
from robustae.cli import _running as running
from robustae.cli._running import FAILED, INTERRUPTED, MISUSED
from robustae.utils.signals import interrupting

if TYPE_CHECKING:
    from robustae.estimators.autoencoder import RobustAutoencoder


COLUMNS = 12  # listed on the terminal; all of them with --json
SHARE = 8  # into so many parts free memory is cut, of which rows may take one: fits need several times that


@dataclass(frozen=True)
class BatchOptions:
    """How a fit in batches goes."""

    checkpoint: Annotated[
        Path | None,
        options.option(
            "DIR",
            "--checkpoint",
            help="Folder to which a fit in batches saves its state, so that it can go on after a stop.",
        ),
    ] = None
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the state in the folder of --checkpoint, if there is one."),
    ] = False
    spill: Annotated[
        Path | None,
        options.option(
            "DIR",
            "--spill",
            help="Folder to keep the decoded rows in (as float32), so that later fits start faster.",
        ),
    ] = None
    stream: Annotated[
        bool, typer.Option("--stream", help="Read DATA in batches even if it fits into memory.")
    ] = False
    epochs: Annotated[
        int | None,
        options.option("NUMBER", "--epochs", help="How often a fit in batches goes through all rows.", min=0),
    ] = None

    @property
    def kept(self) -> dict[str, Any]:
        """Where the fit is kept while it goes on."""
        return {"checkpoint": self.checkpoint, "resume": self.resume, "spill": self.spill}

    @property
    def asked(self) -> list[str]:
        """Options that only fits in batches have, as far as they are given."""
        given = {"epochs": self.epochs is not None} | self.kept
        return [f"--{name}" for name, value in given.items() if value]


@options.takes(asked=options.ModelOptions, course=BatchOptions, how=reading.file_options)
def fit(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="The table to fit to: CSV, JSON lines, .xlsx, Parquet, .npy or .npz; several files or a "
            "folder.",
            show_default=False,
        ),
    ],
    model: Annotated[Path, options.option("FILE", "--model", "-m", help="File to write the model to.")],
    label: options.Label = None,
    drop: options.Drop = None,
    *,
    asked: options.ModelOptions,
    false_alarms: options.FalseAlarms = None,
    course: BatchOptions,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show progress and all settings.")] = False,
    how: Any,
    json: options.Json = False,
) -> None:
    """Fit a model to a table, whether it contains anomalies or not.

    For instance: robustae fit sensors.csv --model sensors.rae --label broken --set hidden=4

    More than 20 000 rows in several files, or a table larger than memory, are read in batches, also by
    several processes (torchrun --nproc-per-node 2 -m robustae fit ...). A fit in batches that was stopped
    goes on with --resume.
    """
    settings = {"verbose": int(verbose or sys.stderr.isatty())} | asked.settings(max_iter=course.epochs)
    rate = None if false_alarms is None else options.valid_alarms(false_alarms, asked.contamination)
    left_out = [name for name in (label, how.identifier, *(drop or [])) if name is not None]
    if _in_batches_wanted(data, course.stream or bool(course.asked), left_out, how):
        kept = course.kept, course.asked
        return _in_batches(data, model, (left_out, how), settings, kept, rate, json)
    _in_memory(data, model, (label, drop, how), settings, rate, verbose, json)


def _in_batches(
    data: list[Path],
    model: Path,
    columns: tuple[list[str], Any],
    settings: dict[str, Any],
    course: tuple[dict[str, Any], list[str]],
    rate: float | None,
    json: bool,
) -> None:
    first = _first_process()
    for path in data if first else ():
        running.place_for(model, path)
    estimator, seconds, speed = _fitted(data, columns, settings, course[0])
    if first:
        _note_unused(estimator, course[1])
        _at_rate(estimator, rate).save(model)
        _note_rows_held(estimator)
        _show_batches(_facts_of_batches(estimator, seconds, speed, model), json, data)


def _in_memory(
    data: list[Path],
    model: Path,
    columns: tuple[Any, Any, Any],
    settings: dict[str, Any],
    rate: float | None,
    verbose: bool,
    json: bool,
) -> None:
    for path in data:
        running.place_for(model, path)
    label, drop, how = columns
    table = reading.without(data, label, drop, how=how)
    running.show_left_out(table)
    start = time.perf_counter()
    estimator = running.fitted(table, settings)
    seconds = time.perf_counter() - start
    _at_rate(estimator, rate).save(model)
    _note_rows_held(estimator)
    left_out = {} if estimator.plan_ is None else estimator.plan_.left_out
    unused = {"left_out": table.dropped | left_out, "taken_as_missing": table.slips}
    facts = _facts(estimator, table.to_fit, seconds) | {"model": str(model)} | unused
    running.show(facts, json, _lines(facts, running.name_of(data), estimator.get_params() if verbose else {}))


def _note_unused(estimator: "RobustAutoencoder", asked: list[str]) -> None:
    """Say what a fit without epochs has no use for."""
    from robustae.fit.closed import STATUS

    unused = [name for name in asked if name != "--spill"]
    if unused and estimator.status_ == STATUS:
        verb = "is" if len(unused) == 1 else "are"
        typer.echo(
            f"Note: {' and '.join(unused)} {verb} not used: this model has no epochs, it is {STATUS}",
            err=True,
        )


def _note_rows_held(estimator: "RobustAutoencoder") -> None:
    from robustae.estimators.saving import rows_held

    if held := rows_held(estimator):
        typer.echo(f"The model holds {held} rows of the data: treat it as you treat them.", err=True)


def _at_rate(estimator: "RobustAutoencoder", rate: float | None) -> Any:
    """Move the threshold to a rate of false alarms, where one is asked for."""
    return estimator if rate is None else estimator.rethreshold(false_alarms=rate)


def _facts(model: "RobustAutoencoder", X: Any, seconds: float) -> dict[str, Any]:
    flagged = int((model.predict(X) < 0).sum())
    return {
        **running.facts_of_fit(model),
        "rows": len(X),
        "kinds": _kinds(model),
        "taken_for": {column.name: column.taken_for for column in model.columns_ if not column.why},
        "iterations": model.n_iter_,
        "flagged": flagged,
        "share_flagged": flagged / len(X),
        "seconds": seconds,
    }


def _kinds(model: "RobustAutoencoder") -> dict[str, int]:
    """How many columns there are of each kind."""
    return {"number": model.n_features_in_} if model.plan_ is None else model.plan_.kinds()


def _lines(facts: dict[str, Any], name: str, params: dict[str, Any]) -> list[str]:
    rows, flagged = (running.counted(facts[name], "row") for name in ("rows", "flagged"))
    columns = running.counted(facts["columns"], "column")
    steps = f", {running.counted(facts['iterations'], 'iteration')}" if facts["iterations"] else ""
    return [
        f"Fitted {name}: {rows}, {columns}, {facts['seconds']:.2f} s.",
        f"  kinds     {', '.join(f'{count} {kind}' for kind, count in facts['kinds'].items())}",
        f"  columns   {_taken_for(facts['taken_for'])}",
        f"  status    {facts['status']}",
        f"  fit       {running.line_of_fit(facts)}{steps}",
        f"  flagged   {flagged} ({running.percent(facts['share_flagged'])})",
        f"  model     {facts['model']}",
        *(f"  {name:<16} {value!r}" for name, value in params.items()),
    ]


def _taken_for(columns: dict[str, str]) -> str:
    """What the columns used were taken for, the first of them."""
    each = [f"{name}: {kind}" for name, kind in list(columns.items())[:COLUMNS]]
    return ", ".join(each) + (f" and {len(columns) - COLUMNS} more" if len(columns) > COLUMNS else "")


# In batches: more than memory holds, by one process or several ------------------------------------


def _first_process() -> bool:
    """Whether this is the one process, or the first of several, which alone prints and writes."""
    return int(os.environ.get("RANK", "0")) == 0


def _in_batches_wanted(data: Sequence[Path], asked: bool, left_out: list[str], how: Any) -> bool:
    """Whether data are read in batches: asked for, many rows in several files, or more than memory."""
    from robustae.data.files import files_of, read_whole_only

    if asked or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return True
    most = _free() // SHARE
    return not reading.small(data, most) and not read_whole_only(files_of(data), most, how, left_out)


def _free() -> int:
    """Bytes of memory that are free; no bound where that is not known."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 2**62


def _fitted(
    data: Sequence[Path], columns: tuple[list[str], Any], settings: dict[str, Any], course: dict[str, Any]
) -> tuple[Any, float, float]:
    """Fit a model to files; return it, the seconds it took, and the rows a second gone through in epochs.

    All processes end with one sentence where one of them is lost.
    """
    with _one_message():
        from robustae import RobustAutoencoder
        from robustae.data.streams import row_source
        from robustae.fit.distributed import leave

        begin, steps = time.perf_counter(), _Steps()
        left_out, how = columns
        source = row_source([str(path) for path in data], drop=left_out, options=how)
        if _first_process():
            running.list_left_out(getattr(source, "dropped", {}), {})
        model = RobustAutoencoder(**settings).fit_source(source, progress=steps, **course)
        leave()  # while all are there: not at the end of an interpreter whose peers are gone
    return model, time.perf_counter() - begin, steps.speed


class _Steps:
    """When steps were taken, and up to which row."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = 0.0, 0

    def __call__(self, what: str, rows: int, of: int | None) -> None:
        if what == "fit":
            self._last = time.perf_counter(), rows
            self._first = self._first or self._last

    @property
    def speed(self) -> float:
        """Rows a second; nan where there were less than two steps."""
        if self._first is None or self._last[0] == self._first[0]:
            return float("nan")
        return (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])


def _name_process() -> None:
    """Say which of several processes has no such file."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        typer.echo(f"Process {os.environ.get('RANK', '0')} on {socket.gethostname()}:", err=True)


@contextmanager
def _one_message() -> Iterator[None]:
    """Ctrl-C keeps the fit so far; what all processes would report alike the first one reports."""
    from robustae.fit.distributed import PeerLost
    from robustae.utils.checks import InputError, NotFound

    try:
        with warnings.catch_warnings(), interrupting():
            if not _first_process():
                warnings.simplefilter("ignore")
            yield
    except PeerLost as error:
        typer.echo(f"Failed: {error}", err=True)
        raise typer.Exit(FAILED) from None
    except NotFound:  # which the other processes may have
        _name_process()
        raise
    except InputError:
        if _first_process():
            raise
        raise typer.Exit(MISUSED) from None


def _facts_of_batches(model: "RobustAutoencoder", seconds: float, speed: float, out: Path) -> dict[str, Any]:
    """Return the facts of a fit; flagged rows are those of an evenly spread hundred thousand."""
    energies = model._energies_of_fit[0]
    share = float((-energies < model.offset_).mean())
    return {
        **running.facts_of_fit(model),
        "rows": model.n_samples_fit_,
        "epochs": model.n_iter_,
        "share_flagged": share,
        "rows_checked": len(energies),
        "seconds": seconds,
        "rows_per_second": speed,
        "interrupted": model.status_.startswith("interrupted"),
        "model": str(out),
    }


def _lines_of_batches(facts: dict[str, Any], data: Sequence[Path]) -> list[str]:
    name = running.name_of(data)
    rows, columns = (running.counted(facts[f"{noun}s"], noun) for noun in ("row", "column"))
    speed = f", {facts['rows_per_second']:,.0f} rows/s" if facts["rows_per_second"] > 0 else ""
    rows_checked = running.counted(facts["rows_checked"], "row")
    return [
        f"Fitted {name}: {rows}, {columns}, {facts['seconds']:.2f} s{speed}.",
        f"  status    {facts['status']}",
        f"  fit       {running.line_of_fit(facts)}",
        f"  flagged   {running.percent(facts['share_flagged'])} of {rows_checked} checked",
        f"  model     {facts['model']}",
    ]


def _show_batches(facts: dict[str, Any], json: bool, data: Sequence[Path]) -> None:
    """Print them, in the first process, and leave with the exit code of a fit that was interrupted."""
    running.show(facts, json, _lines_of_batches(facts, data))
    if facts["interrupted"]:
        raise typer.Exit(INTERRUPTED)
