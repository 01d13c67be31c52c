"""robustae report: a page about a table or images."""

from pathlib import Path
from typing import Annotated

from robustae.cli import _options as options
from robustae.cli import _running as running

WORST = 20  # rows of a table shown in detail


def report(
    data: options.Data,
    out: Annotated[Path, options.option("FILE", "--out", "-o", help="HTML file to write.")],
    model: options.MaybeModel = None,
    label: options.Label = None,
    drop: options.Drop = None,
    image_shape: options.ImageShape = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Write an HTML page on a table: its most anomalous rows, what is wrong in each, and all scores."""
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
