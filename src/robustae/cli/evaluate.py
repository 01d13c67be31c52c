"""robustae evaluate."""

import time
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.cli import _reading as reading
from robustae.cli import _running as running

if TYPE_CHECKING:
    from robustae.data import Table
    from robustae.estimators.autoencoder import RobustAutoencoder

BEST = 10  # rows counted for P@10
MEASURES = {"auprc": "AUPRC", "auroc": "AUROC", "p_at_10": "P@10"}
OURS, PLAIN = "robust autoencoder", "plain autoencoder"

Scorer = Callable[[Any], Any]


@options.takes(asked=options.ModelOptions, how=reading.file_options)
def evaluate(
    data: options.Data,
    label: options.Label,
    model: options.MaybeModel = None,
    positive: options.Positive = None,
    normal: options.Normal = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Also measure other methods, such as the isolation forest, on the same rows."
        ),
    ] = False,
    drop: options.Drop = None,
    *,
    asked: options.ModelOptions,
    how: Any,
    json: options.Json = False,
) -> None:
    """Measure how well known anomalies are found.

    No method is given the label. Without --model each method is fitted to the rows that it then ranks. The
    last line is about the rows that our threshold calls anomalous; false alarms are the share of the normal
    rows among them.
    """
    settings = asked.settings(model)
    estimator = None if model is None else running.loaded(model)
    wanted = {"positive": positive, "normal": normal, "drop": drop or ()}
    table = reading.read(data, label, how=how, model=estimator, **wanted)
    if estimator is not None:
        table = reading.rows_for(estimator, table)
    running.show_left_out(table)
    ours = _Ours(table, settings, estimator)
    methods = _methods(ours, settings, compare)
    results = [{"method": name} | _measured(score, table) for name, score in methods.items()]
    share = float(table.labels.mean()) if table.labels is not None else 0.0
    facts = {"rows": len(table.values), "anomalies": share, "chance": _chance(share), "methods": results}
    facts["called"] = ours.calls()
    running.show(facts, json, _lines(facts, data.name))


class _Ours:
    """Our own method: a model that is given, or fitted to the rows that it scores."""

    def __init__(self, table: "Table", settings: dict[str, Any], model: "RobustAutoencoder | None" = None):
        self.table, self.settings, self.model = table, settings, model

    @cached_property
    def fitted(self) -> Any:
        """The model."""
        return self.model or running.fitted(self.table, self.settings)

    def __call__(self, X: Any) -> Any:
        return self.fitted.score_samples(X)

    def calls(self) -> dict[str, float]:
        """How well its threshold calls rows."""
        from robustae.metrics import of_calls

        return of_calls(self.table.labels, self.fitted.predict(self.table.values) < 0)


def _methods(ours: _Ours, settings: dict[str, Any], compare: bool) -> dict[str, Scorer]:
    """Return by name what scores rows, higher being more normal; ours last."""
    if not compare:
        return {OURS: ours}
    table = ours.table
    from robustae.baselines import comparison_methods

    images = not table.mixed and (
        table.values.ndim > 2 or settings.get("image_shape") is not None or table.values.dtype == "uint8"
    )
    others = comparison_methods(settings["random_state"], scale_columns=not images)
    scorers = {name: partial(_fit_and_score, make()) for name, make in others.items()}
    return {**scorers, PLAIN: _Ours(table, settings | {"lam": float("inf")}), OURS: ours}


def _fit_and_score(method: Any, X: Any) -> Any:
    from robustae.fit.mixed import encoded

    rows = encoded(X).reshape(len(X), -1)
    return method.fit(rows).score_samples(rows)


def _measured(score: Scorer, table: "Table") -> dict[str, float]:
    from robustae.metrics import auprc, auroc, precision_at

    start = time.perf_counter()
    anomaly = -score(table.values)
    seconds = time.perf_counter() - start
    k = min(BEST, len(anomaly))
    y = table.labels
    return {
        "auprc": auprc(y, anomaly),
        "auroc": auroc(y, anomaly),
        "p_at_10": precision_at(y, anomaly, k),
        "seconds": seconds,
    }


def _chance(share: float) -> dict[str, float]:
    return {"auprc": share, "auroc": 0.5, "p_at_10": share}


def _lines(facts: dict[str, Any], name: str) -> list[str]:
    rows = [
        (row["method"], *(f"{row[measure]:.3f}" for measure in MEASURES), f"{row['seconds']:.2f}")
        for row in facts["methods"]
    ]
    chance = ("chance", *(f"{facts['chance'][measure]:.3f}" for measure in MEASURES), "")
    share = running.percent(facts["anomalies"])
    return [
        f"{name}: {facts['rows']} rows, {share} anomalies.",
        *running.show_table(("method", *MEASURES.values(), "seconds"), [*rows, chance]),
        running.line_of_calls(facts["called"], round(facts["anomalies"] * facts["rows"])),
    ]
