"""A progress bar for long fits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from robustae.solvers import Callback

__all__ = ["RowsTold", "rows_shown", "shown"]

RowsTold = Callable[[str, int, int | None], None]
"""Called with what is done ("read", "fit"), the rows so far, and the rows in all, None where not known."""


@contextmanager
def shown(verbose: int, callback: Callback | None) -> Iterator[Callback | None]:
    """Yield the callback to hand to a solver: the user's, and with `verbose` a bar on standard error."""
    if not verbose:
        yield callback
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("fit"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  J = {task.fields[J]:.6g}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("fit", total=None, J=float("nan"))

        def tell(iteration: int, at_most: int, J: float) -> None:
            bar.update(task, completed=iteration, total=at_most, J=J)
            if callback is not None:
                callback(iteration, at_most, J)

        yield tell


@contextmanager
def rows_shown(verbose: Any, progress: RowsTold | None) -> Iterator[RowsTold | None]:
    """Yield what is told of rows read or fitted: the user's, and with `verbose` a bar with rows/s."""
    if not verbose:
        yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<4}"),
        BarColumn(),
        TextColumn("{task.completed:,} rows  {task.fields[speed]:,.0f} rows/s"),
    )
    left = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *left, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, rows: int, of: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of, speed=0.0)
            speed = bar.tasks[tasks[what]].speed or 0.0
            bar.update(tasks[what], completed=rows, total=of, speed=speed)
            if progress is not None:
                progress(what, rows, of)

        yield tell
