"""The lessons: plain text in the package, notebooks in the learner's folder."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from robustae.utils.checks import InputError, need
from robustae.utils.files import PathLike, check_writable, replacing_folder, write_text

__all__ = ["LESSONS", "notebook", "write_lessons"]

LESSONS = ("01_autoencoder", "02_robust_autoencoder", "03_restaurant", "04_deep", "05_your_own_table")
SOLUTION = re.compile(r"<summary>Solution</summary>\s*```python\n(.*?)\n```", re.DOTALL)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def write_lessons(folder: PathLike, solutions: bool = False, quick: bool = False) -> list[Path]:
    """Write the lessons as notebooks, whole or not at all.

    Parameters
    ----------
    folder : str or path
        Made if it is not there. Other files in it stay as they are.
    solutions : bool
        Whether the exercises are filled in.
    quick : bool
        Whether to take less data and fewer steps, to see that they run.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If jupytext is missing, the folder cannot be written to, or it holds a notebook of one of these
        names that somebody has worked in.
    """
    target = check_writable(folder)
    texts = {f"{name}.ipynb": notebook(name, solutions, quick) for name in LESSONS}
    _refuse_worked_in(target)
    if target.exists():
        for name, text in texts.items():
            write_text(target / name, text)
    else:
        _write_new(target, texts)
    return [target / name for name in texts]


def notebook(name: str, solutions: bool = False, quick: bool = False) -> str:
    """Return a lesson as the text of an .ipynb file, the same in every run.

    Parameters
    ----------
    name : str
        One of LESSONS.
    solutions, quick : bool
        As in `write_lessons`.

    Raises
    ------
    InputError
        If jupytext is missing.
    """
    jupytext = need("tutorial", "jupytext", "writing notebooks")
    source = files("robustae.tutorial").joinpath(f"lessons/{name}.md").read_text(encoding="utf-8")
    book = jupytext.reads(source, fmt="md")
    cells = book["cells"]
    for place, cell in enumerate(cells):
        cell["id"] = f"{name[:2]}-{place:02d}"
        smaller = cell["metadata"].pop("quick", None)
        if quick and smaller:
            cell["source"] = smaller
        if solutions and "exercise" in cell["metadata"].get("tags", ()):
            cell["source"] = _solution(cells[place + 1 :])
    book["metadata"] = {"kernelspec": KERNEL}
    return jupytext.writes(book, fmt="ipynb") + "\n"


def _solution(following: list[Any]) -> str:
    """The code folded under an exercise: the next one there is."""
    folded = (SOLUTION.search(cell["source"]) for cell in following)
    return next(found[1] for found in folded if found)


def _refuse_worked_in(folder: Path) -> None:
    """Notebooks as we write them may be replaced; a learner's answers never."""
    for name in LESSONS:
        path = folder / f"{name}.ipynb"
        if path.exists() and path.read_text("utf-8", errors="replace") not in _variants(name):
            raise InputError(
                f"{str(path)!r} has been worked in, or comes from another version: name a new folder."
            )


def _variants(name: str) -> set[str]:
    return {notebook(name, solutions, quick) for solutions in (False, True) for quick in (False, True)}


def _write_new(folder: Path, texts: dict[str, str]) -> None:
    with replacing_folder(folder, ()) as temporary:
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8")
