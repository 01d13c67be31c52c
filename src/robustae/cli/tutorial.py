"""robustae tutorial."""

from pathlib import Path
from typing import Annotated

import typer

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.utils.checks import InputError
from robustae.utils.signals import interrupting


def tutorial(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Folder to write the notebooks to.", show_default=False),
    ] = None,
    page: Annotated[
        Path | None,
        options.option("FILE", "--page", help="Also write the page for the classroom, to this HTML file."),
    ] = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Show the page for the classroom to a browser on this machine, until Ctrl-C."
        ),
    ] = False,
    solutions: Annotated[
        bool, typer.Option("--solutions", help="Write notebooks with the exercises already solved.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Write notebooks that run quickly, on less data and with fewer steps."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Write the lessons: notebooks with exercises, and an interactive page.

    Notebooks that were changed since they were written are never replaced.
    """
    if folder is None and page is None and not serve:
        raise InputError(
            "name a folder for the notebooks, --page FILE.html or --serve for the classroom page, or several."
        )
    found, lines = _written(folder, page, solutions, quick)
    if serve:
        _served(found, lines, json)
    else:
        running.show(found, json, lines)


def _written(
    folder: Path | None, page: Path | None, solutions: bool, quick: bool
) -> tuple[dict[str, object], list[str]]:
    """Facts of what was written, and the same as lines."""
    from robustae.tutorial import write_classroom, write_lessons

    books = [] if folder is None else write_lessons(folder, solutions, quick)
    lines = [f"{len(books)} notebooks in {folder}: open them with Jupyter or an editor."] if books else []
    if page is not None:
        write_classroom(page)
        lines.append(f"The classroom page: open {page} in a browser.")
    found = {"notebooks": [str(book) for book in books], "page": None if page is None else str(page)}
    return found, lines


def _served(found: dict[str, object], lines: list[str], json: bool) -> None:
    """Serve the page until Ctrl-C, which is how it ends and no failure."""
    from robustae.tutorial import serve_classroom

    def report(address: str) -> None:
        line = f"The classroom page: {address} (Ctrl-C ends it)"
        running.show(found | {"address": address}, json, [*lines, line])

    with interrupting():
        serve_classroom(report)
    typer.echo("Ended.", err=True)
