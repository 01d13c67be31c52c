"""What is answered about rows: scores, and parts of the rows where asked for."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from robustae.deploy.records import RowReader
from robustae.deploy.serve.limits import Limits, too_long_an_answer
from robustae.deploy.serve.queue import Deadline
from robustae.utils.checks import known_names

__all__ = ["ALWAYS", "OUTPUTS", "answer", "by_column", "wanted"]

ALWAYS = ("score", "anomaly")
PARTS = ("reconstruction", "outliers")
OUTPUTS = (*ALWAYS, *PARTS)
SHOWN = 80  # characters of a name, more than any has
CELLS = 2**19  # scored between two checks of the clock

Answer = dict[str, np.ndarray]


def wanted(names: Iterable[str]) -> tuple[str, ...]:
    """Return the outputs asked for; score and anomaly where none is."""
    names = tuple(dict.fromkeys(name[:SHOWN] for name in names))
    known_names("output", names, OUTPUTS)
    return names or ALWAYS


def answer(
    row_reader: RowReader, X: Any, outputs: Sequence[str], deadline: Deadline, limits: Limits
) -> Answer:
    """Return the outputs for rows that the row_reader made.

    Returns
    -------
    dict of arrays
        score and anomaly (bool), shape (n,); reconstruction and outliers, shape (n, d), of a mixed table
        by column: ``reconstruction.NAME``, shape (n,).

    Raises
    ------
    Refused
        If the answer would have too many cells, or comes too late.
    """
    asked = len({*outputs} & {*PARTS}) * len(X) * len(row_reader.columns)
    too_long_an_answer(asked, limits)
    step = max(1, CELLS // len(row_reader.columns))
    parts = []
    for start in range(0, len(X), step):
        deadline.check()
        parts.append(_part(row_reader, X[start : start + step], outputs))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _part(row_reader: RowReader, X: Any, outputs: Sequence[str]) -> Answer:
    model, found = row_reader.model, {}
    if not set(ALWAYS).isdisjoint(outputs):
        score = model.score_samples(X)
        found = {"score": score, "anomaly": score < model.offset_}
    if not set(PARTS).isdisjoint(outputs):
        found |= dict(zip(PARTS, model.split(X), strict=True))
    return _spread({name: found[name] for name in outputs})


def _spread(found: dict[str, Any]) -> Answer:
    """Tables, column by column."""
    spread: Answer = {}
    for name, values in found.items():
        columns = getattr(values, "columns", None)
        spread |= {name: values} if columns is None else _prefixed(name, columns)
    return spread


def _prefixed(name: str, columns: dict[str, np.ndarray]) -> Answer:
    return {f"{name}.{column}": values for column, values in columns.items()}


def by_column(found: Answer, columns: Sequence[str]) -> Answer:
    """Return an answer whose every array has the shape (n,)."""
    flat: Answer = {}
    for name, values in found.items():
        if values.ndim == 1:
            flat[name] = values
        else:
            flat |= _prefixed(name, dict(zip(columns, values.reshape(len(values), -1).T, strict=True)))
    return flat
