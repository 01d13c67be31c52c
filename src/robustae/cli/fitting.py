"""robustae fit."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import options, running

__all__ = ["COMMANDS"]


def fit(
    data: options.Data,
    model: Annotated[Path, options.option("FILE", "--model", "-m", help="Where to write the model.")],
    label: options.Label = None,
    drop: options.Drop = None,
    contamination: Annotated[
        str | None,
        options.option(
            "SHARE", "--contamination", help="Anomalies, from 0 to 0.5; auto (as left out) if unknown."
        ),
    ] = None,
    predictor: options.Predictor = None,
    lam: options.Lam = None,
    image_shape: options.ImageShape = None,
    seed: options.Seed = 0,
    set_: options.Set = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show progress and all settings.")] = False,
    json: options.Json = False,
) -> None:
    """Fit a model to rows, anomalies among them or not.

    For instance: robustae fit sensors.csv --model sensors.rae --label broken --set hidden=4
    """
    running.place_for(model, data)
    table = running.without(data, label, drop)
    running.show_left_out(table)
    settings = options.settings_of(
        set_,
        contamination=None if contamination is None else options.value_of(contamination),
        random_state=seed,
        **options.chosen(predictor, lam, image_shape),
    )
    start = time.perf_counter()
    estimator = running.fitted(table, {"verbose": int(verbose or sys.stderr.isatty())} | settings)
    seconds = time.perf_counter() - start
    estimator.save(model)
    left_out = {} if estimator.plan_ is None else estimator.plan_.left_out
    unused = {"left_out": table.dropped | left_out, "taken_as_missing": table.slips}
    facts = _facts(estimator, table.values, seconds) | {"model": str(model)} | unused
    running.show(facts, json, _lines(facts, data, estimator.get_params() if verbose else {}))


def _facts(model: Any, X: Any, seconds: float) -> dict[str, Any]:
    flagged = int((model.predict(X) < 0).sum())
    return {
        "rows": len(X),
        "columns": model.n_features_in_,
        "kinds": _kinds(model),
        "status": model.status_,
        "iterations": model.n_iter_,
        "objective": model.objective_,
        "predictor": model.predictor_name_ or type(model.predictor_).__name__,
        "lam": model.lam_,
        "hidden": model.hidden_,
        "flagged": flagged,
        "share_flagged": flagged / len(X),
        "seconds": seconds,
    }


def _kinds(model: Any) -> dict[str, int]:
    """How many columns there are of each kind."""
    return {"number": model.n_features_in_} if model.plan_ is None else model.plan_.kinds()


def _lines(facts: dict[str, Any], data: Path, params: dict[str, Any]) -> list[str]:
    widths = facts["hidden"] if isinstance(facts["hidden"], tuple) else (facts["hidden"],)
    hidden = " x ".join(map(str, widths))
    rows, flagged = (running.counted(facts[name], "row") for name in ("rows", "flagged"))
    columns, steps = (running.counted(facts[f"{noun}s"], noun) for noun in ("column", "iteration"))
    return [
        f"Fitted {data.name}: {rows}, {columns}, {facts['seconds']:.2f} s.",
        f"  kinds     {', '.join(f'{count} {kind}' for kind, count in facts['kinds'].items())}",
        f"  status    {facts['status']}",
        f"  fit       {facts['predictor']}, lam {facts['lam']:.4g}, hidden {hidden}, {steps}",
        f"  flagged   {flagged} ({running.percent(facts['share_flagged'])})",
        f"  model     {facts['model']}",
        *(f"  {name:<16} {value!r}" for name, value in params.items()),
    ]


COMMANDS = (fit,)
