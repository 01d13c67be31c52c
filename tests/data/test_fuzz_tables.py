"""Whatever a file of rows holds, it is read as rows of one width, or refused in one sentence."""

import datetime as dt
import decimal
import io
import random
import warnings
from collections import Counter

import fuzzing
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from robustae.cli import app
from robustae.data import read_table
from robustae.data.streams import checked_rows, row_source

ROWS = 12


def read_whole(path, **options):
    """Read a table; what comes is of one length and has its names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = read_table(path, **options)
    assert len(table.values) > 0
    if table.mixed:
        assert {len(values) for values in table.values.columns.values()} == {len(table.values)}
        assert list(table.values.columns) == table.columns
    else:
        assert table.values.dtype.kind in "biuf"
        assert table.values.ndim > 2 or table.values.shape[1] == len(table.columns) > 0
    return table


def read_in_batches(path):
    """Read the same in batches, 5 rows at a time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = row_source(str(path))
        batches = list(checked_rows(source.batches(5), source.columns))
    assert all(batch.dtype in (np.float32, np.float64) for batch in batches)
    return np.concatenate(batches) if batches else np.empty((0, len(source.columns)))


def outcomes(path):
    """What becomes of a file, both ways; where both read numbers, these are the same."""
    found = {}
    told = [fuzzing.outcome(lambda read=read: found.update({read: read(path)})) for read in READERS]
    if told == ["fine", "fine"] and not found[read_whole].mixed and found[read_whole].values.ndim == 2:
        whole = found[read_whole].values.astype(np.float64)
        np.testing.assert_allclose(found[read_in_batches], whole, rtol=1e-6)
    return told


READERS = (read_whole, read_in_batches)


# --- delimited text ---------------------------------------------------------------------------------

CELLS = st.one_of(
    st.integers(-1000, 1000).map(str),
    st.floats(width=32).map(repr),
    st.sampled_from(["", "NA", "nan", "?", "-", "true", "False", "1e400", "1_000", "0x10", "1,5", "--1"]),
    st.sampled_from(['"', '""', '"a""b"', '"1\n2"', "'", "\\", "a;b", '"a,b"', "\t", " ", "\u00a0", "١٢"]),
    st.text(max_size=5),
    st.dates().map(str),
)
DELIMITERS = st.sampled_from([",", ";", "\t", "|", " ", ", "])
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\u2028"])
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-32")


@st.composite
def texts(draw):
    """A table as text: mostly of one width, with or without a header, in some encoding."""
    width, delimiter, end = draw(st.integers(1, 4)), draw(DELIMITERS), draw(ENDS)
    widths = st.just(width) if draw(st.booleans()) else st.integers(0, 5)
    lines = st.lists(widths.flatmap(lambda n: st.lists(CELLS, min_size=n, max_size=n)), max_size=ROWS)
    text = end.join(delimiter.join(line) for line in draw(lines))
    return (text + draw(st.sampled_from(["", end]))).encode(draw(st.sampled_from(ENCODINGS)), "replace")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@settings(max_examples=150 * fuzzing.LONGER)
@given(texts())
@example(b"a,b\n1,2\n3")
@example(b'a,b\n"1,2\n3,4\n')
@example(b"\xef\xbb\xbf\xef\xbb\xbf1,2\n3,4\n")
@example(b"1\n2\n\n3\n")
@example(b"a\n\n\n")
@example(b",\n,\n")
def test_any_text_is_read_or_refused(place, data):
    (place / "t.csv").write_bytes(data)
    outcomes(place / "t.csv")


@settings(max_examples=60 * fuzzing.LONGER)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(place, data):
    for ending in (".csv", ".txt", ".parquet", ".npy", ".npz"):
        path = place / f"b{ending}"
        path.write_bytes(data)
        outcomes(path)


NUMBERS = "\n".join(f"{k % 7},{k * k},{1 / (k + 1)}" for k in range(200))
TEXTS = {
    "one enormous cell": "a,b\n" + "1" * 200_000 + ",2\n",
    "one enormous text": "a,b\n" + "x" * 200_000 + ",2\n3,4\n",
    "an open quote over all": 'a,b\n"' + NUMBERS,
    "many columns": ",".join(map(str, range(20_000))) + "\n" + ",".join(["1"] * 20_000) + "\n",
    "only delimiters": ",,,,\n" * 50,
    "only blank lines": "\n" * 5000,
    "names that are the same": "a,a,a\n" + NUMBERS,
    "names without any": ",,\n" + NUMBERS,
    "long numbers": "a,b\n" + "9" * 5000 + ",1\n2,3\n",
    "a hint for spreadsheets": "sep=,\n" + NUMBERS,
    "comments": "# from a device\na,b,c\n" + NUMBERS,
    "a ragged line": NUMBERS + "\n1,2\n",
    "infinities": "a,b\ninf,1\n-inf,2\n1e999,3\n",
    "a NUL later": "a,b\n" + "1,2\n" * 40_000 + "3,\0\n",
    "text later": "a,b\n" + "1,2\n" * 40_000 + "x,y\n" * 9,
    "text much later": "a,b\n" + "1,2\n" * 40_000 + "x,y\n" * 9000,
    "other digits": "a,b\n١,٢\n٣,٤\n",
    "minus as a letter": "a,b\n−1,2\n−3,4\n",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_odd_texts_are_read_or_refused(kind, tmp_path):
    (tmp_path / "t.csv").write_text(TEXTS[kind], encoding="utf-8")
    outcomes(tmp_path / "t.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_write_is_read(encoding, delimiter, end, tmp_path):
    lines = ["länge,breite,höhe", *NUMBERS.splitlines()]
    text = end.join(line.replace(",", delimiter) for line in lines) + end
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert outcomes(tmp_path / "t.csv") == ["fine", "fine"]
    table = read_whole(tmp_path / "t.csv")
    assert (table.columns, len(table.values)) == (["länge", "breite", "höhe"], 200)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-32"])
def test_other_encodings_are_read(encoding, tmp_path):
    (tmp_path / "t.csv").write_bytes(("länge,b\n" + "1,2\n" * 30).encode(encoding))
    assert outcomes(tmp_path / "t.csv") == ["fine", "fine"]
    table = read_whole(tmp_path / "t.csv")
    assert table.columns == ["länge", "b"] and bool(table.notes) == (encoding == "latin-1")


def test_what_is_no_text_in_any_encoding_is_named(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"1,\x81\x01\n" * 30)
    for said in outcomes(tmp_path / "t.csv"):
        assert "UTF-8" in said and "--encoding" in said


# --- spoilt files -----------------------------------------------------------------------------------


def saved(write, *arguments, **named):
    file = io.BytesIO()
    write(file, *arguments, **named)
    return file.getvalue()


def arrow_table(names=None):
    """Every kind of column that Parquet knows, or some of them."""
    pa = pytest.importorskip("pyarrow")
    n, days = ROWS, [dt.date(2024, 1, 1 + k) for k in range(ROWS)]
    columns = {
        "int": pa.array(range(n)),
        "small": pa.array(range(n), pa.int8()),
        "unsigned": pa.array([2**64 - 1 - k for k in range(n)], pa.uint64()),
        "half": pa.array(np.arange(n, dtype=np.float16)),
        "float": pa.array([k / 7 for k in range(n)]),
        "gaps": pa.array([None if k == 3 else k for k in range(n)]),
        "bool": pa.array([k % 2 == 0 for k in range(n)]),
        "decimal": pa.array([decimal.Decimal(k) / 4 for k in range(n)], pa.decimal128(12, 3)),
        "wide": pa.array([decimal.Decimal(10) ** 60 + k for k in range(n)], pa.decimal256(70, 0)),
        "day": pa.array(days),
        "time": pa.array([dt.time(k) for k in range(n)]),
        "stamp": pa.array([dt.datetime(2024, 1, 1, k) for k in range(n)], pa.timestamp("ns", "Europe/Paris")),
        "lapse": pa.array([dt.timedelta(hours=k) for k in range(n)]),
        "text": pa.array(["xyz"[k % 3] for k in range(n)]),
        "large": pa.array(["xyz"[k % 3] for k in range(n)], pa.large_string()),
        "level": pa.array(["uv"[k % 2] for k in range(n)]).dictionary_encode(),
        "code": pa.array([k % 2 for k in range(n)]).dictionary_encode(),
        "bytes": pa.array([bytes([k]) for k in range(n)]),
        "list": pa.array([[k, k] for k in range(n)]),
        "struct": pa.array([{"a": k, "b": "x"} for k in range(n)]),
        "map": pa.array([[("a", k)] for k in range(n)], pa.map_(pa.string(), pa.int64())),
        "nothing": pa.nulls(n),
    }
    return pa.table({name: columns[name] for name in names or columns})


def parquet(table, **options):
    return saved(lambda file: pytest.importorskip("pyarrow.parquet").write_table(table, file, **options))


def seeds():
    """Whole files, by ending."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 4))
    mixed = "a,b,c\n" + "".join(f"{k},{'xy'[k % 2]},{k / 3}\n" for k in range(ROWS))
    numbers = ["int", "float", "bool", "small"]
    return {
        "a.csv": NUMBERS.encode(),
        "b.csv": mixed.encode(),
        "a.npy": saved(np.save, X),
        "b.npy": saved(np.save, np.asfortranarray(X.astype(">f4"))),
        "c.npy": saved(np.save, rng.integers(0, 255, (ROWS, 3, 4), np.uint8)),
        "a.npz": saved(np.savez, X=X, y=np.arange(ROWS) % 2),
        "b.npz": saved(np.savez_compressed, X=X),
        "a.parquet": parquet(arrow_table(numbers), row_group_size=5),
        "b.parquet": parquet(arrow_table(numbers), compression="gzip", version="1.0"),
        "c.parquet": parquet(arrow_table(), row_group_size=7, compression="zstd"),
    }


@pytest.mark.parametrize("name", ["a.csv", "b.csv", "a.npy", "b.npy", "c.npy", "a.npz", "b.npz"])
def test_a_spoilt_file_is_read_or_refused(name, tmp_path):
    whole, rng, told = seeds()[name], random.Random(name), Counter()
    (tmp_path / name).write_bytes(whole)
    assert outcomes(tmp_path / name)[0] == "fine"
    for _ in range(60 * fuzzing.LONGER):
        (tmp_path / name).write_bytes(fuzzing.bytes_of(whole, rng))
        told.update(outcomes(tmp_path / name))
    fuzzing.tally("spoilt tables", told)
    assert len(told) > 1


def read_spoilt(sender, folder, name, trials):
    """Read one file after another, telling each before: what is written in C may end the process."""
    fuzzing.little_memory(2**31)
    whole, rng, told = seeds()[name], random.Random(name), Counter()
    for _ in range(trials):
        (folder / name).write_bytes(fuzzing.bytes_of(whole, rng))
        told.update(outcomes(folder / name))
    sender.send(told)


@pytest.mark.parametrize("name", ["a.parquet", "b.parquet", "c.parquet"])
def test_a_spoilt_parquet_file_is_read_or_refused(name, tmp_path):
    (tmp_path / name).write_bytes(seeds()[name])
    assert outcomes(tmp_path / name)[0] == "fine"
    told = fuzzing.child(read_spoilt, tmp_path, name, 60 * fuzzing.LONGER)
    fuzzing.tally("spoilt Parquet files", told)
    assert len(told) > 1


# --- Parquet of every kind --------------------------------------------------------------------------


@pytest.mark.parametrize("name", arrow_table().column_names)
@pytest.mark.parametrize("beside", [[], ["float"]])
def test_every_kind_of_column_is_read_left_out_or_refused(name, beside, tmp_path):
    (tmp_path / "t.parquet").write_bytes(parquet(arrow_table(dict.fromkeys([*beside, name]))))
    told = outcomes(tmp_path / "t.parquet")
    if beside and name != "float":
        assert told[0] == "fine", "a column that cannot be used is left out where there are others"
    if told[1] != "fine" and "no observed cell" not in told[1]:
        assert repr(name) in told[1], "in batches a column that holds no numbers is named"


@pytest.mark.parametrize("kind", ["rows", "columns", "names", "groups"])
def test_odd_parquet_files_are_read_or_refused(kind, tmp_path):
    pa = pytest.importorskip("pyarrow")
    table = arrow_table(["float", "int"])
    odd = {
        "rows": table.slice(0, 0),
        "columns": pa.table({}),
        "names": pa.Table.from_arrays([table["float"], table["float"], table["int"]], ["a", "a", ""]),
        "groups": pa.concat_tables([table] * 20),
    }[kind]
    (tmp_path / "t.parquet").write_bytes(parquet(odd, row_group_size=3))
    told = outcomes(tmp_path / "t.parquet")
    assert (told == ["fine", "fine"]) == (kind in ("groups",)) or kind == "names"


# --- arrays -----------------------------------------------------------------------------------------


def npy_header(text):
    body = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


HEADERS = {
    "huge": "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 4), }",
    "huger": "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 99999999999999), }",
    "huge by columns": "{'descr': '<f8', 'fortran_order': True, 'shape': (1000000000000, 4), }",
    "negative": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 4), }",
    "no tuple": "{'descr': '<f8', 'fortran_order': False, 'shape': 8, }",
    "no shape": "{'descr': '<f8', 'fortran_order': False}",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }",
    "code": "__import__('os').system('true')",
    "text": "{'descr': '<U4', 'fortran_order': False, 'shape': (2, 2), }",
    "fields": "{'descr': [('a', '<f8'), ('b', '<i4')], 'fortran_order': False, 'shape': (4,), }",
    "objects in fields": "{'descr': [('a', '|O'), ('b', '<i4')], 'fortran_order': False, 'shape': (4,), }",
    "dates": "{'descr': '<M8[D]', 'fortran_order': False, 'shape': (2, 2), }",
    "no rows": "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4), }",
    "no columns": "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 0), }",
    "one number": "{'descr': '<f8', 'fortran_order': False, 'shape': (), }",
    "wide": "{'descr': '<f16', 'fortran_order': False, 'shape': (2, 2), }",
    "complex": "{'descr': '<c16', 'fortran_order': False, 'shape': (2, 2), }",
    "nothing wide": "{'descr': '|V0', 'fortran_order': False, 'shape': (2, 2), }",
}


@pytest.mark.parametrize("header", HEADERS)
def test_headers_of_arrays_that_lie(header, tmp_path):
    data = npy_header(HEADERS[header]) + b"\0" * 64
    (tmp_path / "t.npy").write_bytes(data)
    (tmp_path / "t.npz").write_bytes(fuzzing.zipped({"X.npy": data}))
    for said in (*outcomes(tmp_path / "t.npy"), *outcomes(tmp_path / "t.npz")):
        assert said != "fine" or header == "wide"


# --- the command line -------------------------------------------------------------------------------


@settings(max_examples=25 * fuzzing.LONGER)
@given(texts(), st.sampled_from([[], ["--stream"], ["--drop", "0"], ["--label", "a"]]))
@example(TEXTS["a ragged line"].encode(), [])
@example(TEXTS["infinities"].encode(), ["--stream"])
@example(b"a\n1\n1\n1\n", [])
@example(b"a,b\n1,x\n1,x\n", [])
def test_any_text_is_fitted_or_refused(place, data, options):
    (place / "t.csv").write_bytes(data)
    (place / "m").unlink(missing_ok=True)
    line = ["fit", str(place / "t.csv"), "--model", str(place / "m"), "--set", "max_iter=2", *options]
    done = CliRunner().invoke(app, line)
    said = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in done.stderr
    assert (done.exit_code, len(said), (place / "m").exists()) in ((0, 0, True), (2, 1, False)), done.output
