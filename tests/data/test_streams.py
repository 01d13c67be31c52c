"""Rows in batches from anything: the same rows as read plainly, refusals in one sentence."""

import json
import os
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_streams import numbers

from robustae.data import MixedTable, lines, read_table
from robustae.data.clips import open_clip
from robustae.data.columns import matrix_of
from robustae.data.streams import RowSource, checked_rows, is_row_source, row_source
from robustae.utils.checks import InputError, NotFound

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

NAMES = ["a", "b", "c"]


def rows_of(source, rows=65_536, start=0):
    batches = list(source.batches(rows, start))
    assert all(batch.dtype in (np.float32, np.float64) for batch in batches)
    assert all(0 < len(batch) <= rows for batch in batches)
    return np.concatenate(batches) if batches else np.empty((0, len(source.columns)))


def refusal(*arguments, **options):
    with pytest.raises(InputError) as caught:
        rows_of(row_source(*arguments, **options))
    message = str(caught.value)
    assert "\n" not in message and message.endswith((".", "?"))
    return message


@pytest.fixture
def X(rng):
    X = rng.normal(size=(1000, 3)).round(3)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


@pytest.fixture
def folder(tmp_path, X):
    import pyarrow.parquet as pq

    frame = pd.DataFrame(X, columns=NAMES)
    (tmp_path / "parts").mkdir()
    for k, part in enumerate(np.array_split(X, 3)):
        table = pa.table(dict(zip(NAMES, map(pa.array, part.T), strict=True)))
        pq.write_table(table, tmp_path / "parts" / f"part-{k}.parquet", row_group_size=100)
    (tmp_path / "parts" / "_SUCCESS").write_text("")
    (tmp_path / "parts" / ".part-0.crc").write_text("x")
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=64)
    frame.to_csv(tmp_path / "t.csv", index=False)
    np.save(tmp_path / "t.npy", X)
    np.save(tmp_path / "images.npy", np.arange(60, dtype=np.uint8).reshape(5, 3, 4))
    return tmp_path


# --- what is read -------------------------------------------------------------------------------

FILES = ["t.parquet", "t.csv", "t.npy", "images.npy"]


@pytest.mark.parametrize("name", FILES)
def test_files_give_what_a_plain_reading_gives(folder, name):
    source = row_source(folder / name)
    assert isinstance(source, RowSource)
    expected = numbers(folder / name)
    for _ in range(2):
        np.testing.assert_array_equal(rows_of(source), expected)
    assert source.n_rows in (None, len(expected))
    assert len(source.columns) == expected.shape[1]


@pytest.mark.parametrize("rows", [1, 7, 100, 1000])
@pytest.mark.parametrize("start", [0, 99, 333, 999, 1000])
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.npy", "parts"])
def test_any_start_and_size_of_batch(folder, X, name, rows, start):
    np.testing.assert_array_equal(rows_of(row_source(folder / name), rows, start), X[start:])


def test_folders_patterns_and_lists_are_files_in_order(folder, X):
    parts = folder / "parts"
    for data in (parts, str(parts / "*.parquet"), sorted(parts.glob("*.parquet"))):
        source = row_source(data)
        assert source.n_rows == 1000 and source.columns == NAMES and source.named
        np.testing.assert_array_equal(rows_of(source), X)
    back = row_source(sorted(parts.glob("*.parquet"))[::-1])
    np.testing.assert_array_equal(rows_of(back), np.concatenate(np.array_split(X, 3)[::-1]))


def kinds_of(X):
    frame = pd.DataFrame(X, columns=NAMES)
    table = pa.table(dict(zip(NAMES, map(pa.array, X.T), strict=True)))
    halves = [X[:400], X[400:]]
    return {
        "array": X,
        "fortran": np.asfortranarray(X),
        "arrays": halves,
        "lists": [X[:400].tolist(), X[400:].tolist()],
        "function": lambda: iter(halves),
        "generator": (half for half in halves),
        "pandas": [frame[:400], frame[400:]],
        "one frame": frame,
        "polars": [pl.DataFrame(frame[:400]), pl.DataFrame(frame[400:])],
        "table": table,
        "batches": table.to_batches(300),
        "reader": table.to_reader(300),
    }


@pytest.mark.parametrize("kind", kinds_of(np.zeros((1000, 3))))
def test_whatever_yields_rows(X, kind):
    source = row_source(kinds_of(X)[kind])
    assert isinstance(source, RowSource)
    assert source.columns == (NAMES if source.named else ["0", "1", "2"])
    np.testing.assert_array_equal(rows_of(source, 77), X)


def test_columns_and_drop_by_name_and_position(folder, X):
    for name in ("t.parquet", "t.csv"):
        chosen = row_source(folder / name, columns=["c", "a"])
        assert chosen.columns == ["c", "a"]
        np.testing.assert_array_equal(rows_of(chosen), X[:, [2, 0]])
        np.testing.assert_array_equal(rows_of(row_source(folder / name, drop=["b"])), X[:, [0, 2]])
    for data in (X, [X], folder / "t.npy", row_source(X)):
        np.testing.assert_array_equal(rows_of(row_source(data, drop=["1"])), X[:, [0, 2]])
        np.testing.assert_array_equal(rows_of(row_source(data, columns=["2"])), X[:, [2]])


def test_columns_of_later_files_and_frames_are_found_by_name(tmp_path, X):
    frame = pd.DataFrame(X, columns=NAMES)
    frame[:500].to_parquet(tmp_path / "1.parquet")
    frame[500:][["c", "b", "a"]].to_parquet(tmp_path / "2.parquet")
    np.testing.assert_array_equal(rows_of(row_source(tmp_path)), X)
    np.testing.assert_array_equal(rows_of(row_source([frame[:500], frame[500:][["b", "c", "a"]]])), X)


def test_truth_values_whole_numbers_dates_decimals_and_nulls_become_numbers():
    from datetime import UTC, date, datetime
    from decimal import Decimal

    table = pa.table(
        {
            "truth": pa.array([True, None, False]),
            "whole": pa.array([2**40, None, -1], pa.int64()),
            "date": pa.array([date(1970, 1, 2), None, date(1969, 12, 31)]),
            "time": pa.array([datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC), None, None]),
            "decimal": pa.array([Decimal("1.25"), None, Decimal("-2")]),
            "null": pa.nulls(3),
        }
    )
    expected = [
        [1, 2**40, 1, 1.5 / 86400, 1.25, np.nan],
        [np.nan] * 6,
        [0, -1, -1, np.nan, -2, np.nan],
    ]
    np.testing.assert_array_equal(rows_of(row_source(table)), expected)
    frame = table.drop(["decimal", "null"]).to_pandas(date_as_object=False)
    for data in (frame.convert_dtypes(), pl.from_pandas(frame)):
        np.testing.assert_array_equal(rows_of(row_source(data)), np.array(expected)[:, :4])


def test_float32_and_bytes_take_no_more_room_than_needed():
    assert next(row_source(np.zeros((2, 2), np.uint8)).batches()).dtype == np.float32
    assert next(row_source(pa.table({"a": pa.array([1.5], pa.float32())})).batches()).dtype == np.float32
    whole = np.array([[2**53 - 1, 1]])
    np.testing.assert_array_equal(rows_of(row_source(whole)), whole)


def test_columns_that_number_the_rows_are_left_out_unless_asked_for(tmp_path):
    frame = pd.DataFrame({"id": range(100), "a": np.sin(range(100)), "time": np.arange(0, 1000, 10)})
    for name in ("t.csv", "t.parquet"):
        write = frame.to_csv if name == "t.csv" else frame.to_parquet
        write(tmp_path / name, index=False)
        source = row_source(tmp_path / name)
        assert source.columns == ["a"] == read_table(tmp_path / name).columns
        assert set(source.dropped) == {"id", "time"}
        assert row_source(tmp_path / name, columns=["time", "a"]).columns == ["time", "a"]


# --- text ---------------------------------------------------------------------------------------


@pytest.fixture(params=["pyarrow", "plain"])
def reader(request, monkeypatch):
    monkeypatch.setattr(lines, "_BYTES", 4096)
    if request.param == "plain":
        monkeypatch.setattr(lines, "arrow_csv", lambda: None)
    return request.param


ODD = {
    "missing": "a,b\n1,\nNA,2\n?,null\n-,.\n3,nan\n",
    "spaces": "a, b\n 1 , 2\n3,  4 \n",
    "quotes": '"a","b"\n"1","2"\n3,"4"\n',
    "semicolons": "a;b\n1,5;2\n3;4,25\n",
    "tabs": "a\tb\n1\t2\n",
    "no header": "1,2\n3,4\n",
    "truth": "a,b\ntrue,1\nFALSE,2\n",
    "signs": "a,b\n+1,2e3\n-.5,1E-2\n",
    "byte order mark": "\ufeffa,b\n1,2\n",
    "blank lines": "a,b\n\n1,2\n\n3,4\n\n",
    "windows": "a,b\r\n1,2\r\n3,4",
    "same names": "a,a\n1,2\n3,4\n",
    "header of two lines": '"a\nb",c\n1,2\n',
    "one column": "a\n1\n2\n",
    "late words": "a,b\n" + "1,2\n" * 3000 + "true,NULL\n n/a ,3\n",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_text_is_read_as_the_reader_of_small_files_reads_it(tmp_path, reader, text):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    small = read_table(path)
    source = row_source(path, columns=small.columns)
    np.testing.assert_array_equal(rows_of(source), matrix_of(small.values))
    assert source.named == small.named


@given(
    st.lists(
        st.lists(
            st.sampled_from(["1", "", "2.5", "NA", '"3"', " 4", "x", "-1e3", "true"]), min_size=2, max_size=2
        ),
        min_size=12,
        max_size=40,
    )
)
def test_any_text_gives_the_numbers_of_the_reader_of_small_files_or_a_refusal(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("text") / "t.csv"
    path.write_text("a,b\n" + "".join(",".join(row) + "\n" for row in rows))
    small = read_table(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = rows_of(row_source(path, columns=["a", "b"]))
        except InputError as error:
            assert "--drop" in str(error)
            return
    values = dict(zip(small.columns, matrix_of(small.values).T, strict=True)) | small.spare
    np.testing.assert_array_equal(found, np.column_stack([values["a"], values["b"]]))


def test_a_few_words_among_numbers_are_missing_and_told(tmp_path, reader):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 100 + "broken,3\n" + "1,2\n" * 100)
    with pytest.warns(UserWarning, match="taken as missing: a .text 'broken' on line 102"):
        found = rows_of(row_source(path))
    assert np.isnan(found[100, 0]) and np.isnan(found).sum() == 1


def test_a_column_that_turns_into_text_is_refused(tmp_path, reader):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 100 + "x,3\n" * 50)
    assert "column 'a' of" in refusal(path) and "--drop 'a'" in refusal(path)
    assert rows_of(row_source(path, drop=["a"])).shape == (150, 1)


def test_a_line_too_short_is_named_however_late(tmp_path, reader):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 5000 + "3\n")
    assert "line 5002 has 1 cell" in refusal(path)


def test_the_number_of_lines_is_guessed(tmp_path, rng):
    pd.DataFrame(rng.normal(size=(5000, 4))).to_csv(tmp_path / "t.csv", index=False)
    assert 0.8 * 5000 < row_source(tmp_path / "t.csv").about_rows < 1.2 * 5000


# --- refusals -----------------------------------------------------------------------------------


def test_other_columns_are_refused_by_name_with_the_way_out(tmp_path, X):
    frame = pd.DataFrame(X, columns=NAMES).assign(city="x")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    for data in (tmp_path / "t.parquet", tmp_path / "t.csv", [frame], pl.from_pandas(frame), pa.table(frame)):
        assert "column 'city'" in refusal(data) and "--drop 'city'" in refusal(data)
        np.testing.assert_array_equal(rows_of(row_source(data, drop=["city"])), X)


@pytest.mark.parametrize("source", ["", [""]])
def test_an_empty_name_is_not_the_folder_one_is_in(source):
    assert "names no place" in refusal(source)


def test_an_empty_name_is_no_film_either():
    with pytest.raises(InputError, match="names no place"):
        open_clip("")


def test_files_of_different_columns_are_refused(tmp_path, X):
    frame = pd.DataFrame(X, columns=NAMES)
    frame.to_parquet(tmp_path / "1.parquet")
    frame.rename(columns={"c": "cc"}).to_parquet(tmp_path / "2.parquet")
    assert "2.parquet' has no column 'c': did you mean 'cc'?" in refusal(tmp_path)
    frame.assign(d=1.0).to_parquet(tmp_path / "2.parquet")
    assert "2.parquet' has a column 'd'" in refusal(tmp_path)
    np.testing.assert_array_equal(rows_of(row_source(tmp_path, columns=["b"]))[:, 0], np.r_[X[:, 1], X[:, 1]])


def test_what_is_not_there(tmp_path, folder):
    with pytest.raises(NotFound, match="t.parquet"):
        row_source(tmp_path / "tt.parquet")
    assert "no file" in refusal(str(tmp_path / "none*.csv"))
    (tmp_path / "empty").mkdir()
    assert "holds no file of data (.csv" in refusal(tmp_path / "empty")
    assert "name one kind" in refusal(folder)
    with pytest.raises(InputError, match="no column 'z'"):
        row_source(folder / "t.csv", columns=["z"])
    assert "'z' is not in the data" in refusal(folder / "t.csv", drop=["z"])
    assert "beside those to drop" in refusal(folder / "t.csv", drop=NAMES)


def test_damaged_files(folder):
    for name in ("t.parquet", "t.npy"):
        whole = (folder / name).read_bytes()
        for damaged in (whole[: len(whole) // 2], b"", whole[:20] + b"\xff" * 40 + whole[60:]):
            (folder / f"x{name}").write_bytes(damaged)
            with pytest.raises(InputError, match=f"x{name}"):
                rows_of(row_source(folder / f"x{name}"))


def test_data_that_are_no_rows(rng):
    assert "cannot be read in batches" in refusal(17)
    assert "no rows of numbers" in refusal(np.zeros(5))
    assert "no rows of numbers" in refusal([["a", "b"]])
    assert "gives nothing" in refusal([])
    assert "'2'" in refusal([rng.normal(size=(5, 3)), rng.normal(size=(5, 2))])


def test_a_generator_is_gone_through_once_and_says_so(X):
    source = row_source(half for half in (X[:400], X[400:]))
    np.testing.assert_array_equal(rows_of(source), X)
    with pytest.raises(InputError, match="only once"):
        rows_of(source)


def test_infinities_and_empty_rows_are_named_by_their_number_over_all_batches(X):
    X = np.nan_to_num(X)
    X[777, 1] = -np.inf
    with pytest.raises(InputError, match=r"column 'b' of row 777 .* infinity"):
        list(checked_rows(row_source(X).batches(100), NAMES))
    X[777] = np.nan
    with pytest.raises(InputError, match="row 777 .* no observed cell"):
        list(checked_rows(row_source(X).batches(100), NAMES))
    X[777, 0] = 1
    assert sum(map(len, checked_rows(row_source(X).batches(100), NAMES))) == 1000


# --- what tells sources apart -------------------------------------------------------------------


def test_what_is_read_in_batches(X):
    table = pa.table({"a": [1.0]})
    for data in ("x.csv", ["x.csv", "y.csv"], iter([X]), lambda: [X], row_source(X), table.to_reader()):
        assert is_row_source(data)
    mixed = MixedTable({"a": np.zeros(2)})
    for data in (
        X,
        X.tolist(),
        [X],
        pd.DataFrame(X),
        pl.DataFrame(X),
        table,
        mixed,
        None,
        3,
        X.astype(object),
    ):
        assert not is_row_source(data)


def test_fingerprints_tell_of_any_change(folder, X):
    path = folder / "t.parquet"
    first = row_source(path).fingerprint()
    assert json.loads(json.dumps(first)) == first == row_source(path).fingerprint()
    assert row_source(path, drop=["a"]).fingerprint() != first
    os.utime(path, ns=(0, 5))
    assert row_source(path).fingerprint() != first
    of_array = row_source(X).fingerprint()
    assert of_array == row_source(X.copy()).fingerprint() == json.loads(json.dumps(of_array))
    changed = X.copy()
    changed[500, 1] = 3
    assert row_source(changed).fingerprint() != of_array
    assert row_source([X]).fingerprint() is None


def test_nothing_handed_in_is_changed(X):
    before = X.copy()
    for data in kinds_of(X).values():
        assert len(rows_of(row_source(data), 100)) == len(X)
    np.testing.assert_array_equal(X, before)
