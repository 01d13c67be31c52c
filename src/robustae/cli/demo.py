"""robustae demo: a report on data that the package brings with it."""

from pathlib import Path
from typing import Annotated

import typer

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.utils.progress import shown


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write the report to.")
    ] = Path("out"),
    json: options.Json = False,
) -> None:
    """Run on sample data that the package contains, and write a report."""
    from robustae.lab.demo import run_demo

    with shown() as progress:
        result = run_demo(out, progress.show)
    facts = {"lines": result.lines, "report": str(result.report), "seconds": result.seconds}
    last = f"{result.seconds:.0f} s in all. Open {result.report} in a browser."
    running.show(facts, json, [*result.lines, last])
