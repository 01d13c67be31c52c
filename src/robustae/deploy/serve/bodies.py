"""Bodies of requests by their kind: JSON, Arrow, CSV; answers are of the same kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.deploy.records import Intake
from robustae.deploy.serve.answers import Answer, answer, wanted
from robustae.deploy.serve.arrow import answer_arrow, read_arrow, write_arrow
from robustae.deploy.serve.csvs import read_csv, write_csv
from robustae.deploy.serve.desk import Deadline
from robustae.deploy.serve.limits import Limits, Refused
from robustae.deploy.serve.protocol import read_json, write_json

__all__ = ["ARROW", "CSV", "JSON", "Answered", "kind_of", "work_on"]

JSON, ARROW, CSV = "application/json", "application/vnd.apache.arrow.stream", "text/csv"
_TABLES: dict[str, tuple[Callable[..., Any], Callable[..., Answer], Callable[..., bytes]]] = {
    ARROW: (read_arrow, answer_arrow, write_arrow),
    CSV: (read_csv, answer, write_csv),
}


@dataclass(frozen=True)
class Answered:
    """An answer's body, and how many rows it is about and flags."""

    body: bytes
    kind: str
    rows: int
    anomalies: int


def kind_of(headers: Any) -> str:
    """Return the kind of a body.

    Raises
    ------
    Refused
        415, if it is none of those that are read.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (JSON, ARROW, CSV):
        raise Refused(415, f"the content type {kind[:80]!r} is not read: use {JSON}, {ARROW} or {CSV}.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "compressed bodies are not read.")
    return kind


def work_on(
    kind: str, intake: Intake, name: str, limits: Limits, outputs: list[str]
) -> Callable[[bytes, Deadline], Answered]:
    """Return what makes an answer of a body, off the event loop."""

    def work(body: bytes, deadline: Deadline) -> Answered:
        deadline.check()
        if kind == JSON:
            asked = read_json(body, intake, limits)
            found = answer(intake, asked.rows, asked.outputs or wanted(outputs), deadline)
            return _answered(write_json(found, asked, name), kind, found)
        read, about, write = _TABLES[kind]
        found = about(intake, read(body, intake, limits), wanted(outputs), deadline)
        return _answered(write(found, intake), kind, found)

    return work


def _answered(body: bytes, kind: str, found: Answer) -> Answered:
    rows = len(next(iter(found.values())))
    return Answered(body, kind, rows, int(found.get("anomaly", np.zeros(1)).sum()))
