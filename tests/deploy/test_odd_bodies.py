"""Bodies that no honest client sends: a right answer, or one clear refusal, in little time and memory."""

import struct

import fuzzing
import hostile
import numpy as np
import pytest
from serving import ARROW, CSV, JSON
from test_hostile_requests import served

pa = pytest.importorskip("pyarrow", reason="needs the extra serve")
MIB = 300
TWO, NONE = pa.array([1.0, 2.0]), pa.array([0, 0], pa.int8())


def tensor(shape="[1,3]", data="[1,2,3]", datatype="FP64", more=""):
    return (
        f'{{"inputs":[{{"name":"X","shape":{shape},"datatype":"{datatype}","data":{data}}}]{more}}}'.encode()
    )


def stream(*columns, **options):
    batch = pa.record_batch(list(columns), names=list("abc")[: len(columns)])
    sink = pa.BufferOutputStream()
    writing = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_stream(sink, batch.schema, options=writing) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def counted(rows):
    """A stream that says it has so many rows, in every place where it said two."""
    body, two = stream(*[pa.nulls(2)] * 3), struct.pack("<q", 2)
    return body.replace(two, struct.pack("<q", rows))


def ipc_file():
    sink, batch = pa.BufferOutputStream(), pa.record_batch([TWO] * 3, names=list("abc"))
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def deltas():
    """Each batch adds a level to a dictionary."""
    schema = pa.schema([("a", pa.dictionary(pa.int8(), pa.string()))])
    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for k in range(1, 60):
            levels = pa.array([f"x{j}" for j in range(k)])
            column = pa.DictionaryArray.from_arrays(pa.array([k - 1], pa.int8()), levels)
            writer.write_batch(pa.record_batch([column], schema=schema))
    return sink.getvalue().to_pybytes()


def of_kinds():
    """Columns of types that are no numbers."""
    some = pa.array([0, 1], pa.int8())
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array([1.0]))
    yield "lists", pa.array([[1.0], [2.0]])
    yield "structures", pa.array([{"x": 1}, {"x": 2}])
    yield "maps", pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64()))
    yield "a sparse union", pa.UnionArray.from_sparse(some, [TWO, pa.array(["a", "b"])])
    yield (
        "a dense union",
        pa.UnionArray.from_dense(NONE, some.cast("int32"), [TWO]),
    )
    yield "runs", runs
    yield "views of bytes", pa.array([b"a", b"b"]).cast(pa.binary_view())
    yield "bytes", pa.array([b"a", b"b"])
    yield "levels that are lists", pa.DictionaryArray.from_arrays(some, pa.array([["a"], ["b"]]))


REFUSED = {
    "JSON, nested": (JSON, b"[" * 100_000 + b"]" * 100_000),
    "JSON, nested objects": (JSON, b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "JSON, nested data": (JSON, tensor(data="[" * 900 + "1" + "]" * 900)),
    "JSON, too large a number": (JSON, tensor(data="[1e400,1,1]")),
    "JSON, many digits": (JSON, tensor(data="[" + "9" * 400 + ",1,1]")),
    "JSON, more digits": (JSON, tensor(data="[" + "9" * 5000 + ",1,1]")),
    "JSON, more than 64 bits": (JSON, tensor(data="[" + "9" * 30 + ",1,1]", datatype="INT64")),
    "JSON, the word Infinity": (JSON, tensor(data="[Infinity,1,1]")),
    "JSON, a name twice": (JSON, b'{"inputs":[],' + tensor()[1:]),
    "JSON, a name twice in a tensor": (JSON, tensor().replace(b'"shape"', b'"shape":[9],"shape"')),
    "JSON, half a surrogate": (JSON, tensor(more=',"outputs":[{"name":"\\ud800"}]')),
    "JSON, half a surrogate as type": (JSON, tensor(datatype="\\ud800")),
    "JSON, a shape that lies": (JSON, tensor(shape="[2,3]")),
    "JSON, sides below 0": (JSON, tensor(shape="[-1,-3]")),
    "JSON, sides that are no whole numbers": (JSON, tensor(shape="[1.0,3]")),
    "JSON, rows without columns": (JSON, tensor(shape="[100000,0]", data="[]")),
    "JSON, rows of two lengths": (JSON, tensor(shape="[2,3]", data="[[1,2,3],[1,2]]")),
    "JSON, rows and numbers": (JSON, tensor(shape="[2,3]", data="[[1,2,3],4,5,6]")),
    "JSON, more behind it": (JSON, tensor() + b"x"),
    "JSON, not UTF-8": (JSON, b'{"inputs":"\xff"}'),
    "JSON, blank": (JSON, b" " * 10**6),
    "CSV, nulls": (CSV, b"\0" * 10**6),
    "CSV, quotes": (CSV, b'"' * 10**7),
    "CSV, a quote that stays open": (CSV, b'a,b,c\n"' + b"x\n" * 10**6),
    "CSV, columns": (CSV, b",".join([b"1"] * 10**6)),
    "CSV, commas": (CSV, b"," * 10**7),
    "CSV, one long line": (CSV, b"1" * 15_000_000 + b",2,3\n"),
    "CSV, blank lines": (CSV, b"\n" * 10**7),
    "CSV, lines of two widths": (CSV, b"1,2,3\n4,5\n"),
    "CSV, an infinity": (CSV, b"1e400,1,1\n"),
    "CSV, UTF-16": (CSV, "1,2,3\n".encode("utf-16")),
    "CSV, half a surrogate": (CSV, b"\xed\xa0\x80,1,2\n"),
    "Arrow, a file": (ARROW, ipc_file()),
    "Arrow, compressed": (ARROW, stream(TWO, TWO, TWO, compression="lz4")),
    "Arrow, old metadata": (ARROW, stream(TWO, TWO, TWO, metadata_version=pa.ipc.MetadataVersion.V4)),
    "Arrow, no columns": (ARROW, stream()),
    "Arrow, an infinity": (ARROW, stream(pa.array([np.inf, 1.0]), TWO, TWO)),
    "Arrow, deltas": (ARROW, deltas()),
    **{f"Arrow, {rows} rows": (ARROW, counted(rows)) for rows in (2**62, 2**40, -1, -(2**63))},
    **{f"Arrow, {name}": (ARROW, stream(column, TWO, TWO)) for name, column in of_kinds()},
}


@pytest.fixture(scope="module")
def clients():
    return list(served())


def asked(client, body, headers):
    """The answer, which took little of the processor and of memory."""
    answer, _, grown = hostile.measured(
        lambda: client.post("/v2/models/m/infer", content=body, headers=headers)
    )
    assert grown < MIB
    return answer


@pytest.mark.parametrize("name", REFUSED)
def test_a_body_that_lies_or_is_no_table_is_refused_in_a_sentence(name, clients):
    kind, body = REFUSED[name]
    for client in clients[: 1 if kind == CSV else 2]:
        answer = asked(client, body[: hostile.MOST], {"content-type": kind})
        assert answer.status_code in (400, 413), answer.text[:300]
        said = answer.json()["error"]
        assert said and "\n" not in said and len(said) <= 2000 and "sys." not in said


def binary(shape="[1,3]", datatype="FP64", size="24", data=""):
    return (
        f'{{"inputs":[{{"name":"X","shape":{shape},"datatype":"{datatype}"{data},'
        f'"parameters":{{"binary_data_size":{size}}}}}]}}'
    ).encode()


BYTES = np.array([1.0, 2.0, 3.0]).tobytes()
LIES = {
    "fewer bytes": (binary(), BYTES[:10], None),
    "more bytes": (binary(), BYTES + BYTES, None),
    "another size": (binary(size="16"), BYTES, None),
    "a size below 0": (binary(size="-1"), BYTES, None),
    "a huge size": (binary(size=str(2**70)), BYTES, None),
    "a size that is no number": (binary(size='"24"'), BYTES, None),
    "a size that is a truth": (binary(size="true"), BYTES, None),
    "bytes and data": (binary(data=',"data":[1,2,3]'), BYTES, None),
    "an infinity": (binary(), np.array([np.inf, 1, 2]).tobytes(), None),
    "texts longer than the body": (binary(datatype="BYTES", size="15"), b"\xff\xff\xff\xffa" * 3, None),
    "an unknown type": (binary(datatype="BF16", size="6"), BYTES[:6], None),
    "no header": (binary(), BYTES, "0"),
    "a header beyond the body": (binary(), BYTES, "99999999999"),
    "a header below 0": (binary(), BYTES, "-5"),
    "a header that is no number": (binary(), BYTES, "1e2"),
}


@pytest.mark.parametrize("name", LIES)
def test_bytes_whose_lengths_lie_are_refused(name, clients):
    head, tail, length = LIES[name]
    headers = {"content-type": "application/octet-stream"}
    headers |= {"Inference-Header-Content-Length": length or str(len(head))}
    answer = asked(clients[0], head + tail, headers)
    assert answer.status_code == 400, answer.text[:300]
    assert answer.json()["error"]


def test_bytes_whose_lengths_agree_are_the_numbers_in_json(clients):
    head = binary()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    told = [asked(clients[0], *parts).json() for parts in ((head + BYTES, headers), (tensor(), {}))]
    assert told[0] == told[1]


SAME = {  # as [1, 2, nan]
    "null": (JSON, tensor(data="[1,2,null]")),
    "the word NaN": (JSON, tensor(data="[1,2,NaN]")),
    "nested": (JSON, tensor(data="[[1,2,null]]")),
    "an empty cell": (CSV, b"a,b,c\n1,2,\n"),
    "lines that end in carriage returns": (CSV, b"a,b,c\r1,2,\r"),
    "a mark of the order of bytes": (CSV, b"\xef\xbb\xbfa,b,c\n1,2,\n"),
    "quoted": (CSV, b'a,b,c\n"1","2",""\n'),
}


@pytest.mark.parametrize("name", SAME)
def test_a_missing_cell_in_any_form(name, clients):
    kind, body = SAME[name]
    client = clients[0]
    expected = asked(client, tensor(data="[1,2,null]"), {"content-type": JSON}).json()["outputs"][0]["data"][
        0
    ]
    answer = asked(client, body, {"content-type": kind})
    assert answer.status_code == 200, answer.text
    if kind == CSV:
        found = float(answer.text.splitlines()[1].partition(",")[0])
    else:
        found = answer.json()["outputs"][0]["data"][0]
    assert found == expected


def test_spoilt_streams_are_answered_or_refused(clients):
    import random

    rng = random.Random(0)
    streams = [body for kind, body in REFUSED.values() if kind == ARROW] + [stream(TWO, TWO, TWO)]
    statuses = set()
    for _ in range(200 * fuzzing.LONGER):
        body = fuzzing.bytes_of(rng.choice(streams), rng)
        answer = asked(clients[rng.randrange(2)], body, {"content-type": ARROW})
        statuses.add(answer.status_code)
        assert answer.status_code == 200 or answer.json()["error"]
    assert statuses <= {200, 400, 413}
