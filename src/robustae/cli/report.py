"""robustae report: a page about a table or images."""

from pathlib import Path
from typing import Annotated, Any

from robustae.cli import _options as options
from robustae.cli import _reading as reading
from robustae.cli import _running as running

WORST = 20  # rows of a table shown in detail


@reading.reads_files
def report(
    data: options.Data,
    out: Annotated[Path, options.option("FILE", "--out", "-o", help="HTML file to write.")],
    model: options.MaybeModel = None,
    label: options.Label = None,
    drop: options.Drop = None,
    contamination: options.Contamination = None,
    predictor: options.Predictor = None,
    lam: options.Lam = None,
    image_shape: options.ImageShape = None,
    seed: options.Seed = 0,
    set_: options.Set = None,
    json: options.Json = False,
    *,
    how: Any,
) -> None:
    """Write an HTML page on a table: its most anomalous rows, what is wrong in each, and all scores."""
    for path in (data, *([] if model is None else [model])):
        running.place_for(out, path, (".html", ".htm"))
    given = options.chosen(predictor, lam, image_shape, contamination)
    options.refuse_with_model(model, set_, given)
    settings = options.settings_of(set_, random_state=seed, **given)
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
