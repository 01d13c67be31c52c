"""Arrow IPC streams: record batches in, scores out. What comes is believed only after it was checked."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from robustae.data.batches import is_numeric, of_arrow
from robustae.data.dataframes import frame_of, of_frame
from robustae.deploy.records import Intake
from robustae.deploy.serve.answers import ALWAYS, CELLS, Answer, answer, by_column
from robustae.deploy.serve.desk import Deadline
from robustae.deploy.serve.limits import Limits, too_many_rows
from robustae.estimators.scoring import score_batches
from robustae.utils.checks import InputError, need

__all__ = ["answer_arrow", "read_arrow", "write_arrow"]

LONGEST = 10_000  # bytes of a text that many rows may point to
RECORD_BATCH, DICTIONARY = 3, 2  # kinds of messages, as Arrow's Message.fbs numbers them
HEADER, DATA, COMPRESSION = 2, 1, 3  # places of fields in tables of Message.fbs


def arrow() -> Any:
    return need("serve", "pyarrow", "Arrow streams")


def read_arrow(body: bytes, intake: Intake, limits: Limits) -> Any:
    """Return the columns of a stream that the model needs, as a table.

    Raises
    ------
    InputError
        If it is no sound stream, is compressed, has no rows, or holds types that the model cannot take.
    """
    pa = arrow()
    try:
        _refuse_compressed(pa, body)
        with pa.ipc.open_stream(body) as stream:
            table = _wanted(stream, intake, limits)
    except (pa.ArrowException, OSError, struct.error, MemoryError, UnicodeDecodeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the body is no sound Arrow IPC stream: {_said(error)}.") from None
    if not table.num_rows:
        raise InputError("the stream has no rows.")
    return table.combine_chunks()


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def _wanted(stream: Any, intake: Intake, limits: Limits) -> Any:
    """The columns that the model needs, each batch checked before it is believed."""
    schema = stream.schema
    places = intake.places(schema.names, len(schema))
    for j in places:
        _refuse_type(arrow().types, schema.field(j), intake.mixed)
    batches = [batch.select(places) for batch in _counted(stream, limits)]
    return arrow().Table.from_batches(batches, arrow().schema([schema.field(j) for j in places]))


def _counted(stream: Any, limits: Limits) -> Iterator[Any]:
    rows = 0
    for batch in stream:
        rows += batch.num_rows
        too_many_rows(rows, limits)
        batch.validate(full=True)
        _refuse_repeated_texts(batch)
        yield batch


def _refuse_type(types: Any, field: Any, mixed: bool) -> None:
    kind = field.type
    if is_numeric(types, kind) or mixed and _is_text(types, _values(types, kind)):
        return
    what = "numbers, truth values, dates or texts" if mixed else "numbers"
    raise InputError(f"column {field.name!r} is of type {kind}: the model takes {what}.")


def _values(types: Any, kind: Any) -> Any:
    return kind.value_type if types.is_dictionary(kind) else kind


def _is_text(types: Any, kind: Any) -> bool:
    return types.is_string(kind) or types.is_large_string(kind)


def _refuse_repeated_texts(batch: Any) -> None:
    """A few bytes that point to one long text again and again would fill the memory."""
    pa = arrow()
    from pyarrow import compute

    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and _is_text(pa.types, column.type.value_type):
            longest = compute.max(compute.binary_length(column.dictionary)).as_py()  # pyright: ignore
            if longest and longest > LONGEST:
                raise InputError(f"a category is longer than {LONGEST} bytes.")


def answer_arrow(intake: Intake, table: Any, outputs: Sequence[str], deadline: Deadline) -> Answer:
    """Return the outputs for a table that was read."""
    if outputs != ALWAYS:
        return answer(intake, _rows(table, intake), outputs, deadline)
    parts = score_batches(intake.model, _slices(table, deadline))
    scored = arrow().Table.from_batches(parts)
    return {name: scored[name].to_numpy() for name in ALWAYS}


def _slices(table: Any, deadline: Deadline) -> Iterator[Any]:
    for batch in table.to_batches(max(1, CELLS // table.num_columns)):
        deadline.check()
        yield batch


def _rows(table: Any, intake: Intake) -> Any:
    if intake.mixed:
        return of_frame(frame_of(table))
    return of_arrow(table.to_batches()[0], "the stream")


def _refuse_compressed(pa: Any, body: bytes) -> None:
    """A few compressed bytes may stand for more than the memory holds."""
    for message in pa.ipc.MessageReader.open_stream(body):
        if _is_compressed(message.metadata.to_pybytes()):
            raise InputError("the stream is compressed: send it uncompressed.")


def _is_compressed(metadata: bytes) -> bool:
    """Whether a message names a compression of its body (see Arrow's Message.fbs; FlatBuffers)."""
    message = _number("<I", metadata, 0)
    kind = _field(metadata, message, 1)
    header = _follow(metadata, _field(metadata, message, HEADER))
    kind = metadata[kind] if kind else 0
    if kind == DICTIONARY:
        header = _follow(metadata, _field(metadata, header, DATA))
    return kind in (RECORD_BATCH, DICTIONARY) and bool(_field(metadata, header, COMPRESSION))


def _number(kind: str, data: bytes, at: int) -> int:
    return struct.unpack_from(kind, data, at)[0]


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a table lies; 0 where it has none."""
    layout = table - _number("<i", data, table)
    if 4 + 2 * number >= _number("<H", data, layout):
        return 0
    offset = _number("<H", data, layout + 4 + 2 * number)
    return table + offset if offset else 0


def _follow(data: bytes, at: int) -> int:
    return at + _number("<I", data, at)


def write_arrow(found: Answer, intake: Intake) -> bytes:
    """Return an answer as a stream of one batch."""
    pa = arrow()
    batch = pa.RecordBatch.from_pydict(
        {
            name: pa.array(values, from_pandas=True)
            for name, values in by_column(found, intake.columns).items()
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()
