"""robustae tutorial."""

from pathlib import Path
from typing import Annotated

import typer

from robustae.checks import InputError
from robustae.cli import options, running

__all__ = ["COMMANDS"]


def tutorial(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder for the notebooks.", show_default=False)
    ] = None,
    page: Annotated[
        Path | None, options.option("FILE", "--page", help="Write the classroom page, too (.html).")
    ] = None,
    solutions: Annotated[bool, typer.Option("--solutions", help="Fill in the exercises.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Less data, fewer steps: shows that they run.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Write the hands-on lessons: notebooks to DIR, and a page with moving pictures.

    Notebooks that have been worked in are never replaced.
    """
    if folder is None and page is None:
        raise InputError("name a folder for the notebooks, --page FILE.html for the classroom page, or both.")
    from robustae.tutorial import write_classroom, write_lessons

    books = [] if folder is None else write_lessons(folder, solutions, quick)
    lines = [f"{len(books)} notebooks in {folder}: open them with Jupyter or an editor."] if books else []
    if page is not None:
        write_classroom(page)
        lines.append(f"The classroom page: open {page} in a browser.")
    found = {"notebooks": [str(book) for book in books], "page": None if page is None else str(page)}
    running.show(found, json, lines)


COMMANDS = (tutorial,)
