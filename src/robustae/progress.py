"""A progress bar for long fits."""

from collections.abc import Iterator
from contextlib import contextmanager

from robustae.solvers import Callback

__all__ = ["shown"]


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
