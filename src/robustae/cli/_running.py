"""What commands have in common: fits, models, and saying what was found."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from robustae.utils.checks import InputError

if TYPE_CHECKING:
    from robustae.data import Table
    from robustae.estimators.autoencoder import RobustAutoencoder

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "MISUSED",
    "counted",
    "facts_of_fit",
    "fitted",
    "line_of_fit",
    "list_left_out",
    "loaded",
    "name_of",
    "percent",
    "place_for",
    "short",
    "show",
    "show_left_out",
    "show_table",
]

FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # exit codes


def loaded(path: Path) -> Any:
    """Read a model."""
    from robustae import load

    return load(path)


def fitted(table: "Table", settings: Mapping[str, Any]) -> Any:
    """Fit a model to a table, which then knows the names of its columns."""
    import numpy as np

    from robustae import RobustAutoencoder

    if len(table.to_fit) < 2:
        raise InputError("a model needs at least 2 rows, and the data have 1.")
    model = RobustAutoencoder(**settings).fit(table.to_fit)
    if table.named and not table.mixed:
        setattr(model, "feature_names_in_", np.array(table.columns, dtype=object))  # noqa: B010
    return model


def facts_of_fit(model: "RobustAutoencoder") -> dict[str, Any]:
    """Facts of any fitted model."""
    return {
        "columns": model.n_features_in_,
        "status": model.status_,
        "objective": model.objective_,
        "predictor": model.predictor_name_ or type(model.predictor_).__name__,
        "lam": model.lam_,
        "hidden": model.hidden_,
    }


def line_of_fit(facts: Mapping[str, Any]) -> str:
    """Return those facts in a line."""
    widths = facts["hidden"] if isinstance(facts["hidden"], tuple) else (facts["hidden"],)
    code = f", hidden {' x '.join(map(str, widths))}" if any(widths) else ""
    return f"{facts['predictor']}, lam {facts['lam']:.4g}{code}"


def place_for(out: Path, data: Path, suffixes: Iterable[str] = (), folder: bool = False) -> None:
    """Refuse, before any work is done, what could not be written or would replace the data."""
    from robustae.utils.files import check_writable

    if out.exists() and data.exists() and out.samefile(data):
        raise InputError(f"writing {str(out)!r} would replace the data: choose another name.")
    if out.is_dir() and not folder:
        raise InputError(f"cannot write {str(out)!r}: it is a folder; name a file.")
    check_writable(out, suffixes)


def name_of(data: Sequence[Path]) -> str:
    """What the data are called: the file, or how many there are."""
    return data[0].name if len(data) == 1 else f"{len(data)} files"


def counted(count: int, noun: str) -> str:
    """Return how many there are: 1 row, 2 rows."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def percent(share: float) -> str:
    """Return a share as a percentage of three digits."""
    return f"{100 * share:.3g} %"


def line_of_calls(calls: Mapping[str, Any], anomalies: int) -> str:
    """How well rows are called anomalies, in words."""
    called, false = counted(calls["called"], "row"), percent(calls["false_alarms"])
    are = "is" if calls["called"] == 1 else "are"
    return (
        f"At its threshold {called} {are} called: {calls['found']} of the {anomalies} anomalies, and "
        f"{false} of the normal rows (false alarms); F1 {calls['f1']:.3f}."
    )


def short(value: float) -> str:
    """Return a number in five digits, or all of those before the point."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.5g}"


def show(facts: Mapping[str, Any], as_json: bool, lines: Iterable[str]) -> None:
    """Print the facts as JSON, or as lines."""
    if as_json:
        from robustae.utils.json import plain

        typer.echo(json.dumps(plain(facts, infinite=True), allow_nan=False, ensure_ascii=False))
    else:
        typer.echo("\n".join(lines))


def show_left_out(table: "Table") -> None:
    """List on standard error the columns and cells that were not used, with reasons."""
    list_left_out(table.dropped, table.slips)


def list_left_out(dropped: Mapping[str, str], slips: Mapping[str, str]) -> None:
    """Say the same of columns that are left out, and of cells taken as missing, each with its reason."""
    for heading, columns in (("Left out", dropped), ("Taken as missing", slips)):
        if columns:
            each = [f"{name} ({why})" for name, why in list(columns.items())[:8]]
            more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
            typer.echo(f"{heading}: {', '.join(each)}{more}.", err=True)


def show_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return lines with the cells under their titles; the first column to the left, others to the right."""
    cells = [list(titles), *map(list, rows)]
    widths = [max(len(row[j]) for row in cells) for j in range(len(titles))]
    return ["  ".join(_padded(row, widths)).rstrip() for row in cells]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if j else cell.ljust(width)
        for j, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
