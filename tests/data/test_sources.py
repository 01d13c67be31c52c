"""Files in and out: what is read, what is refused and in which words, what never lies there half."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robustae.data import match_columns, read_table
from robustae.data.columns import matrix_of
from robustae.data.writers import write_matrix, write_table
from robustae.utils.checks import InputError, NotFound
from robustae.utils.files import replacing, replacing_folder, write_bytes, write_text

TEXT = "a,b,c\n1,2.5,x\n-3,,y\n4e2,NA,z\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="data.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def refusal(*arguments, **options):
    with pytest.raises(InputError) as caught:
        read_table(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_csv_gives_numbers_names_and_the_reason_for_what_is_left_out(write):
    table = read_table(write(TEXT), drop=["c"])
    assert table.columns == ["a", "b"]
    assert table.named and not table.mixed
    np.testing.assert_array_equal(table.values, [[1, 2.5], [-3, np.nan], [400, np.nan]])
    assert table.values.dtype == np.float64
    assert table.dropped == {"c": "as asked"}
    assert table.labels is None


def test_beside_texts_all_columns_are_kept_as_written(write):
    table = read_table(write(TEXT), drop=["b"])
    assert table.columns == ["a", "c"]
    assert table.mixed and table.values.shape == (3, 2)
    assert {name: cells.tolist() for name, cells in table.values.columns.items()} == {
        "a": ["1", "-3", "4e2"],
        "c": ["x", "y", "z"],
    }
    assert table.values[1:].columns["a"].tolist() == ["-3", "4e2"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiter_byte_order_mark_and_line_ends_do_not_matter(write, delimiter, encoding, newline):
    text = TEXT.replace(",", delimiter).replace("\n", newline)
    table = read_table(write(text, encoding=encoding), drop=["c"])
    assert table.columns == ["a", "b"]
    np.testing.assert_array_equal(table.values[:, 0], [1, -3, 400])


@pytest.mark.parametrize(
    "missing", ["", "NA", "N/A", "NaN", "nan", "?", "null", "NULL", " ? ", "-", ".", "#N/A"]
)
def test_missing_markers(write, missing):
    values = read_table(write(f"a,b\n1,2\n{missing},4\n")).values
    np.testing.assert_array_equal(values, [[1, 2], [np.nan, 4]])


def test_booleans_are_one_and_zero(write):
    assert read_table(write("a,b\n1,True\n2,false\n3,TRUE\n")).values[:, 1].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("1,2\n3,4\n", ["0", "1"], 2),
        ("1\n2\n3\n", ["0"], 3),
        ("height\n2\n3\n", ["height"], 2),
        ("red,1\nblue,2\n", ["0", "1"], 2),
        ("Na,Mg\n1,2\n", ["Na", "Mg"], 1),
        ("a,b\nx,1\n", ["a", "b"], 1),
    ],
    ids=["numbers", "one column", "one column named", "text and no header", "sodium", "one row"],
)
def test_a_header_is_told_from_data(write, text, columns, rows):
    table = read_table(write(text))
    assert table.columns == columns
    assert len(table.values) == rows


def test_names_are_made_distinct_and_row_numbers_left_out(write):
    table = read_table(write(",x,x,\n0,5,6,7\n1,5,6,7\n2,5,6,7\n"))
    assert table.columns == ["x", "x.1", "column 3"]
    assert table.dropped == {"column 0": "row numbers"}


def test_quoted_cells_may_hold_the_delimiter_and_line_ends(write):
    table = read_table(write('name,"a,b",c\n"Smith, J",1,2\n"two\nlines",3,4\n'))
    assert table.columns == ["name", "a,b", "c"]
    assert table.values.columns["name"].tolist() == ["Smith, J", "two\nlines"]
    assert table.values.columns["a,b"].tolist() == ["1", "3"]


def test_identifiers_with_underscores_are_text(write):
    assert read_table(write("id,a\n1_000,1\n1_001,2\n")).values.columns["id"].tolist() == ["1_000", "1_001"]


def test_columns_that_number_the_rows_are_left_out_unless_a_model_needs_them(write):
    text = "a,time,user_id\n" + "".join(f"{i % 7},{10 * i},{i * i}\n" for i in range(25))
    table = read_table(write(text))
    assert table.columns == ["a"]
    assert set(table.dropped) == {"time", "user_id"}
    needed = match_columns(table, ["time", "a"])
    np.testing.assert_array_equal(needed.values[:3], [[0, 0], [10, 1], [20, 2]])
    assert set(needed.dropped) == {"user_id"}
    assert read_table(write("time\n" + "".join(f"{i}\n" for i in range(25)))).columns == ["time"]


def test_a_slip_far_down_is_missing_and_named(write):
    text = "a,b\n" + "1,2\n" * 9000 + "1,oops\n" + "1,2\n" + "1,no\n"
    table = read_table(write(text))
    assert table.columns == ["a", "b"]
    np.testing.assert_array_equal(np.argwhere(np.isnan(matrix_of(table.values))), [[9000, 1], [9002, 1]])
    assert table.slips == {"b": "text 'oops' on line 9002 and 1 more"}


def test_more_than_a_tenth_of_text_makes_a_column_of_texts(write):
    for numbers in (9, 8):
        table = read_table(write("a,b\n" + "1,2\n" * numbers + "1,x\n1,\n"))
        assert (table.values.spellings["b"] is None) == (numbers == 8)
        assert bool(table.slips) == (numbers == 9)


def test_decimal_commas_are_read_between_semicolons_and_named_elsewhere(write):
    table = read_table(write("a;b;c\n1,5;2;x, y\n-2,5e1;3;1,2,3\n"), drop=["c"])
    assert table.columns == ["a", "b"]
    np.testing.assert_array_equal(matrix_of(table.values), [[1.5, 2], [-25, 3]])
    assert not read_table(write("1,5;2\n2,5;3\n")).named
    many = "".join(f"{i % 7}.5\n" for i in range(20))
    assert read_table(write(f'a\n{many}"2,5"\n')).slips["a"] == "text '2,5' on line 22"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        ("\n\n \n", ["empty"]),
        ("a,b\n", ["no rows"]),
        ("a,b\n1,2\n3\n", ["line 3", "1 cell", "line 1", "2"]),
        (b"\x00\x01\x02\x03" * 50, ["not text", "CSV"]),
        (b"a,b\n1,\x81\xfe\n", ["UTF-8", "0x81", "--encoding"]),
        ("a\n" + "9" * 200_000 + "\n", ["field larger"]),
    ],
    ids=["nothing", "blank", "header only", "ragged", "binary", "latin", "huge cell"],
)
def test_what_cannot_be_read_is_said_in_a_sentence(write, text, words):
    message = refusal(write(text))
    for word in words:
        assert word in message


def test_missing_files_and_folders(write, tmp_path):
    write(TEXT, "sensors.csv")
    with pytest.raises(NotFound, match="did you mean 'sensors.csv'"):
        read_table(tmp_path / "sensor.csv")
    with pytest.raises(FileNotFoundError, match="nor a folder"):
        read_table(tmp_path / "nowhere" / "sensor.csv")
    assert "sensors.csv" in refusal(tmp_path)


@pytest.mark.parametrize("label", ["bad", 1, "1", -2])
def test_the_label_is_taken_by_name_or_position_and_never_among_the_values(write, label):
    table = read_table(write("a,bad,b\n1,0,2\n3,1,4\n5,0,6\n"), label)
    assert table.labels is not None
    assert table.labels.tolist() == [0, 1, 0]
    assert table.columns == ["a", "b"]
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    ("labels", "positive", "expected"),
    [
        (["0", "1", "0"], None, [0, 1, 0]),
        (["0.0", "1.0", "1.0"], None, [0, 1, 1]),
        (["False", "True", "False"], None, [0, 1, 0]),
        (["ok", "bad", "ok"], "bad", [0, 1, 0]),
        (["1", "7", "3"], "7", [0, 1, 0]),
        (["1", "-1", "1"], "-1", [0, 1, 0]),
    ],
)
def test_labels_of_two_values(write, labels, positive, expected):
    text = "a,y\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    assert read_table(write(text), "y", positive=positive).labels.tolist() == expected


@pytest.mark.parametrize(
    ("labels", "positive", "words"),
    [
        (["ok", "ok", "bad"], None, ["'bad'", "'ok'", "--positive"]),
        (["1", "-1", "1"], None, ["--positive"]),
        (["0", "0", "0"], None, ["every row"]),
        (["0", "", "1"], None, ["missing"]),
        (["ok", "bad", "ok"], "bda", ["did you mean 'bad'"]),
    ],
)
def test_labels_that_will_not_do(write, labels, positive, words):
    text = "a,y\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    message = refusal(write(text), "y", positive=positive)
    for word in words:
        assert word in message


def test_a_label_that_is_not_there_gets_a_suggestion(write):
    assert "did you mean 'target'" in refusal(write("a,target\n1,0\n2,1\n"), "Target")
    assert "label '9'" in refusal(write("a,target\n1,0\n2,1\n"), 9)


def test_columns_to_drop(write):
    table = read_table(write("a,b,c\n1,2,3\n4,5,6\n"), drop=["b", 0])
    assert table.columns == ["c"]
    assert table.dropped == {"a": "as asked", "b": "as asked"}
    assert "column 'd' is not in the data" in refusal(write("a,b\n1,2\n"), drop=["d"])


def test_columns_are_matched_by_name(write):
    table = read_table(write("c,a,b,note\n3,1,2,x\n6,4,5,y\n"))
    matched = match_columns(table, ["a", "note"])
    assert {name: cells.tolist() for name, cells in matched.values.columns.items()} == {
        "a": ["1", "4"],
        "note": ["x", "y"],
    }
    assert set(matched.dropped) == {"b", "c"}
    numbers = match_columns(read_table(write("c,a,b\n3,1,2\n6,4,5\n")), ["a", "b"])
    np.testing.assert_array_equal(numbers.values, [[1, 2], [4, 5]])
    with pytest.raises(InputError, match="no column 'bb'.*did you mean 'b'"):
        match_columns(table, ["a", "bb"])
    with pytest.raises(InputError, match="needs column 'note'.*as asked"):
        match_columns(read_table(write("a,note\n1,2\n3,4\n"), drop=["note"]), ["note"])


# --- Parquet and arrays -----------------------------------------------------------------------


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "a": [1, None, 3],
        "ok": [True, False, None],
        "who": ["x", "y", "z"],
        "bad": [False, True, False],
    }
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", "bad", drop=["who"])
    np.testing.assert_array_equal(table.values, [[1, 1], [np.nan, 0], [3, np.nan]])
    assert table.columns == ["a", "ok"]
    assert table.labels is not None
    assert table.labels.tolist() == [0, 1, 0]
    assert table.dropped == {"who": "as asked", "bad": "the label"}
    (tmp_path / "no.parquet").write_bytes(b"PAR1 not really")
    assert "Parquet" in refusal(tmp_path / "no.parquet")


def test_parquet_of_many_types(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    day = np.datetime64("2020-02-29")
    columns = {
        "whole": [1, 2**60 + 1],
        "who": ["x", None],
        "ok": [True, None],
        "day": [day.item(), None],
        "coded": arrow.array(["a", "b"]).dictionary_encode(),
        "list": [[1], [2, 3]],
    }
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.mixed and "list" in table.dropped["list"]
    found = {name: cells.tolist() for name, cells in table.values.columns.items()}
    assert found == {name: [*map(_plain, columns[name])] for name in ("whole", "who", "ok", "day", "coded")}


def _plain(cell):
    return cell.as_py() if hasattr(cell, "as_py") else cell


def test_missing_pyarrow_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    assert "robustae[parquet]" in refusal(tmp_path / "t.parquet")


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64", "bool"])
def test_arrays_keep_shape_and_type(tmp_path, rng, dtype):
    images = rng.integers(0, 2, size=(5, 4, 3)).astype(dtype)
    np.save(tmp_path / "x.npy", images)
    values = read_table(tmp_path / "x.npy").values
    assert values.dtype == images.dtype
    np.testing.assert_array_equal(values, images)


def test_npz_takes_a_label_only_where_asked(tmp_path, rng):
    X, y = rng.normal(size=(6, 3)), np.array([0, 0, 1, 0, 0, 0])
    np.savez(tmp_path / "d.npz", X=X, y=y)
    assert read_table(tmp_path / "d.npz").labels is None
    table = read_table(tmp_path / "d.npz", "y")
    np.testing.assert_array_equal(table.values, X)
    np.testing.assert_array_equal(table.labels, y)
    assert "did you mean 'y'" in refusal(tmp_path / "d.npz", "yy")


def test_a_column_of_an_array_may_be_the_label(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1.0, 0, 5], [2, 1, 6], [3, 0, 7]]))
    table = read_table(tmp_path / "x.npy", "1")
    np.testing.assert_array_equal(table.values, [[1, 5], [2, 6], [3, 7]])
    assert table.labels is not None
    assert table.labels.tolist() == [0, 1, 0]


def test_arrays_that_will_not_do(tmp_path):
    np.save(tmp_path / "o.npy", np.array([{}, {}]), allow_pickle=True)
    np.save(tmp_path / "one.npy", np.arange(4))
    np.save(tmp_path / "text.npy", np.array([["a", "b"]]))
    np.savez(tmp_path / "two.npz", a=np.eye(2), b=np.eye(2))
    (tmp_path / "no.npy").write_bytes(b"not an array")
    (tmp_path / "no.npz").write_bytes(b"PK\x03\x04 nor this")
    assert "Python objects" in refusal(tmp_path / "o.npy")
    assert "(4,)" in refusal(tmp_path / "one.npy")
    assert "numbers are needed" in refusal(tmp_path / "text.npy")
    assert "'a', 'b'" in refusal(tmp_path / "two.npz")
    assert "damaged" in refusal(tmp_path / "no.npy")
    assert "damaged" in refusal(tmp_path / "no.npz")


def test_public_data_can_be_read(data_home):
    table = read_table(data_home / "usps" / "usps_1v7.npz", "y")
    assert table.values.shape == (231, 256)
    assert table.labels is not None
    assert table.labels.sum() == 11


# --- files out --------------------------------------------------------------------------------


@given(values=st.sampled_from(["f8", "f4"]).flatmap(lambda kind: arrays(kind, (3, 2))))
def test_csv_of_floats_reads_back_to_the_same_values(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("exact") / "x.csv"
    write_matrix(path, values, ["a", "b"])
    again = read_table(path).values.astype(values.dtype)
    np.testing.assert_array_equal(again, values)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy", ".npz"])
def test_matrices_of_every_kind_read_back(tmp_path, rng, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    values = rng.normal(size=(5, 3))
    values[1, 2] = np.nan
    write_matrix(tmp_path / f"x{suffix}", values, ["a", "b", "c"])
    np.testing.assert_array_equal(read_table(tmp_path / f"x{suffix}").values, values)


def test_tables_of_mixed_columns(tmp_path):
    columns = {"row": np.arange(2), "flagged": np.array([True, False]), "why": ["a", "b, c"]}
    write_table(tmp_path / "t.csv", columns)
    assert (tmp_path / "t.csv").read_text() == 'row,flagged,why\n0,True,a\n1,False,"b, c"\n'
    write_table(tmp_path / "t.npy", columns)
    assert np.load(tmp_path / "t.npy")["flagged"].tolist() == [True, False]


def test_a_file_is_whole_or_as_before(tmp_path):
    path = tmp_path / "out.bin"
    write_bytes(path, b"first")
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), replacing(path) as file:
            file.write(b"half")
            raise error
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["out.bin"]
    write_text(path, "zweite Fassung: ü")
    assert path.read_text(encoding="utf-8") == "zweite Fassung: ü"


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_text(tmp_path / "a", "robust")
    (tmp_path / "b").write_text("usual")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_places_that_cannot_be_written_to(tmp_path):
    (tmp_path / "folder").mkdir()
    for path, word in [("none/x.csv", "no folder"), ("folder", "a folder"), ("x.xls", "'.xls' is not known")]:
        with pytest.raises(InputError, match=word):
            write_matrix(tmp_path / path, np.eye(2)) if "." in path else write_text(tmp_path / path, "")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="permission"):
        write_text(tmp_path / "x", "")


def test_a_folder_is_whole_or_as_before(tmp_path):
    target, names = tmp_path / "out", ["a.csv", "b.csv"]
    with replacing_folder(target, names) as folder:
        (folder / "a.csv").write_text("1")
    with pytest.raises(RuntimeError), replacing_folder(target, names) as folder:
        (folder / "b.csv").write_text("2")
        raise RuntimeError
    assert os.listdir(target) == ["a.csv"]
    with replacing_folder(target, names) as folder:
        (folder / "b.csv").write_text("2")
    assert os.listdir(target) == ["b.csv"]
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="thesis.tex"), replacing_folder(tmp_path, ["a.csv"]):
        pass
    assert os.listdir(tmp_path) == ["thesis.tex"]


NUMBERS = [3.5, 8.25, 1.5, 9.75, 4.25, 7.5]


def rows_of(names, *ends):
    return (
        "place,a,b\n"
        + "".join(f"{n},{x},{x * 2}\n" for n, x in zip(names, NUMBERS, strict=True))
        + "".join(ends)
    )


@pytest.mark.parametrize("word", ["Total", "Summe", "Gesamt", "TOTAL GENERAL", "Sum:"])
def test_a_total_is_kept_as_a_row_and_is_no_part_of_a_fit(write, word):
    total = sum(NUMBERS)
    table = read_table(write(rows_of("uvwuvw", f"{word},{total},{2 * total}\n")))
    assert len(table.values) == 7 and len(table.to_fit) == 6
    assert any("line 8" in note and "no part of a fit" in note for note in table.notes)


def test_what_may_be_a_total_is_named_and_kept(write):
    for end in ("Total,1,2\n", f"Mean,{sum(NUMBERS) / 6},{sum(NUMBERS) / 3}\n"):
        table = read_table(write(rows_of("uvwuvw", end)))
        assert len(table.to_fit) == 7 and any("line 8" in note for note in table.notes)
    sums = f"{sum(NUMBERS)},{2 * sum(NUMBERS)}\n"
    for names, end in (("uvwuvw", f"u,{sums}"), (["Total", *"vwuvw"], f"Total,{sums}")):
        table = read_table(write(rows_of(names, end)))
        assert len(table.to_fit) == 7 and not table.notes


def test_a_note_in_cells_below_is_no_part_of_a_fit(write):
    table = read_table(write(rows_of("uvwuvw", "Source: office,,\n", "made by hand,,\n")))
    assert len(table.values) == 8 and len(table.to_fit) == 6 and "lines 8 to 9" in table.notes[0]
    table = read_table(write(rows_of("uvwuvw", "u,,\n")))
    assert len(table.to_fit) == 7 and not table.notes


@pytest.mark.parametrize(("mark", "named"), [(-999, True), (9999, True), (-12, False), (99, False)])
def test_numbers_that_may_mean_missing_are_named_and_kept(write, mark, named):
    values = [5.5, 6.25, mark, 7.5, mark, 6.5]
    table = read_table(write("a,b\n" + "".join(f"{x},{i * i}\n" for i, x in enumerate(values))))
    assert (table.values[:, 0] == values).all() and bool(table.notes) == named


def test_standard_input_is_for_watch():
    with pytest.raises(InputError, match="watch"):
        read_table("-")
