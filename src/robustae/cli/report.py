"""robustae report: a page about a table or images."""

from pathlib import Path
from typing import Annotated, Any

from robustae.cli import _options as options
from robustae.cli import _reading as reading
from robustae.cli import _running as running

WORST = 20  # rows of a table shown in detail


@options.takes(asked=options.ModelOptions, how=reading.file_options)
def report(
    data: options.Data,
    out: Annotated[Path, options.option("FILE", "--out", "-o", help="HTML file to write.")],
    model: options.MaybeModel = None,
    label: options.Label = None,
    drop: options.Drop = None,
    *,
    asked: options.ModelOptions,
    how: Any,
    json: options.Json = False,
) -> None:
    """Write an HTML page on a table: its most anomalous rows, what is wrong in each, and all scores."""
    for path in (data, *([] if model is None else [model])):
        running.place_for(out, path, (".html", ".htm"))
    settings = asked.settings(model)
    estimator = None if model is None else running.loaded(model)
    table = reading.without(data, label, drop, how=how, model=estimator)
    estimator = estimator or running.fitted(table, settings)
    table = reading.rows_for(estimator, table)
    running.show_left_out(table)
    from robustae.estimators.facts import facts_of
    from robustae.report import write_report

    facts = facts_of(estimator, table.values, title=data.name, source=table, worst=WORST)
    write_report(out, [facts], f"Robust autoencoder: {data.name}")
    found = {"report": str(out), "rows": len(table.values), "flagged": facts["scores"]["anomalies"]}
    running.show(
        found, json, [f"{data.name}: {found['flagged']} of {found['rows']} rows flagged. Open {out}."]
    )
