"""robustae fit for data read in batches: more than memory holds, by one process or several."""

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from robustae.cli import running
from robustae.cli.exits import FAILED, INTERRUPTED, MISUSED
from robustae.utils.signals import interrupting

__all__ = ["facts_of", "first_process", "fitted", "show", "wanted"]

SHARE = 8  # into so many parts free memory is cut, of which rows may take one: fits need several times that


def first_process() -> bool:
    """Whether this is the one process, or the first of several, which alone prints and writes."""
    return int(os.environ.get("RANK", "0")) == 0


def wanted(data: Sequence[Path], asked: bool) -> bool:
    """Whether the data are to be read in batches: asked for, several files, or more than fits into memory."""
    return asked or int(os.environ.get("WORLD_SIZE", "1")) > 1 or running.is_large(data, _free() // SHARE)


def _free() -> int:
    """Bytes of memory that are free; no bound where that is not told."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 2**62


def fitted(
    data: Sequence[Path], left_out: Sequence[str], settings: dict[str, Any], way: dict[str, Any]
) -> tuple[Any, float, float]:
    """Fit a model to files; return it, the seconds it took, and the rows a second gone through in epochs.

    All processes end with one sentence where one of them is lost.
    """
    with _one_voice():
        from robustae import RobustAutoencoder
        from robustae.data.streams import row_source
        from robustae.fit.distributed import leave

        begin, steps = time.perf_counter(), _Steps()
        source = row_source([str(path) for path in data], drop=list(left_out))
        if first_process():
            running.say_left_out(getattr(source, "dropped", {}), {})
        model = RobustAutoencoder(**settings).fit_source(source, progress=steps, **way)
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


@contextmanager
def _one_voice() -> Iterator[None]:
    """Ctrl-C keeps the fit so far; what all processes would say alike the first one says."""
    from robustae.fit.distributed import PeerLost
    from robustae.utils.checks import InputError

    try:
        with warnings.catch_warnings(), interrupting():
            if not first_process():
                warnings.simplefilter("ignore")
            yield
    except PeerLost as error:
        typer.echo(f"Failed: {error}", err=True)
        raise typer.Exit(FAILED) from None
    except InputError:
        if first_process():
            raise
        raise typer.Exit(MISUSED) from None


def facts_of(model: Any, seconds: float, speed: float, out: Path) -> dict[str, Any]:
    """Return what is told of a fit; flagged rows are those of an evenly spread hundred thousand."""
    energies = model._energies_of_fit[0]
    share = float((-energies < model.offset_).mean())
    return {
        **running.facts_of_fit(model),
        "rows": model.n_samples_fit_,
        "epochs": model.n_iter_,
        "share_flagged": share,
        "looked_at": len(energies),
        "seconds": seconds,
        "rows_per_second": speed,
        "interrupted": model.status_.startswith("interrupted"),
        "model": str(out),
    }


def _lines(facts: dict[str, Any], data: Sequence[Path]) -> list[str]:
    name = data[0].name if len(data) == 1 else f"{len(data)} files"
    rows, columns = (running.counted(facts[f"{noun}s"], noun) for noun in ("row", "column"))
    speed = f", {facts['rows_per_second']:,.0f} rows/s" if facts["rows_per_second"] > 0 else ""
    looked_at = running.counted(facts["looked_at"], "row")
    return [
        f"Fitted {name}: {rows}, {columns}, {facts['seconds']:.2f} s{speed}.",
        f"  status    {facts['status']}",
        f"  fit       {running.line_of_fit(facts)}",
        f"  flagged   {running.percent(facts['share_flagged'])} of {looked_at} looked at",
        f"  model     {facts['model']}",
    ]


def show(facts: dict[str, Any], json: bool, data: Sequence[Path]) -> None:
    """Print them, in the first process, and leave with the exit code of a fit that was interrupted."""
    running.show(facts, json, _lines(facts, data))
    if facts["interrupted"]:
        raise typer.Exit(INTERRUPTED)
