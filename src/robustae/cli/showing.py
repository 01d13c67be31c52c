"""robustae demo, robustae report and robustae datasets."""

from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import options, running
from robustae.utils.checks import InputError
from robustae.utils.progress import shown

__all__ = ["COMMANDS"]

WORST = 20  # rows of a table shown in detail


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the report.")] = Path(
        "out"
    ),
    json: options.Json = False,
) -> None:
    """Try it on real data that come along, and show it."""
    from robustae.lab.demo import run_demo

    with shown() as progress:
        result = run_demo(out, progress.show)
    facts = {"lines": result.lines, "report": str(result.report), "seconds": result.seconds}
    last = f"{result.seconds:.0f} s in all. Open {result.report} in a browser."
    running.show(facts, json, [*result.lines, last])


def report(
    data: options.Data,
    out: Annotated[Path, options.option("FILE", "--out", "-o", help="The page to write (.html).")],
    model: options.MaybeModel = None,
    label: options.Label = None,
    drop: options.Drop = None,
    image_shape: options.ImageShape = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Write a page: worst rows, what is wrong in them, scores."""
    running.place_for(out, data, (".html", ".htm"))
    table = running.without(data, label, drop)
    settings = {"image_shape": options.image_shape_of(image_shape), "random_state": seed}
    estimator = running.fitted(table, settings) if model is None else running.loaded(model)
    table = running.rows_for(estimator, table)
    running.show_left_out(table)
    from robustae.estimators.facts import facts_of
    from robustae.report import write_report

    facts = facts_of(estimator, table.values, title=data.name, source=table, worst=WORST)
    write_report(out, [facts], f"Robust autoencoder: {data.name}")
    found = {"report": str(out), "rows": len(table.values), "flagged": facts["scores"]["anomalies"]}
    running.show(
        found, json, [f"{data.name}: {found['flagged']} of {found['rows']} rows flagged. Open {out}."]
    )


def datasets(
    data_home: Annotated[
        Path | None, options.option("DIR", "--data-home", help="Where to look first.")
    ] = None,
    json: options.Json = False,
) -> None:
    """List known data sets: which are here, and where."""
    from robustae.datasets import listing

    if data_home is not None and not data_home.is_dir():
        raise InputError(f"--data-home {str(data_home)!r} is not a folder.")
    entries = listing(data_home)
    running.show({"datasets": entries}, json, _lines(entries))


def _lines(entries: list[dict[str, Any]]) -> list[str]:
    rows = [(entry["name"], entry["call"]) for entry in entries]
    width, call = (max(len(row[j]) for row in rows) for j in (0, 1))
    return [f"{e['name']:<{width}}  {e['call']:<{call}}  {_where(e)}" for e in entries]


def _where(entry: dict[str, Any]) -> str:
    if entry["found"]:
        return entry["path"] or "comes with the packages"
    return f"not here: {entry['advice']}"


COMMANDS = (demo, report, datasets)
