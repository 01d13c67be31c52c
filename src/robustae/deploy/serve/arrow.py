"""Arrow IPC streams: record batches in, scores out. What comes is used only after it was checked."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from robustae.data.batches import is_numeric, of_arrow
from robustae.data.dataframes import frame_of, of_frame
from robustae.deploy.records import RowReader
from robustae.deploy.serve.answers import ALWAYS, CELLS, Answer, answer, by_column
from robustae.deploy.serve.limits import (
    Limits,
    Refused,
    too_many_cells,
    too_many_columns,
    too_many_rows,
)
from robustae.deploy.serve.queue import Deadline
from robustae.estimators.scoring import score_batches
from robustae.utils.checks import InputError, need

__all__ = ["answer_arrow", "read_arrow", "write_arrow"]

MESSAGES = 10_000  # in a stream
RECORD_BATCH, DICTIONARY = 3, 2  # kinds of messages, as Arrow's Message.fbs numbers them
VERSION, KIND, HEADER, DATA, COMPRESSION = 0, 1, 2, 1, 3  # places of fields in tables of Message.fbs
V5 = 4  # of the metadata, since Arrow 1.0: before, a compression could be named where nobody expects it


def arrow() -> Any:
    return need("serve", "pyarrow", "Arrow streams")


def read_arrow(body: bytes, row_reader: RowReader, limits: Limits) -> Any:
    """Return the columns of a stream that the model needs, as a table.

    Raises
    ------
    InputError
        If it is no sound stream, is compressed, has no rows, or holds types that the model cannot take.
    """
    pa = arrow()
    try:
        _check_messages(pa, body)
        with pa.ipc.open_stream(body) as stream:
            table = _wanted(stream, row_reader, limits)
    except (pa.ArrowException, OSError, struct.error, MemoryError, UnicodeDecodeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the body is no sound Arrow IPC stream: {_sentence(error)}.") from None
    if not table.num_rows:
        raise InputError("the stream has no rows.")
    return table.combine_chunks()


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def _wanted(stream: Any, row_reader: RowReader, limits: Limits) -> Any:
    """The columns that the model needs, each batch checked before it is used."""
    schema = stream.schema
    too_many_columns(len(schema), limits)
    places = row_reader.places(schema.names, len(schema))
    for j in places:
        _refuse_type(arrow().types, schema.field(j), row_reader.mixed)
    batches = [*_checked(stream, places, limits)]
    return arrow().Table.from_batches(batches, arrow().schema([schema.field(j) for j in places]))


def _checked(stream: Any, places: list[int], limits: Limits) -> Iterator[Any]:
    """Arrow believes its offsets, and columns may lie one over the other: a few bytes can stand for many."""
    rows = texts = 0
    for whole in stream:
        rows += whole.num_rows
        too_many_rows(rows, limits)
        too_many_cells(rows * len(places), limits)
        batch = whole.select(places)
        batch.validate(full=True)
        texts += sum(map(_text_bytes, batch.columns))
        if texts > limits.bytes:
            raise Refused(413, f"the texts of all rows have more than {limits.bytes} bytes: send fewer rows.")
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


def _text_bytes(column: Any) -> int:
    """Bytes of all texts of a column, each as often as it is pointed to."""
    types = arrow().types
    from pyarrow import compute

    if types.is_dictionary(column.type) and _is_text(types, column.type.value_type):
        lengths: Any = compute.binary_length(column.dictionary)  # pyright: ignore
        lengths = lengths.take(column.indices)
    elif _is_text(types, column.type):
        lengths = compute.binary_length(column)  # pyright: ignore
    else:
        return 0
    return compute.sum(lengths.cast("int64")).as_py() or 0  # pyright: ignore


def answer_arrow(
    row_reader: RowReader, table: Any, outputs: Sequence[str], deadline: Deadline, limits: Limits
) -> Answer:
    """Return the outputs for a table that was read."""
    if outputs != ALWAYS:
        return answer(row_reader, _rows(table, row_reader), outputs, deadline, limits)
    parts = score_batches(row_reader.model, _slices(table, deadline))
    scored = arrow().Table.from_batches(parts)
    return {name: scored[name].to_numpy() for name in ALWAYS}


def _slices(table: Any, deadline: Deadline) -> Iterator[Any]:
    for batch in table.to_batches(max(1, CELLS // table.num_columns)):
        deadline.check()
        yield batch


def _rows(table: Any, row_reader: RowReader) -> Any:
    if row_reader.mixed:
        return of_frame(frame_of(table))
    return of_arrow(table.to_batches()[0], "the stream")


def _check_messages(pa: Any, body: bytes) -> None:
    """A few compressed bytes may stand for more than the memory holds."""
    for number, message in enumerate(pa.ipc.MessageReader.open_stream(body)):
        if number >= MESSAGES:
            raise Refused(413, f"the stream has more than {MESSAGES} messages: send fewer, larger batches.")
        if _is_compressed(message.metadata.to_pybytes()):
            raise InputError("the stream is compressed: send it uncompressed.")


def _is_compressed(metadata: bytes) -> bool:
    """Whether a message names a compression of its body (see Arrow's Message.fbs; FlatBuffers)."""
    message = _number("<I", metadata, 0)
    version, kind = _field(metadata, message, VERSION), _field(metadata, message, KIND)
    if not version or _number("<h", metadata, version) != V5:
        raise InputError("the stream's metadata are older than V5: write it by Arrow 1.0 or later.")
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


def write_arrow(found: Answer, row_reader: RowReader) -> bytes:
    """Return an answer as a stream of one batch."""
    pa = arrow()
    batch = pa.RecordBatch.from_pydict(
        {
            name: pa.array(values, from_pandas=True)
            for name, values in by_column(found, row_reader.columns).items()
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()
