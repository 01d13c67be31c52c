"""robustae evaluate."""

import time
from collections.abc import Callable
from functools import partial
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
    positive: Annotated[
        str | None,
        options.option("VALUE", "--positive", help="Value of the label that marks anomalies, if not 1."),
    ] = None,
    normal: Annotated[
        str | None,
        options.option(
            "VALUE",
            "--normal",
            help="Value of the label that marks normal rows; all other values mark anomalies.",
        ),
    ] = None,
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

    No method is given the label. Without --model each method is fitted to the rows that it then ranks.
    """
    settings = asked.settings(model)
    estimator = None if model is None else running.loaded(model)
    wanted = {"positive": positive, "normal": normal, "drop": drop or ()}
    table = reading.read(data, label, how=how, model=estimator, **wanted)
    if estimator is not None:
        table = reading.rows_for(estimator, table)
    running.show_left_out(table)
    methods = _methods(table, settings, estimator, compare)
    results = [{"method": name} | _measured(score, table) for name, score in methods.items()]
    share = float(table.labels.mean()) if table.labels is not None else 0.0
    facts = {"rows": len(table.values), "anomalies": share, "chance": _chance(share), "methods": results}
    running.show(facts, json, _lines(facts, data.name))


def _methods(
    table: "Table", settings: dict[str, Any], model: "RobustAutoencoder | None", compare: bool
) -> dict[str, Scorer]:
    """Return by name what scores rows, higher being more normal; ours last."""
    ours = {OURS: partial(_autoencoder, table, settings) if model is None else model.score_samples}
    if not compare:
        return ours
    from robustae.baselines import comparison_methods

    images = not table.mixed and (
        table.values.ndim > 2 or settings.get("image_shape") is not None or table.values.dtype == "uint8"
    )
    others = comparison_methods(settings["random_state"], scale_columns=not images)
    scorers = {name: partial(_fit_and_score, make()) for name, make in others.items()}
    plain = partial(_autoencoder, table, settings | {"lam": float("inf")})
    return {**scorers, PLAIN: plain, **ours}


def _autoencoder(table: "Table", settings: dict[str, Any], X: Any) -> Any:
    return running.fitted(table, settings).score_samples(X)


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
    ]
