"""Bodies of requests by their kind: JSON (with bytes behind it), Arrow, CSV; answers are of the same kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.deploy.records import RowReader
from robustae.deploy.serve.answers import Answer, answer, wanted
from robustae.deploy.serve.arrow import answer_arrow, read_arrow, write_arrow
from robustae.deploy.serve.csvs import as_utf8, read_csv, write_csv
from robustae.deploy.serve.limits import Limits, Refused
from robustae.deploy.serve.protocol import read_json, write_json
from robustae.deploy.serve.queue import Deadline
from robustae.utils.checks import InputError

__all__ = ["ARROW", "BYTES", "CSV", "HEADER", "JSON", "Answered", "BodyFormat", "kind_of", "work_on"]

JSON, ARROW, CSV = "application/json", "application/vnd.apache.arrow.stream", "text/csv"
BYTES = "application/octet-stream"
HEADER = "Inference-Header-Content-Length"  # bytes of a body that are JSON
CHARSETS = (
    *("utf-8", "us-ascii", "utf-16", "utf-16-le", "utf-16-be", "utf-16le", "utf-16be"),
    *("windows-1252", "cp1252", "iso-8859-1", "latin-1", "iso-8859-15"),
)
_TABLES: dict[str, tuple[Callable[..., Any], Callable[..., Answer], Callable[..., bytes]]] = {
    ARROW: (read_arrow, answer_arrow, write_arrow),
    CSV: (read_csv, answer, write_csv),
}


@dataclass(frozen=True)
class BodyFormat:
    """What a body is: its content type, its bytes of JSON where others follow, and of texts the encoding."""

    type: str
    header: int | None = None
    charset: str = "utf-8"


@dataclass(frozen=True)
class Answered:
    """An answer's body, and how many rows it is about and flags."""

    body: bytes
    type: str
    rows: int
    anomalies: int
    headers: dict[str, str]


def kind_of(headers: Any) -> BodyFormat:
    """Return the kind of a body; one without a content type is JSON, except from a page in a browser.

    Raises
    ------
    Refused
        415, if it is none of those that are read.
    InputError
        If the length of its JSON is no number.
    """
    kind, _, more = headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    header = headers.get(HEADER)
    # A page may send bodies without a type, and without leave, to any address; its origin is with them.
    bare = not kind and "origin" not in headers
    if bare or kind == BYTES and header is not None:
        kind = JSON
    if kind not in (JSON, ARROW, CSV):
        raise Refused(415, f"the content type {kind[:80]!r} is not read: use {JSON}, {ARROW} or {CSV}.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "compressed bodies are not read.")
    charset = _charset(more) if kind == CSV else "utf-8"
    return BodyFormat(kind, None if header is None or kind != JSON else _length(header), charset)


def _charset(parameters: str) -> str:
    """The encoding that the parameters of a content type name."""
    named = (part.partition("=") for part in parameters.lower().split(";"))
    found = next((value.strip(" \"'") for name, _, value in named if name.strip() == "charset"), "utf-8")
    if found not in CHARSETS:
        raise Refused(415, f"the charset {found[:80]!r} is not read: use one of {', '.join(CHARSETS)}.")
    return found


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise InputError(f"{HEADER} must be a number of bytes.")
    return int(text)


def work_on(
    kind: BodyFormat, row_reader: RowReader, name: str, limits: Limits, outputs: list[str]
) -> Callable[[bytes, Deadline], Answered]:
    """Return what makes an answer of a body, off the event loop."""

    def work(body: bytes, deadline: Deadline) -> Answered:
        deadline.check()
        if kind.type == JSON:
            asked = read_json(body, row_reader, limits, kind.header)
            found = answer(row_reader, asked.rows, asked.outputs or wanted(outputs), deadline, limits)
            written = write_json(found, asked, name)
            mixed = {} if written.header is None else {HEADER: str(written.header)}
            return _answered(written.body, BYTES if mixed else JSON, found, mixed)
        read, about, write = _TABLES[kind.type]
        body = body if kind.charset == "utf-8" else as_utf8(body, kind.charset)
        found = about(row_reader, read(body, row_reader, limits), wanted(outputs), deadline, limits)
        return _answered(write(found, row_reader), kind.type, found, {})

    return work


def _answered(body: bytes, kind: str, found: Answer, headers: dict[str, str]) -> Answered:
    rows = len(next(iter(found.values())))
    return Answered(body, kind, rows, int(found.get("anomaly", np.zeros(1)).sum()), headers)
