"""Models and requests made to take memory and time: generated with a seed, and what they took."""

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from robustae.fit import artifact

SIDES = [0, 1, 2, 3, 7, 16, 10**3, 10**5, 7 * 10**8, 5 * 10**8, 10**12, 2**63, 10**30, -1, -(10**9)]
ATOMS = [b"[]", b"{}", b'{"":0}', b"0", b'"ab"', b"[[0]]", b"1.5", b'{"a":[]}', b"null", b"1e9"]
MIB = 2**20


def peak_mib() -> float:
    """Most memory that this process had since the last `forget_peak`, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what the work returns, its seconds, and by how many MiB the memory of this process grew.

    The process is forked from one that runs tests, which may hold a gigabyte of its own.
    """
    forget_peak()
    begin, before = time.perf_counter(), peak_mib()
    result = work()
    return result, time.perf_counter() - begin, peak_mib() - before


def sides(rng: random.Random, most: int = 6) -> list[Any]:
    """Numbers that stand for sizes."""
    return [rng.choice(SIDES) for _ in range(rng.randrange(most))]


# --- models -----------------------------------------------------------------------------------------

Parts = tuple[dict[str, np.ndarray], dict[str, Any]]


def model(
    arrays: dict[str, np.ndarray], description: dict[str, Any], rng: random.Random
) -> tuple[str, Parts]:
    """Return the name of an attack, and the parts of a model that makes it."""
    attack = rng.choice(MODELS)
    parts = attack(dict(arrays), json.loads(json.dumps(description)), rng)
    return attack.__name__.strip("_"), parts


def _widths(arrays: Any, description: Any, rng: random.Random) -> Parts:
    state = description["state"]
    many = rng.choice((1, 2, 3, 6, 1000, 100_000))
    widths = [rng.choice(SIDES) for _ in range(rng.randrange(many))]
    state["hidden_"] = rng.choice((rng.choice(SIDES), {"tuple": widths}))
    state["predictor_name_"] = rng.choice(predictors())
    if rng.random() < 0.3:
        state["image_shape_"] = {"tuple": sides(rng)}
    return arrays, description


def predictors() -> list[str]:
    from robustae import predictors as room

    return list(getattr(room, "PREDICTORS", None) or room.NAMES)


def _no_columns(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """Arrays of another number of columns, none among them, and sizes that do not show in products."""
    d = rng.choice((0, 0, 1, 3, 10**5))
    by_column = ("location", "scale", "noise", "fill", "lam", "widening")
    for name in list(arrays):
        if name.rpartition(".")[2] in by_column:
            arrays[name] = np.ones(d)
        elif name.startswith("member0.predictor"):
            sizes = [rng.choice((0, 1, d, 10**4)) for _ in arrays[name].shape]
            arrays[name] = np.ones(sizes if np.prod(sizes, dtype=float) < 1e6 else (d,))
    description["state"] |= {"hidden_": {"tuple": sides(rng)}, "n_features_in_": d}
    return arrays, description


def _plan(arrays: Any, description: Any, rng: random.Random) -> Parts:
    column = {
        "name": "a" * rng.choice((1, 10**6)),
        "kind": rng.choice(("category", "boolean", "number", "text", "date", "other")),
        "why": rng.choice(("", "", "x")),
        "levels": [rng.choice(("x", "y", 1, 1.5, True, None, [], {}))] * rng.choice((0, 1, 2, 10**5)),
        "shares": [rng.choice((0.5, 1e308, "x"))] * rng.choice((0, 1, 2, 10**5)),
        "own": rng.choice(SIDES),
        "form": rng.choice(("", "0", "9", "300000000", "9" * 4000, "date", "datetime", "-1", "²")),
        "trust": rng.choice((0.9, 1e308, "x")),
    }
    copies = [column | {"name": f"{column['name']}{k}"} for k in range(rng.choice((1, 2, 12)))]
    old = json.loads(description["state"].get("plan") or "[]")
    description["state"]["plan"] = json.dumps(copies + old[len(copies) :])
    return arrays, description


def _nested(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """Objects inside objects."""
    penalty: Any = {"object": "L1", "with": {}}
    for _ in range(rng.choice((1, 2, 5, 30, 200))):
        share = rng.choice((0.1, 0.5, 7, "x"))
        penalty = {"object": "Trimmed", "with": {"share": share, "inner": penalty, "cutoff": None}}
    for member in description["members"]:
        member["penalty"] = penalty
    return arrays, description


def _penalties(arrays: Any, description: Any, rng: random.Random) -> Parts:
    index = [rng.choice(SIDES) for _ in range(rng.choice((8, 8, 10**5)))]
    shape = {"tuple": sides(rng)}
    penalty = rng.choice(
        (
            {"object": "Groups", "with": {"index": index}},
            {"object": "SourceColumns", "with": {"index": [10**9 + k for k in range(8)]}},
            {"object": "Channels", "with": {"n": rng.choice(SIDES)}},
            {"object": "Patches",
             "with": {"height": rng.choice(SIDES), "width": rng.choice(SIDES), "image_shape": shape}},
            {"object": "Patches", "with": {"height": 1, "width": 1, "image_shape": {"tuple": [8, 1, 10**9]}}},
        )
    )  # fmt: skip
    description["members"][0]["penalty"] = penalty
    return arrays, description


def _members(arrays: Any, description: Any, rng: random.Random) -> Parts:
    count = rng.choice((2, 50, 199, 201, 4000, 30_000))
    one = {name.partition(".")[2]: values for name, values in arrays.items() if name.startswith("member0.")}
    brought = rng.choice((0, 1, min(count, 4000)))
    others = {name: values for name, values in arrays.items() if not name.startswith("member")}
    copies = {f"member{k}.{name}": values for k in range(brought) for name, values in one.items()}
    return others | copies, description | {"members": description["members"][:1] * count}


def _long_state(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """A description that is much longer than its arrays."""
    size, atom = (
        rng.choice((10, 10**5, 4 * 10**6)),
        rng.choice((0, 1.5, "ab", None, [], {}, [[]], {"float": "inf"})),
    )
    key = rng.choice(sorted(description["state"]))
    description["state"][key] = rng.choice(
        ([atom] * size, {"tuple": [atom] * size}, "a" * size, {"a" * size: atom})
    )
    return arrays, description


def _many_arrays(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """Names of nothing."""
    prefix = rng.choice(("x", "member0.x", "member0.predictor.x", "member0.distance.x"))
    return arrays | {f"{prefix}{k}": np.zeros(0) for k in range(rng.choice((10, 2000, 30_000)))}, description


def _numbers(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """Numbers at the edge of what can be computed with."""
    name = rng.choice([name for name, values in arrays.items() if values.dtype.kind == "f"])
    signs = np.where(np.arange(arrays[name].size) % 2, 1.0, -1.0).reshape(arrays[name].shape)
    size = rng.choice((1e60, 1e149, 1e-149, 1e200, 1e308, 5e-324))
    arrays[name] = (signs if rng.random() < 0.7 else abs(signs)) * size
    return arrays, description


MODELS = (
    _widths, _widths, _no_columns, _plan, _nested, _penalties, _members, _long_state, _many_arrays, _numbers,
)  # fmt: skip


def header(rng: random.Random, most: int = 60 * MIB) -> bytes:
    """A file of a header and nothing else, of many small things."""
    atom, size = rng.choice(ATOMS), rng.choice((10**4, 10**6, 10**7, most))
    filled = b"[" + b",".join([atom] * (size // (len(atom) + 1))) + b"]"
    version = artifact.FORMAT
    text = rng.choice((
        b'{"__metadata__":{"robustae":"%d","description":"{}","sha256":""},"x":%s}' % (version, filled),
        b'{"__metadata__":{"robustae":"%d","description":"%s","sha256":""}}'
        % (version, filled.replace(b'"', b'\\"')),
        filled,
        b'{"x":' * min(size, 10**6),
        b'"' + b"\\u20ac" * (size // 6) + b'"',
    ))  # fmt: skip
    return len(text).to_bytes(8, "little") + text + bytes(rng.choice((0, 64)))


def headers(rng: random.Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield header(rng)


# --- requests ---------------------------------------------------------------------------------------

MOST = 16 * MIB  # bytes of a request that are taken


def request(rng: random.Random) -> tuple[str, bytes, dict[str, str]]:
    """Return the name of an attack, and the body and the headers of a request that makes it."""
    attack = rng.choice(REQUESTS)
    body, kind, *more = attack(rng)
    return attack.__name__.strip("_"), body[: MOST + 1], {"content-type": kind} | dict(*more)


def _size(rng: random.Random) -> int:
    return rng.choice((10**3, 10**5, 10**6, MOST - 2000))


def _filled(atom: bytes, size: int, around: bytes = b"[]") -> bytes:
    return around[:1] + b",".join([atom] * max(1, size // (len(atom) + 1))) + around[1:]


def _json_tensor(shape: bytes, data: bytes, datatype: bytes = b"FP64", name: bytes = b"X") -> bytes:
    return b'{"inputs":[{"name":"%s","shape":%s,"datatype":"%s","data":%s}]}' % (name, shape, datatype, data)


def _shapes(rng: random.Random) -> Any:
    side = rng.choice((b"99999999999999999", b"1", b"0", b"9" * 4000, b"9" * 5000, b"-1", b"true", b"[1]"))
    return _json_tensor(_filled(side, _size(rng)), b"[1,2,3]"), "application/json"


def _atoms(rng: random.Random) -> Any:
    atom = rng.choice((*ATOMS, b"[1,2,3]", b"[" * 500 + b"]" * 500, b'"' + b"a" * 10**6 + b'"'))
    data, kind = _filled(atom, _size(rng)), rng.choice((b"FP64", b"INT64", b"BYTES", b"BOOL"))
    rows = data.count(b",") + 1
    shape = rng.choice((b"[%d]" % rows, b"[%d,3]" % (rows // 3), b"[1,%d]" % rows, b"[0]"))
    return rng.choice(
        (_json_tensor(shape, data, kind), data, b'{"inputs":' + data + b"}")
    ), "application/json"


def _mixed_texts(rng: random.Random) -> Any:
    """One long text beside many short cells: an array of texts of one width would take their product."""
    short = _filled(rng.choice((b"1", b'"b"')), MOST // 4)
    cells = b'["' + b"a" * (MOST // 4) + b'",' + short[1:]
    shape = b"[%d]" % (cells.count(b",") + 1)
    return _json_tensor(shape, cells, rng.choice((b"INT64", b"FP32", b"BYTES", b"BOOL"))), "application/json"


def _names(rng: random.Random) -> Any:
    """Long names and names of many kinds where one of a few is looked for."""
    long = rng.choice((b"a", b"ab ", "é".encode())) * (_size(rng) // 4)
    sound = _json_tensor(b"[1,3]", b"[1,2,3]")
    body = rng.choice((
        _json_tensor(b"[1,3]", b"[1,2,3]", b"FP64" + long),
        _json_tensor(b"[1]", b"[1]", name=long),
        sound[:-1] + b',"outputs":[{"name":"%s"}]}' % long,
        sound[:-1] + b',"outputs":' + _filled(b'{"name":"score"}', len(long)) + b"}",
        sound[:-1] + b',"id":"%s"}' % long,
        b"{" + b",".join(b'"%x":0' % k for k in range(len(long) // 9)) + b"}",
    ))  # fmt: skip
    return body, "application/json"


def _inputs(rng: random.Random) -> Any:
    tensor = b'{"name":"%s","shape":[1],"datatype":"FP64","data":[1]}'
    count = _size(rng) // 70
    tensors = b",".join(tensor % rng.choice((b"a", b"%x" % k)) for k in range(count))
    return b'{"inputs":[' + tensors + b"]}", "application/json"


def _binary(rng: random.Random) -> Any:
    """JSON and bytes behind it, whose sizes are not what is said."""
    size, count = _size(rng), rng.choice((0, 1, 3, 10**5, 10**12, -1))
    kind = rng.choice((b"FP64", b"FP16", b"INT8", b"BYTES", b"BOOL"))
    entry = b'{"name":"X","shape":[%d,3],"datatype":"%s","parameters":{"binary_data_size":%d}}'
    head = b'{"inputs":[' + entry % (max(count, 0), kind, rng.choice((size, count, 2**70, 0))) + b"]}"
    tail = rng.choice((bytes(size), b"\xff" * size, b"\1\0\0\0a" * (size // 5)))
    said = rng.choice((len(head), 0, len(head) + 1, 10**11, len(head) // 2))
    return head + tail, "application/octet-stream", {"Inference-Header-Content-Length": str(said)}


def _csv(rng: random.Random) -> Any:
    size = _size(rng)
    line = rng.choice((b"1,2,3\n", b"\n", b"1\n", b" \n", b"1_0,2,3\n", b"1;2,5;3\n", b'"a"\n', b"\r"))
    wide = rng.choice((b",", b";", b"\t", b"1,", b'"",', b"a,", b'"'))
    several = b"a,b,c\n" + line * 10
    return rng.choice((line * (size // len(line)), wide * (size // len(wide)), several)), "text/csv"


def _stream(batches: list[Any], **options: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch, custom_metadata={"ARROW:experimental_compression": "zstd"})
    return sink.getvalue().to_pybytes()


def _arrow_compressed(rng: random.Random) -> Any:
    """Zeros by the million: named as compressed as today, as by Arrow 0.17, or not at all."""
    import pyarrow as pa

    rows, names = rng.choice((10, 50_000, 100_000, 2 * 10**6)), rng.choice(("abc", "abcdefghijklmnopqr"))
    column = pa.array(np.zeros(rows)) if rng.random() < 0.5 else pa.array(["x" * 100] * min(rows, 10**5))
    body = bytearray(_stream([pa.record_batch([column] * len(names), names=list(names))], compression="zstd"))
    for what in rng.choice(((), ("version",), ("version", "compression"), ("compression",))):
        _patch(body, what)
    return bytes(body), ARROW


def _patch(body: bytearray, what: str) -> None:
    """Write another version into the metadata of all messages, or take the mention of compression out."""
    from robustae.deploy.serve import arrow

    at = 0
    while at + 8 <= len(body) and (size := int.from_bytes(body[at + 4 : at + 8], "little")):
        head = bytes(body[at + 8 : at + 8 + size])
        message = arrow._number("<I", head, 0)
        if what == "version" and (place := arrow._field(head, message, 0)):
            body[at + 8 + place] = 3
        kind = arrow._field(head, message, 1)
        header = arrow._follow(head, arrow._field(head, message, 2))
        if what == "compression" and kind and head[kind] == 3:
            layout = header - arrow._number("<i", head, header)
            body[at + 8 + layout + 10 : at + 8 + layout + 12] = b"\0\0"
        length = arrow._field(head, message, 3)
        at += 8 + size + (arrow._number("<q", head, length) if length else 0)


def _arrow_dictionaries(rng: random.Random) -> Any:
    """Many rows and columns that point to a few long texts."""
    import pyarrow as pa

    rows, length = rng.choice((10, 10**4, 10**5)), rng.choice((10, 9_999, 10**6))
    index = pa.array(np.zeros(rows, np.int8))
    texts = pa.DictionaryArray.from_arrays(index, pa.array(["x" * length, "é" * 3]))
    names = rng.choice((list("abc"), [f"c{k}" for k in range(40)]))
    return _stream([pa.record_batch([texts] * len(names), names=names)]), ARROW


def _arrow_wide(rng: random.Random) -> Any:
    """Many columns, batches or layers, and columns that take no room."""
    import pyarrow as pa

    rows, count = rng.choice((0, 1, 10**5, 10**9)), rng.choice((3, 1000, 30_000))
    names, many = list("abc"), [f"c{k}" for k in range(count)]
    flags = pa.array(np.zeros(min(rows, 10**6), bool))
    batch = rng.choice((
        pa.record_batch([pa.nulls(rows)] * 3, names=names),
        pa.record_batch([flags] * min(count, 300), names=many[:300]),
        pa.record_batch([pa.array([1.0])] * count, names=many),
        pa.record_batch([_layers(pa, rng.choice((1, 10, 60)))] * 3, names=names),
        pa.record_batch([pa.array([1.0])] * 3, names=names),
        pa.record_batch([pa.array(["x"]).cast(pa.string_view())] * 3, names=names),
    ))  # fmt: skip
    often = 20_000 if batch.num_columns == 3 and batch.nbytes < 100 else 2
    return _stream([batch] * rng.choice((1, 1, 200 if batch.num_columns == 3 else 2, often))), ARROW


def _layers(pa: Any, depth: int) -> Any:
    kind = pa.float64()
    for _ in range(depth):
        kind = pa.list_(kind)
    return pa.nulls(3, kind)


def _arrow_texts(rng: random.Random) -> Any:
    """Many columns of many texts."""
    import pyarrow as pa

    rows = rng.choice((10, 10**4, 10**5))
    values = pa.array(rng.choice((np.zeros(rows), ["x" * rng.choice((1, 16))] * rows)))
    body = bytearray(_stream([pa.record_batch([values] * 40, names=[*"abc", *(f"c{k}" for k in range(37))])]))
    return bytes(body), ARROW


def _addresses(rng: random.Random) -> Any:
    return b"1,2,3", rng.choice(("", "x" * 10**4, "text/csv;" * 1000, "application/json", "text/csv"))


ARROW = "application/vnd.apache.arrow.stream"
REQUESTS = (
    _shapes, _atoms, _atoms, _mixed_texts, _names, _inputs, _binary, _csv, _arrow_compressed,
    _arrow_dictionaries, _arrow_wide, _arrow_texts, _addresses,
)  # fmt: skip
