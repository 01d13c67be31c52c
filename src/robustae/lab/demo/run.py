"""All parts of the demonstration, one page, one line each."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustae.utils.files import check_writable, replacing_folder

__all__ = ["Demo", "run_demo"]

REPORT, FACTS = "report.html", "facts.json"
TITLE = "Robust autoencoders on real data"


@dataclass(frozen=True)
class Demo:
    """What the demonstration found.

    Attributes
    ----------
    lines : list of str
        The main numbers, one line per part.
    report : Path
        The page.
    seconds : float
        How long it all took.
    """

    lines: list[str]
    report: Path
    seconds: float


def run_demo(out: str | os.PathLike[str] = "out", progress: Callable[[str], None] | None = None) -> Demo:
    """Run the demonstration on data that comes with the package, and write its report.

    Parameters
    ----------
    out : path
        Folder for report.html and facts.json; it appears, or is replaced, once both are complete.
    progress : callable, optional
        Called with a few words on what is being done.

    Returns
    -------
    Demo
        Lines with the main numbers, and where the report is.

    Raises
    ------
    InputError
        If `out` cannot be written to, or holds other files.
    """
    start = time.perf_counter()
    progress = progress or (lambda text: None)
    folder = check_writable(out)
    with replacing_folder(folder, [REPORT, FACTS]) as fresh:
        parts = _parts(progress)
        progress("report: writing the page")
        _write(fresh, parts)
    return Demo([part["line"] for part in parts], folder / REPORT, time.perf_counter() - start)


def _parts(progress: Callable[[str], None]) -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_limits

    from robustae.lab.demo.digits import digits_part
    from robustae.lab.demo.films import film_parts
    from robustae.lab.demo.measurements import measurements_part

    # Matrices this small are many times slower on two threads where another process is busy.
    with threadpool_limits(1):
        return [digits_part(progress), measurements_part(progress), *film_parts(progress)]


def _write(folder: Path, parts: list[dict[str, Any]]) -> None:
    from robustae.report import write_report

    write_report(folder / REPORT, parts, TITLE)
    (folder / FACTS).write_text(json.dumps(parts, allow_nan=False), encoding="utf-8")
