"""Tables with texts, truth values and dates: what is told from them, and what comes back as written."""

import datetime as dt
import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from robustae import RobustAutoencoder, load
from robustae.cli import app
from robustae.data import MixedTable, read_table
from robustae.data.column_kinds import LeftOut
from robustae.data.columns import Columns
from robustae.fit.mixed import encoded, missing_of
from robustae.utils.checks import InputError

QUICK = {"predictor": "linear", "hidden": 2, "random_state": 0}
BAD = 7  # the row with a wrong cell of each kind


def people(n=240):
    """Size, weight, and what goes with them: by columns, in row 7 a wrong number, level and date."""
    rng = np.random.default_rng(3)
    big = rng.random(n) < 0.5
    size = np.round(np.where(big, 180, 150) + rng.normal(size=n), 1)
    day = np.datetime64("2020-01-01") + rng.integers(0, 300, n)
    columns = {
        "number": np.arange(n),
        "size": size,
        "weight": np.round(size / 2 + rng.normal(size=n)).astype(np.int64),
        "kind": np.where(big, "big", "small").astype(object),
        "adult": big.copy(),
        "since": day.astype("datetime64[D]"),
        "origin": np.full(n, "here", dtype=object),
        "key": np.array([f"k{i:04d}" for i in rng.permutation(n)], dtype=object),
    }
    columns["size"][BAD] = 1800.0
    columns["kind"][11] = "?"
    columns["size"][12] = np.nan
    return columns


def frame(library, columns):
    if library == "pandas":
        pandas = pytest.importorskip("pandas")
        made = {name: list(values) if values.dtype == object else values for name, values in columns.items()}
        made["since"] = pandas.to_datetime(columns["since"])
        return pandas.DataFrame(made, index=np.arange(len(columns["size"])) * 2 + 5)
    polars = pytest.importorskip("polars")
    made = {name: values.tolist() if values.dtype == object else values for name, values in columns.items()}
    return polars.DataFrame(made, nan_to_null=True)


def fitted(X, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOut)
        return RobustAutoencoder(**QUICK | settings).fit(X)


def cells(table, name):
    """The cells of one column of any kind of table, as a list."""
    return table.columns[name].tolist() if isinstance(table, MixedTable) else table[name].to_list()


@pytest.fixture(scope="module", params=["pandas", "polars", "columns"])
def X(request):
    columns = people()
    return MixedTable(columns) if request.param == "columns" else frame(request.param, columns)


@pytest.fixture(scope="module")
def model(X):
    return fitted(X)


# --- what a column holds ------------------------------------------------------------------------


def kind(cells, name="x", **options):
    """The kind of one column beside one of numbers."""
    values = np.array(cells, dtype=object) if isinstance(cells, list) else cells
    beside = np.random.default_rng(0).normal(size=len(values))
    plan = Columns.fit(MixedTable({name: values, "beside": beside}, **options))
    return plan.columns[0]


def test_kinds_and_reasons(model):
    found = {column.name: column.kind for column in model.columns_}
    expected = {"size": "number", "weight": "number", "kind": "category", "adult": "boolean", "since": "date"}
    left_out = {"number": "identifier", "origin": "constant", "key": "identifier"}
    assert found == expected | left_out
    assert {column.name for column in model.columns_ if column.why} == set(left_out)
    assert model.n_features_in_ == 8
    assert list(model.feature_names_in_) == list(people())


@pytest.mark.parametrize("marker", ["?", "", "NA", "N/A", "null", "-", "nan", ".", " ? ", None])
def test_missing_markers_in_texts(marker):
    assert kind(["1.5", "2", marker, "7"] * 9).kind == "number"
    category = kind(["red", "blue", marker, "red"] * 9)
    assert category.levels == ("red", "blue")
    X = np.array(["red", marker], dtype=object)
    assert np.isnan(Columns((category,)).encode(MixedTable({"x": X}))).all(1).tolist() == [False, True]


def test_plus_and_minus_are_levels():
    assert kind(["+", "-", "-"] * 9).levels == ("-", "+")


def test_a_text_among_many_numbers_is_missing():
    column = kind([*map(str, np.random.default_rng(0).normal(size=40)), "oops"])
    assert column.kind == "number"
    assert np.isnan(Columns((column,)).encode(MixedTable({"x": np.array(["oops"], dtype=object)}))).all()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Unnamed: 0", [3, 4, 5, 6]),
        ("x", [*range(0, 200, 5)]),
        ("x", [*np.random.default_rng(0).permutation(50)]),
        ("customer_id", [812, 33, 904, 5, 77]),
        ("x", [f"u{i}" for i in range(30)]),
        ("x", [dt.datetime(2020, 1, 1) + i * dt.timedelta(minutes=10) for i in range(30)]),
    ],
)
def test_what_only_names_the_rows_is_left_out(name, cells):
    column = kind([*cells], name)
    assert column.kind == "identifier"
    assert column.why


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("x", [1, 2, 3, 4, 5]),
        ("x", [*range(30), 5]),
        ("width", [812, 33, 904, 5, 77]),
        ("x", [*np.random.default_rng(0).normal(size=50)]),
    ],
)
def test_measurements_are_not(name, cells):
    assert kind([*cells], name).kind == "number"


def test_declared_categories_of_numbers_are_categories():
    column = kind(np.array([1.0, 2.0, 2.0] * 9), categories=frozenset(["x"]))
    assert column.kind == "category"


def test_what_is_neither_is_left_out_and_said():
    column = kind([1j * (i % 5) for i in range(30)])
    assert (column.kind, column.why) == ("other", "of type complex")
    assert kind([[1], None, [2, 3]] * 9).kind == "other"


def test_many_different_texts_are_said(monkeypatch):
    texts = [f"{a} street {b}" for a in "abcdefgh" for b in range(20)] * 2
    monkeypatch.setattr("robustae.data.columns.unusable", lambda: "because")
    column = kind(texts)
    assert column.kind == "text"
    assert "160 different texts" in column.why and "because" in column.why


def test_texts_count_where_their_library_is_there(rng):
    pytest.importorskip("skrub")
    codes = [f"AB-{i:05d}-X" for i in rng.permutation(300)]
    X = MixedTable({"a": rng.normal(size=600), "code": np.array(codes * 2, dtype=object)})
    X.columns["code"][5] = "what on earth is this?"
    model = fitted(X, predictor="constant")
    assert model.columns_[1].kind == "text" and not model.columns_[1].why
    assert np.argsort(model.score_samples(X)).tolist().index(5) < 5
    assert not model.flags(X)[:, 1].any()
    assert cells(model.repaired(X), "code") == cells(X, "code")


def test_a_table_without_anything_of_use_is_refused():
    X = MixedTable({"id": np.arange(40), "text": np.array(["same"] * 40, dtype=object)})
    with pytest.raises(InputError, match="id .*row numbers.*text .*one value"):
        RobustAutoencoder().fit(X)


# --- numbers and back ---------------------------------------------------------------------------

LEVELS = st.sampled_from(["red", "blue", " green", "été", "0x1"])
COLUMNS = {
    "category": st.lists(LEVELS, min_size=30, max_size=30),
    "boolean": st.lists(st.booleans(), min_size=30, max_size=30),
    "float": st.lists(st.floats(-1e9, 1e9), min_size=30, max_size=30),
    "date": st.lists(st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1)), min_size=30, max_size=30),
    "time": st.lists(
        st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)).map(
            lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)
        ),
        min_size=30,
        max_size=30,
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_what_is_encoded_comes_back(name, data):
    values = data.draw(COLUMNS[name])
    X = MixedTable({"x": np.array(values, dtype=object), "beside": np.arange(30.0) ** 2})
    plan = Columns.fit(X)
    column = plan.columns[0]
    if column.why or len(column.levels) > column.own:
        return  # left out, or with levels that share a column
    codes = plan.encode(X)
    assert codes.shape == (30, len(plan.index))
    back = plan.decode(codes).columns["x"]
    assert (back.astype(object) == np.array(values, dtype=object)).all()
    again = Columns.from_json(plan.as_json())
    np.testing.assert_array_equal(again.encode(X), codes)


def test_one_code_for_each_source_column(model):
    widths = {column.name: column.width for column in model.columns_}
    assert widths == dict.fromkeys(["size", "weight", "kind", "adult", "since"], 1) | dict.fromkeys(
        ["number", "origin", "key"], 0
    )
    three = kind(["a", "b", "c"] * 9)
    plan = Columns((three,))
    assert plan.index.tolist() == [0, 0]
    codes = plan.encode(MixedTable({"x": np.array(["a", "b", "c"], dtype=object)}))
    assert sorted(map(tuple, codes)) == [(0, 0), (0, 1), (1, 0)]


def test_rare_levels_share_a_column():
    column = kind(["a", "b"] * 400 + [f"r{i}" for i in range(20)])
    assert column.own == 2 and column.width == 2
    plan = Columns((column,))
    rare = plan.encode(MixedTable({"x": np.array(["r3", "r7"], dtype=object)}))
    np.testing.assert_array_equal(rare[0], rare[1])


# --- the model ----------------------------------------------------------------------------------


def test_results_are_by_source_column(model, X):
    for method in (model.cell_scores, model.flags):
        assert method(X).shape == (240, 8)
    flags = np.asarray(model.flags(X))
    np.testing.assert_array_equal(flags, np.abs(np.asarray(model.cell_scores(X))) > 3)
    assert not flags[:, [0, 6, 7]].any()
    assert flags[BAD, 1]
    assert model.predict(X)[BAD] == -1
    assert flags.mean() < 0.02


def test_an_unlikely_level_is_flagged_once_and_told_as_written(rng):
    levels = rng.choice(["big", "small", "middle"], 1000, p=[0.5, 0.3, 0.2]).astype(object)
    levels[39] = "enormous"
    X = MixedTable({"size": rng.normal(size=1000), "kind": levels})
    model = fitted(X, predictor="constant")
    told = model.explain(X)
    found = [i for i in range(len(told["row"])) if told["row"][i] == 39]
    assert [told["column"][i] for i in found] == ["kind"]
    assert (told["observed"][found[0]], told["expected"][found[0]]) == ("enormous", "big")
    assert told["outlier_part"][found[0]] > 0 and 0 < told["share"][found[0]] <= 1
    assert cells(model.repaired(X), "kind")[39] == "big"
    assert not model.flags(X)[:39, 1].any()


def test_explain_tells_values_as_written(model, X):
    told = model.explain(X)
    row = {name: list(told[name])[0] for name in ("row", "column", "observed", "deviations")}
    assert (row["row"], row["column"]) == (X.index[BAD] if hasattr(X, "iloc") else BAD, "size")
    assert float(row["observed"]) == 1800.0
    assert row["deviations"] > 100
    assert type(told).__module__.split(".")[0] == type(X).__module__.split(".")[0] or isinstance(told, dict)


def test_repaired_is_like_the_input_and_untouched_elsewhere(model, X):
    repaired, flags, missing = model.repaired(X), np.asarray(model.flags(X)), missing_of(model, X)
    assert type(repaired) is type(X)
    for j, name in enumerate(people()):
        before, after = cells(X, name), cells(repaired, name)
        same = [
            i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a == b and type(a) is type(b)
        ]
        assert set(range(240)) - set(same) <= set(np.flatnonzero(flags[:, j] | missing[:, j]))
    assert cells(repaired, "kind")[11] in ("big", "small")
    assert 140 < cells(repaired, "size")[12] < 190
    assert cells(repaired, "size")[BAD] < 200
    if hasattr(X, "dtypes"):
        assert list(repaired.dtypes) == list(X.dtypes)
    if hasattr(X, "index"):
        assert repaired.index.tolist() == X.index.tolist()


def test_reconstruction_and_outliers_are_tables(model, X):
    Xhat, N = model.split(X)
    assert set(cells(Xhat, "kind")) == {"big", "small"}
    assert set(cells(Xhat, "adult")) == {True, False}
    assert cells(Xhat, "key")[0] is None or cells(Xhat, "key")[0] != cells(Xhat, "key")[0]
    assert str(cells(Xhat, "since")[0]).startswith("2020")
    assert cells(N, "size")[BAD] > 1000
    assert min(cells(N, "kind")) >= 0
    assert cells(model.reconstruct(X), "kind") == cells(Xhat, "kind")
    assert cells(model.outliers(X), "size")[BAD] == cells(N, "size")[BAD]


def test_a_level_never_seen_is_anomalous_and_no_error(X, model):
    columns = {name: values.copy() for name, values in people().items()}
    columns["kind"][30] = "gigantic"
    strange = MixedTable(columns)
    assert model.flags(strange)[30, 3]
    before, after = (model.score_samples(table)[30] for table in (MixedTable(people()), strange))
    assert after < before
    assert after < np.quantile(model.score_samples(X), 0.02)


def test_scores_do_not_depend_on_the_rows_beside(model, X):
    some = MixedTable(people())[np.array([3, BAD, 11])]
    np.testing.assert_allclose(model.score_samples(some), model.score_samples(X)[[3, BAD, 11]], rtol=1e-12)


def test_pandas_polars_and_columns_agree():
    scores = [
        fitted(frame(library, people())).score_samples(frame(library, people()))
        for library in ("pandas", "polars")
    ]
    np.testing.assert_array_equal(*scores)
    np.testing.assert_array_equal(scores[0], fitted(MixedTable(people())).score_samples(MixedTable(people())))


def test_the_input_is_never_modified():
    X = MixedTable(people())
    model = fitted(X)
    model.partial_fit(X)
    for method in ("score_samples", "split", "repaired", "explain", "flags", "cell_scores"):
        getattr(model, method)(X)
    for name, values in people().items():
        assert cells(X, name) == values.tolist() or name == "size"
    np.testing.assert_array_equal(X.columns["size"], people()["size"])


def test_the_columns_left_out_are_said_and_need_not_be_there():
    with pytest.warns(LeftOut, match="number .*row numbers.*origin .*one value.*key"):
        model = RobustAutoencoder(**QUICK).fit(MixedTable(people()))
    used = MixedTable(people()).of(["since", "kind", "adult", "size", "weight"])
    np.testing.assert_array_equal(model.score_samples(used), model.score_samples(MixedTable(people())))


def test_columns_that_lack_or_are_new_are_named(model):
    columns = people()
    with pytest.raises(InputError, match="'colour'.*did not know"):
        model.score_samples(MixedTable(columns | {"colour": columns["kind"]}))
    del columns["kind"]
    with pytest.raises(InputError, match="no column 'kind'"):
        model.score_samples(MixedTable(columns))


def test_a_row_without_anything_observed_is_named(model):
    columns = {name: values.astype(object) for name, values in people().items()}
    for name in ("size", "weight", "kind", "adult", "since"):
        columns[name][4] = None
    with pytest.raises(InputError, match="row 4"):
        model.score_samples(MixedTable(columns))


def test_saved_and_loaded(model, X, tmp_path):
    model.save(tmp_path / "m.rae")
    again = load(tmp_path / "m.rae")
    np.testing.assert_array_equal(again.score_samples(X), model.score_samples(X))
    np.testing.assert_array_equal(again.cell_scores(X), model.cell_scores(X))
    assert again.columns_ == model.columns_
    assert cells(again.repaired(X), "kind") == cells(model.repaired(X), "kind")


def test_numbers_alone_are_seen_as_before(rng):
    pandas = pytest.importorskip("pandas")
    values = rng.normal(size=(50, 3))
    numbers = pandas.DataFrame(values, columns=["a", "b", "c"])
    numbers["yes"] = values[:, 0] > 0
    model = RobustAutoencoder(**QUICK).fit(numbers)
    assert model.plan_ is None and {column.kind for column in model.columns_} == {"number"}
    array = numbers.to_numpy(dtype=float)
    np.testing.assert_array_equal(
        model.score_samples(numbers), RobustAutoencoder(**QUICK).fit(array).score_samples(array)
    )
    with pytest.raises(InputError, match="'yes': 50 of 50 cells cannot be read"):
        model.score_samples(numbers.assign(yes="text"))
    with pytest.raises(InputError, match="'number', which the fit did not know"):
        model.score_samples(MixedTable(people()))
    assert model.plan_ is None
    np.testing.assert_array_equal(encoded(array), array)


def test_onnx_is_for_numbers(model, tmp_path):
    with pytest.raises(InputError, match="numbers"):
        model.to_onnx(tmp_path / "m.onnx")


def test_frames_keep_their_types(rng):
    pandas = pytest.importorskip("pandas")
    n = 60
    level = rng.choice(["x", "y"], n)
    X = pandas.DataFrame(
        {
            "number": rng.normal(size=n),
            "category": pandas.Categorical(level),
            "coded": pandas.Categorical(np.where(level == "x", 1, 2)),
            "string": pandas.array(level, dtype="string"),
            "zoned": pandas.date_range("2020", periods=n, freq="D", tz="Europe/Vienna")[rng.permutation(n)],
            "whole": pandas.array(rng.integers(0, 9, n), dtype="Int64"),
            "mixture": [1, "a"] * (n // 2),
        }
    )
    X.loc[3, ["category", "coded", "string", "whole"]] = None
    X.loc[4, "zoned"] = None
    model = fitted(X)
    repaired = model.repaired(X)
    assert list(repaired.dtypes) == list(X.dtypes)
    assert not repaired.isna().any().any()
    changed = np.flatnonzero(np.asarray(model.flags(X)).any(1) | missing_of(model, X).any(1))
    assert {3, 4} <= set(changed) and len(changed) < 10
    assert repaired.drop(index=changed).equals(X.drop(index=changed))


# --- files and the command line -----------------------------------------------------------------


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The people as CSV, their numbers written in several ways."""
    path = tmp_path_factory.mktemp("mixed") / "people.csv"
    columns = people()
    columns["weight"] = np.array([f"{weight:03d}" for weight in columns["weight"]], dtype=object)
    lines = [
        ",".join("" if cell != cell else str(cell) for cell in row)
        for row in zip(*columns.values(), strict=True)
    ]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return path


def test_a_file_is_read_as_written(file):
    table = read_table(file, drop=["adult"])
    assert table.mixed and table.values.shape == (240, 7)
    assert cells(table.values, "weight")[0].startswith("0")
    assert cells(table.values, "kind")[11] == "?"
    assert "adult" not in table.values.columns


def test_the_commands_take_mixed_files(file):
    folder = file.parent
    told = json.loads(run("fit", file, "--model", folder / "m.rae", "--set", "hidden=2", "--json").stdout)
    assert told["kinds"]["number"] == 2 and "row numbers" in told["left_out"]["number"]
    run("score", file, "--model", folder / "m.rae", "--out", folder / "s.csv")
    split = json.loads(
        run("split", file, "--model", folder / "m.rae", "--out", folder / "parts", "--json").stdout
    )
    assert split["cells_missing"] == 2
    before, after = (path.read_text().splitlines() for path in (file, folder / "parts" / "repaired.csv"))
    assert before[0] == after[0]
    changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    flags = read_table(folder / "parts" / "flags.csv").values.any(1)
    assert set(changed) - {11 + 1, 12 + 1} <= set(np.flatnonzero(flags) + 1)
    assert BAD + 1 in changed
    assert "1800.0" in (folder / "parts" / "explain.csv").read_text().splitlines()[1]


def test_evaluate_compares_on_mixed_files(file):
    columns = people()
    lines = file.read_text().splitlines()
    labelled = file.with_name("labelled.csv")
    rows = [f"{line},{int(i == BAD)}" for i, line in enumerate(lines[1:])]
    labelled.write_text("\n".join([lines[0] + ",bad", *rows]) + "\n")
    told = json.loads(run("evaluate", labelled, "--label", "bad", "--compare", "--json").stdout)
    assert told["rows"] == len(columns["size"])
    assert told["methods"][-1]["auroc"] > 0.9


def test_parquet_goes_the_same_way(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = people()
    columns["size"] = columns["size"].astype(object)
    parquet.write_table(arrow.table({k: v.tolist() for k, v in columns.items()}), tmp_path / "p.parquet")
    run("fit", tmp_path / "p.parquet", "--model", tmp_path / "m.rae", "--set", "hidden=2")
    run("split", tmp_path / "p.parquet", "--model", tmp_path / "m.rae", "--out", tmp_path / "parts")
    repaired = parquet.read_table(tmp_path / "parts" / "repaired.parquet")
    assert repaired.column_names == [*columns]
    assert repaired.schema.field("since").type == arrow.date32()
    assert repaired["weight"].to_pylist()[20:] == columns["weight"].tolist()[20:]


def test_a_model_of_numbers_and_a_file_with_texts(tmp_path, rng):
    values = rng.normal(size=(30, 3))
    (tmp_path / "n.csv").write_text("a,b,c\n" + "\n".join(",".join(map(str, row)) for row in values) + "\n")
    text = "\n".join(",".join([*map(str, row), note]) for row, note in zip(values, "xyz" * 10, strict=True))
    (tmp_path / "t.csv").write_text("a,b,c,note\n" + text + "\n")
    run("fit", tmp_path / "n.csv", "--model", tmp_path / "m.rae")
    one, two = (
        run("score", tmp_path / name, "--model", tmp_path / "m.rae").stdout for name in ("n.csv", "t.csv")
    )
    assert one.split(":", 1)[1] == two.split(":", 1)[1]


@pytest.mark.parametrize(
    ("name", "label", "columns"), [("hypothyroid.csv", "Target", 25), ("crx.data", "A16", 15)]
)
def test_public_tables_straight_from_the_file(data_home, tmp_path, name, label, columns):
    told = json.loads(
        run(
            "fit", data_home / "tabular" / name, "--model", tmp_path / "m.rae", "--label", label, "--json"
        ).stdout
    )
    assert told["columns"] == columns
    assert told["share_flagged"] < 0.2


def test_periods_and_bins_of_pandas():
    pandas = pytest.importorskip("pandas")
    x = np.random.default_rng(0).normal(size=40)
    X = pandas.DataFrame({"month": pandas.Timestamp("2020-01-01"), "bin": pandas.cut(x, 4), "x": x})
    days = X["month"] + pandas.to_timedelta(np.arange(40) * 1103 % 900, unit="D")
    X["month"] = days.dt.to_period("M")
    X.loc[3, "month"] = pandas.Period("2199-01", "M")
    model = RobustAutoencoder(predictor="constant", random_state=0).fit(X)
    assert [column.kind for column in model.columns_] == ["date", "category", "number"]
    repaired = model.repaired(X)
    assert (repaired.dtypes == X.dtypes).all() and repaired.loc[3, "month"].year < 2100
    assert (repaired["bin"] == X["bin"]).all()
