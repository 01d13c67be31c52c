"""robustae fit."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import options, running, streaming

__all__ = ["COMMANDS"]


def fit(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Rows: CSV, Parquet, .npy or .npz. Several files or a folder are read in batches.",
            show_default=False,
        ),
    ],
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
    checkpoint: Annotated[
        Path | None,
        options.option("DIR", "--checkpoint", help="Where the state of a fit in batches is kept."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint, if there is one.")
    ] = False,
    spill: Annotated[
        Path | None, options.option("DIR", "--spill", help="Keep the rows in float32 here, for later fits.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read in batches, as is done for what memory cannot hold.")
    ] = False,
    epochs: Annotated[
        int | None,
        options.option("NUMBER", "--epochs", help="Times that rows in batches are gone through.", min=0),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show progress and all settings.")] = False,
    json: options.Json = False,
) -> None:
    """Fit a model to rows, anomalies among them or not.

    For instance: robustae fit sensors.csv --model sensors.rae --label broken --set hidden=4

    Several files, a folder, or more than memory holds are read in batches, also by several processes
    (torchrun --nproc-per-node 2 -m robustae fit ...), and a fit that was stopped goes on with --resume.
    """
    settings = options.settings_of(
        set_,
        contamination=None if contamination is None else options.value_of(contamination),
        random_state=seed,
        max_iter=epochs,
        **options.chosen(predictor, lam, image_shape),
    )
    told = {"verbose": int(verbose or sys.stderr.isatty())} | settings
    way = {"checkpoint": checkpoint, "resume": resume, "spill": spill}
    if streaming.wanted(data, stream or epochs is not None or any(way.values())):
        return _in_batches(data, model, [*([] if label is None else [label]), *(drop or [])], told, way, json)
    _in_memory(data[0], model, label, drop, told, verbose, json)


def _in_batches(
    data: list[Path],
    model: Path,
    left_out: list[str],
    settings: dict[str, Any],
    way: dict[str, Any],
    json: bool,
) -> None:
    first = streaming.first_process()
    for path in data if first else ():
        running.place_for(model, path)
    estimator, seconds, speed = streaming.fitted(data, left_out, settings, way)
    if first:
        estimator.save(model)
        streaming.show(streaming.facts_of(estimator, seconds, speed, model), json, data)


def _in_memory(
    data: Path,
    model: Path,
    label: str | None,
    drop: list[str] | None,
    settings: dict[str, Any],
    verbose: bool,
    json: bool,
) -> None:
    running.place_for(model, data)
    table = running.without(data, label, drop)
    running.show_left_out(table)
    start = time.perf_counter()
    estimator = running.fitted(table, settings)
    seconds = time.perf_counter() - start
    estimator.save(model)
    left_out = {} if estimator.plan_ is None else estimator.plan_.left_out
    unused = {"left_out": table.dropped | left_out, "taken_as_missing": table.slips}
    facts = _facts(estimator, table.values, seconds) | {"model": str(model)} | unused
    running.show(facts, json, _lines(facts, data, estimator.get_params() if verbose else {}))


def _facts(model: Any, X: Any, seconds: float) -> dict[str, Any]:
    flagged = int((model.predict(X) < 0).sum())
    return {
        **running.facts_of_fit(model),
        "rows": len(X),
        "kinds": _kinds(model),
        "iterations": model.n_iter_,
        "flagged": flagged,
        "share_flagged": flagged / len(X),
        "seconds": seconds,
    }


def _kinds(model: Any) -> dict[str, int]:
    """How many columns there are of each kind."""
    return {"number": model.n_features_in_} if model.plan_ is None else model.plan_.kinds()


def _lines(facts: dict[str, Any], data: Path, params: dict[str, Any]) -> list[str]:
    rows, flagged = (running.counted(facts[name], "row") for name in ("rows", "flagged"))
    columns, steps = (running.counted(facts[f"{noun}s"], noun) for noun in ("column", "iteration"))
    return [
        f"Fitted {data.name}: {rows}, {columns}, {facts['seconds']:.2f} s.",
        f"  kinds     {', '.join(f'{count} {kind}' for kind, count in facts['kinds'].items())}",
        f"  status    {facts['status']}",
        f"  fit       {running.line_of_fit(facts)}, {steps}",
        f"  flagged   {flagged} ({running.percent(facts['share_flagged'])})",
        f"  model     {facts['model']}",
        *(f"  {name:<16} {value!r}" for name, value in params.items()),
    ]


COMMANDS = (fit,)
