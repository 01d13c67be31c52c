"""Small exports as people have them, each read as what it means, by every door: see `make.py`."""

import csv
import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from robustae import RobustAutoencoder, load
from robustae.cli import app
from robustae.data import ReadOptions, as_mixed, read_table
from robustae.data.coding import measured
from robustae.data.columns import Columns
from robustae.data.values import plain as as_read
from robustae.deploy.watch import Feed, watch

FOLDER = Path(__file__).parent / "files"
EXPECTED = json.loads((FOLDER.parent / "expected.json").read_text())
READ = [name for name, about in EXPECTED.items() if "refused" not in about]
# Cells over several lines, columns aligned by blanks, one column of commas: what one line does not show.
WHOLE_ONLY = ("newlines", "packed.csv", "blanks.txt", "ends_in", "end_in", "one_column", "groups_above")
# Lines that are left out with a word each, where they come one by one.
WHOLE_ONLY += ("end_of_dos", "nothing_at_the_end", "nothing_between", "names_again")
QUICK = {"predictor": "constant", "random_state": 0}
EPOCH = "datetime64[D]"


def known(name):
    about = EXPECTED[name]
    if "needs" in about:
        pytest.importorskip(about["needs"])
    return about


def options(about):
    return ReadOptions(**about.get("options", {}))


def arguments(about):
    return [
        part
        for key, value in about.get("options", {}).items()
        for part in (f"--{key.replace('_', '-')}", value)
    ]


def plain(about, name):
    """A column of plain values: numbers, texts, or dates."""
    values = about["columns"][name]
    if name in about.get("dates", ()):
        return (np.array(values) * 86_400_000).round().astype("datetime64[ms]")
    if any(isinstance(value, str) for value in values):
        return np.array(values, dtype=object)
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def frame(about):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({name: plain(about, name) for name in about["columns"]})


def fitted(name):
    about = known(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = read_table(FOLDER / name, options=options(about))
        model = RobustAutoencoder(**QUICK).fit(table.to_fit)
    if table.named and not table.mixed:
        model.feature_names_in_ = np.array(table.columns, dtype=object)
    return model, table


def test_there_are_many():
    assert len(READ) >= 40 and {path.name for path in FOLDER.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", READ)
def test_each_is_read_as_what_it_means(name):
    about = known(name)
    table = read_table(FOLDER / name, options=options(about))
    assert table.columns == list(about["columns"])
    for column, why in about.get("dropped", {}).items():
        assert table.dropped[column] == why
    values = as_mixed(table)
    plan = Columns.fit(values)
    for column in plan.columns:
        expected = about["columns"][column.name]
        if any(isinstance(value, str) for value in expected):
            assert values.columns[column.name].tolist() == expected
        else:
            found = measured(column, as_read(values.columns[column.name]))[0]
            np.testing.assert_allclose(found, np.array(expected, dtype=float), rtol=1e-12)
            assert (column.kind_of_values == "date") == (column.name in about.get("dates", ()))
    left_out = about.get("left_out", {})
    assert plan.left_out.keys() - {c.name for c in plan.columns if c.kind == "constant"} == left_out.keys()
    assert all(plan.left_out[column].startswith(why) for column, why in left_out.items())
    assert table.apart == about.get("apart", 0)
    for column, where in about.get("unreadable", {}).items():
        assert where in table.slips[column]


@pytest.mark.parametrize("name", [name for name, about in EXPECTED.items() if "refused" in about])
def test_the_others_are_refused_in_a_sentence(name):
    about = EXPECTED[name]
    result = CliRunner().invoke(app, ["fit", str(FOLDER / name), "--model", "m.rae"])
    assert result.exit_code == 2 and about["refused"] in result.stderr, result.output
    assert not Path("m.rae").exists()


@pytest.mark.parametrize("name", READ)
def test_a_file_and_a_frame_of_its_values_give_the_same_model(name):
    model, table = fitted(name)
    X = frame(EXPECTED[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = RobustAutoencoder(**QUICK).fit(X[: len(table.to_fit)])
        np.testing.assert_allclose(model.score_samples(table.values), other.score_samples(X), rtol=1e-9)
    assert model.offset_ == pytest.approx(other.offset_)


@pytest.mark.parametrize("name", READ)
def test_fit_and_score_on_the_command_line(name, tmp_path):
    about = known(name)
    model, table = fitted(name)
    given = arguments(about)
    run = CliRunner()
    made = ["fit", str(FOLDER / name), "--model", str(tmp_path / "m.rae"), "--set", "predictor=constant"]
    assert run.invoke(app, [*made, *given]).exit_code == 0
    out = tmp_path / "s.csv"
    result = run.invoke(
        app, ["score", str(FOLDER / name), "--model", str(tmp_path / "m.rae"), "--out", str(out), *given]
    )
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(out.read_text().splitlines()))
    expected = model.score_samples(table.values)
    np.testing.assert_allclose([float(row["score"]) for row in rows], expected, rtol=1e-12)
    assert [int(row["line"]) for row in rows] == table.lines.tolist()


def lines_of(name, apart=WHOLE_ONLY):
    """The file as lines of CSV, in its own encoding."""
    model, table = fitted(name)
    if table.suffix != ".csv" or name.endswith(".xlsx"):
        pytest.skip("no lines of CSV")
    if any(about in name for about in apart):
        pytest.skip("not line by line")
    return model, table, (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", READ)
def test_watch_reads_lines_alike(name):
    model, table, text = lines_of(name)
    out, said = io.StringIO(), []
    source = io.BytesIO(text)
    watch(model, Feed(_Stream(source), 64, 0.01, 2**20), out, warn=said.append)
    rows = out.getvalue().splitlines()
    kept = [i for i in range(len(table.values)) if name != "one_slip.csv" or i != 5]
    expected = model.score_samples(table.values)[kept]
    found = (
        [float(row["score"]) for row in csv.DictReader(rows)]
        if not rows[0].startswith("{")
        else [json.loads(r)["score"] for r in rows]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    about = EXPECTED[name]
    western = table.dialect.encoding == "cp1252"
    assert len(said) == (name == "one_slip.csv") + ("above" in about) + ("below" in about) + western


class _Stream(io.BufferedReader):
    pass


@pytest.mark.parametrize("name", READ)
def test_serve_reads_bodies_alike(name):
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    from fastapi.testclient import TestClient

    from robustae.deploy.serve import create_app

    model, table, text = lines_of(name, ("packed.csv", "nothing_between"))
    if text.startswith(b"{"):
        pytest.skip("JSON lines are no body")
    encoding = table.dialect.encoding
    kind = "text/csv" if encoding.startswith("utf-8") else f"text/csv; charset={encoding}"
    answer = TestClient(create_app(model)).post(
        "/v2/models/model/infer", content=text, headers={"content-type": kind}
    )
    if name == "one_slip.csv":
        assert answer.status_code == 400 and "'n/k'" in answer.text
        return
    if name == "nothing_at_the_end.csv":  # a row without cells in any other form
        assert answer.status_code == 400 and "line 26 has no observed cell" in answer.text
        return
    assert answer.status_code == 200, answer.text
    found = [float(row["score"]) for row in csv.DictReader(answer.text.splitlines())]
    np.testing.assert_allclose(found, model.score_samples(table.values), rtol=1e-9)


@pytest.mark.parametrize("name", READ)
def test_a_saved_model_reads_them_alike(name, tmp_path):
    model, table = fitted(name)
    model.save(tmp_path / "m.rae")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = load(tmp_path / "m.rae").score_samples(table.values)
        np.testing.assert_array_equal(again, model.score_samples(table.values))
