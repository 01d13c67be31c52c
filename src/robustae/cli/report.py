"""robustae report: a page about a table or images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from robustae.cli import _options as options
from robustae.cli import _reading as reading
from robustae.cli import _running as running

if TYPE_CHECKING:
    from robustae.data import Table

WORST = 20  # rows of a table shown in detail


@options.takes(asked=options.ModelOptions, how=reading.file_options)
def report(
    data: options.Data,
    out: Annotated[Path, options.option("FILE", "--out", "-o", help="HTML file to write.")],
    model: options.MaybeModel = None,
    label: options.Label = None,
    positive: options.Positive = None,
    normal: options.Normal = None,
    drop: options.Drop = None,
    *,
    asked: options.ModelOptions,
    how: Any,
    json: options.Json = False,
) -> None:
    """Write an HTML page on a table: its most anomalous rows, what is wrong in each, and all scores.

    With a label of two values (or --positive, --normal) it also says how well the rows are called.
    """
    for path in (data, *([] if model is None else [model])):
        running.place_for(out, path, (".html", ".htm"))
    settings = asked.settings(model)
    estimator = None if model is None else running.loaded(model)
    known = {"label": label, "positive": positive, "normal": normal}
    table = _read(data, known, drop, how=how, model=estimator)
    estimator = estimator or running.fitted(table, settings)
    table = reading.rows_for(estimator, table)
    running.show_left_out(table)
    from robustae.estimators.facts import facts_of
    from robustae.report import write_report

    facts = facts_of(estimator, table.values, title=data.name, source=table, worst=WORST)
    write_report(out, [facts], f"What is odd in {data.name}")
    found = {"report": str(out), "rows": len(table.values), "flagged": facts["scores"]["anomalies"]}
    running.show(
        found, json, [f"{data.name}: {found['flagged']} of {found['rows']} rows flagged. Open {out}."]
    )


def _read(data: Path, known: dict[str, Any], drop: list[str] | None, **more: Any) -> "Table":
    """Read rows, with the label where it has two values; else it is only left out."""
    from robustae.utils.checks import InputError

    label = known["label"]
    if label is None:
        return reading.without(data, None, drop, **more)
    try:
        return reading.read(data, drop=drop or (), **known, **more)
    except InputError:
        if known["positive"] is not None or known["normal"] is not None:
            raise
        return reading.without(data, label, drop, **more)
