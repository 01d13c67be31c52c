"""Scoring in batches: the scores of the whole table, in the memory of one batch, whole files or none."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from typer.testing import CliRunner

from robustae import RobustAutoencoder
from robustae.cli import app
from robustae.cli import score as command
from robustae.data import read_table
from robustae.data.streams import row_source
from robustae.datasets.synthetic import planted_rows
from robustae.estimators import scoring
from robustae.estimators.scoring import score_batches, score_source
from robustae.utils.checks import InputError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pd = pytest.importorskip("pandas")

NAMES = list("abcde")


@pytest.fixture(scope="module")
def X():
    X = planted_rows(n=600, d=5, random_state=0).X.astype(float)
    X[::50, 2] = np.nan
    return X


@pytest.fixture(scope="module")
def model(X):
    return RobustAutoencoder(random_state=0, predictor="linear", hidden=2).fit(pd.DataFrame(X, columns=NAMES))


@pytest.fixture(scope="module")
def expected(model, X):
    return model.score_samples(pd.DataFrame(X, columns=NAMES))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(scoring, "CELLS", 500)  # 100 rows


@pytest.fixture
def folder(tmp_path, X, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(X, columns=NAMES)
    frame.to_parquet("t.parquet", row_group_size=130)
    frame.to_csv("t.csv", index=False)
    (tmp_path / "parts").mkdir()
    frame[:250].to_csv("parts/1.csv", index=False)
    frame[250:].to_csv("parts/2.csv", index=False)
    model.save("m.rae")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


# --- sources ------------------------------------------------------------------------------------


def test_the_scores_are_those_of_the_whole_table(folder, model, X, expected):
    frame = pd.DataFrame(X, columns=NAMES)
    kinds = ("t.parquet", "t.csv", "parts", X, [X[:7], X[7:]], lambda: iter([frame]), frame[NAMES[::-1]])
    for data in kinds:
        np.testing.assert_allclose(score_source(model, data), expected, rtol=1e-12)


def test_any_estimator_of_scores_and_an_offset(X, tmp_path):
    X = np.nan_to_num(X)
    forest = IsolationForest(n_estimators=10, random_state=0).fit(X)
    np.testing.assert_allclose(score_source(forest, X), forest.score_samples(X), rtol=1e-12)
    score_source(forest, X, tmp_path / "s.csv")
    assert read_table(tmp_path / "s.csv", drop=["row"]).columns == ["score", "flagged"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
def test_files_are_what_is_written_for_a_table_in_memory(folder, model, X, expected, suffix):
    out = f"s{suffix}"
    facts = score_source(model, "t.parquet", out=out)
    assert run("score", "t.parquet", "--model", "m.rae", "--out", f"whole{suffix}").exit_code == 0
    if suffix == ".npy":
        one, two = np.load(out), np.load(f"whole{suffix}")
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one["row"], np.arange(len(X)))
        np.testing.assert_allclose(one["score"], expected, rtol=1e-12)
        np.testing.assert_array_equal(one["flagged"], expected < model.offset_)
    else:
        one, two = read_table(out), read_table(f"whole{suffix}")
    if suffix != ".npy":
        assert one.columns == two.columns
        np.testing.assert_allclose(one.values.astype(float), two.values.astype(float), rtol=1e-9)
    assert (facts["rows"], facts["flagged"]) == (len(X), (expected < model.offset_).sum())
    assert facts["threshold"] == model.offset_
    assert [row["row"] for row in facts["most_anomalous"]] == np.argsort(expected, kind="stable")[:5].tolist()


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_ties_of_the_worst_go_to_the_first_rows(model, X):
    worst = np.argmin(model.score_samples(X))
    facts = scoring.summary(model, scoring.source_for(model, np.repeat(X[[worst]], 700, axis=0)))
    assert [row["row"] for row in facts["most_anomalous"]] == [0, 1, 2, 3, 4]


def test_a_failure_leaves_the_file_that_was_there(folder, model, X):
    bad = X.copy()
    bad[555, 3] = np.inf
    for suffix in (".csv", ".parquet", ".npy"):
        before = f"old{suffix}"
        with open(before, "wb") as file:
            file.write(b"old")
        with pytest.raises(InputError, match=r"column '3' of row 555"):
            score_source(model, bad, out=before)
        with open(before, "rb") as file:
            assert file.read() == b"old"
        with pytest.raises(InputError, match="row 555"):
            score_source(model, bad, out=f"new{suffix}")
    assert not [name for name in os.listdir() if name.startswith(("new", ".robustae"))]


def test_columns_that_do_not_fit_the_model(folder, model, X):
    with pytest.raises(InputError, match="5 columns, and the data have 6"):
        score_source(RobustAutoencoder(predictor="constant").fit(X), np.c_[X, X[:, 0]])
    frame = pd.DataFrame(X, columns=NAMES).rename(columns={"c": "cc"})
    with pytest.raises(InputError, match="no column 'c': did you mean 'cc'"):
        score_source(model, frame)
    with pytest.raises(InputError, match="no rows"):
        score_source(model, lambda: iter([np.empty((0, 5))]))


def test_progress_is_told_and_nothing_handed_in_is_changed(model, X):
    told, before = [], X.copy()
    score_source(model, X, progress=lambda rows, total: told.append((rows, total)))
    assert told == [(k, 600) for k in range(100, 601, 100)]
    np.testing.assert_array_equal(X, before)


def test_memory_is_that_of_a_batch():
    """Ten times the rows take no more memory; in a process of its own, for peaks are remembered."""
    code = """
import sys, numpy as np
from pathlib import Path
from robustae.estimators.scoring import score_source
class Model:
    n_features_in_, offset_ = 20, -1.0
    def score_samples(self, X):
        return -np.abs(X).sum(axis=1)
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
def batches(n):
    return (np.full((50_000, 20), float(k)) for k in range(n))
out = Path(sys.argv[1]) / "s.parquet"
score_source(Model(), lambda: batches(6), out)
before = peak()
score_source(Model(), lambda: batches(60), out)
print(peak() - before)
"""
    if not os.path.exists("/proc/self/status"):
        pytest.skip("needs /proc for the peak of memory")
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        told = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True, check=True)
    assert int(told.stdout) < 60_000  # KiB; all rows would take 480 000, their scores alone 24 000 each


# --- Arrow --------------------------------------------------------------------------------------


def batch_of(X, names=NAMES, **more):
    return pa.RecordBatch.from_pydict(
        dict(zip(names, (pa.array(column, from_pandas=True) for column in X.T), strict=True)) | more
    )


def test_batches_in_batches_out(model, X, expected):
    parts = [batch_of(X[:1]), batch_of(X[1:1]), batch_of(X[1:])]
    scored = list(score_batches(model, iter(parts)))
    assert [batch.num_rows for batch in scored] == [1, 0, 599]
    assert all(batch.schema == pa.schema({"score": pa.float64(), "anomaly": pa.bool_()}) for batch in scored)
    table = pa.Table.from_batches(scored)
    np.testing.assert_allclose(table["score"].to_numpy(), expected, rtol=1e-12)
    np.testing.assert_array_equal(table["anomaly"].to_numpy(), expected < model.offset_)


def test_columns_by_name_in_any_order_and_keys_passed_on(model, X, expected):
    keys = pa.array([f"row {i}" for i in range(len(X))])
    batch = batch_of(X[:, ::-1], NAMES[::-1], key=keys, extra=keys)
    (scored,) = score_batches(model, [batch], keep=["key"])
    assert scored.schema.names == ["key", "score", "anomaly"]
    assert scored["key"].equals(keys)
    np.testing.assert_allclose(scored["score"].to_numpy(), expected, rtol=1e-12)


def test_columns_by_position_where_the_model_knows_no_names(X):
    model = RobustAutoencoder(random_state=0, predictor="constant").fit(X)
    keys = pa.array(range(len(X)))
    (scored,) = score_batches(model, [batch_of(X, list("vwxyz"), key=keys)], keep=["key"])
    np.testing.assert_allclose(scored["score"].to_numpy(), model.score_samples(X), rtol=1e-12)
    with pytest.raises(InputError, match="5 columns, and the data have 6"):
        next(score_batches(model, [batch_of(X, list("vwxyz"), key=keys)]))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_the_worst_cells_are_named(model, X):
    (scored,) = score_batches(model, [batch_of(X)], worst=2)
    deviations = model.cell_scores(X)
    order = np.argsort(-np.abs(deviations), axis=1, kind="stable")[:, :2]
    assert scored["columns"].to_pylist() == [[NAMES[j] for j in row] for row in order]
    found = np.array(scored["deviations"].to_pylist())
    np.testing.assert_allclose(found, np.take_along_axis(deviations, order, axis=1))
    (none,) = score_batches(model, [batch_of(X[:0])], worst=2)
    assert none.schema == scored.schema


def test_refusals_of_batches(model, X):
    with pytest.raises(InputError, match="no column 'e'"):
        next(score_batches(model, [batch_of(X[:, :4], NAMES[:4])]))
    with pytest.raises(InputError, match="column 'a' of the batch holds values of type string"):
        next(score_batches(model, [batch_of(X[:2, 1:], NAMES[1:], a=pa.array(["x", "y"]))]))
    empty = X[:3].copy()
    empty[1] = np.nan
    with pytest.raises(InputError, match="row 601 .* no observed cell"):
        list(score_batches(model, [batch_of(X), batch_of(empty)]))


@pytest.fixture(scope="module")
def mixed(X):
    rng = np.random.default_rng(0)
    colour = np.where(rng.random(len(X)) < 0.02, "green", np.where(X[:, 0] > 0, "red", "blue"))
    frame = pd.DataFrame(X, columns=NAMES).assign(colour=colour)
    return frame, RobustAutoencoder(random_state=0).fit(frame)


def test_models_of_mixed_columns_take_arrow_and_parquet(mixed, tmp_path):
    frame, model = mixed
    expected = model.score_samples(frame)
    batches = pa.Table.from_pandas(frame).to_batches(200)
    scored = pa.Table.from_batches(score_batches(model, batches, worst=1))
    np.testing.assert_allclose(scored["score"].to_numpy(), expected, rtol=1e-9)
    assert {name for row in scored["columns"].to_pylist() for name in row} <= {*NAMES, "colour"}
    frame.to_parquet(tmp_path / "t.parquet")
    np.testing.assert_allclose(score_source(model, tmp_path), expected, rtol=1e-9)
    with pytest.raises(InputError, match="scores files in batches"):
        score_source(model, iter([frame]))


# --- command line -------------------------------------------------------------------------------


def facts(*arguments):
    result = run("score", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_several_files_folders_and_patterns(folder, expected, model):
    whole = facts("t.csv", "--model", "m.rae")
    for data in (["parts/1.csv", "parts/2.csv"], ["parts"], ["parts/*.csv"]):
        found = facts(*data, "--model", "m.rae", "--out", "s.parquet")
        assert found["rows"] == 600 and found["flagged"] == whole["flagged"]
        for one, two in zip(found["most_anomalous"], whole["most_anomalous"], strict=True):
            assert one == pytest.approx(two)
        scores = pq.read_table("s.parquet")
        assert scores.column_names == ["row", "score", "flagged", "probability"]
        np.testing.assert_allclose(scores["score"].to_numpy(), expected, rtol=1e-12)
    text = run("score", "parts/1.csv", "parts/2.csv", "--model", "m.rae").stdout
    assert text.startswith("2 files: ")


def test_a_large_file_is_read_in_batches_and_scored_alike(folder, monkeypatch):
    small = facts("t.parquet", "--model", "m.rae")
    calls = []
    monkeypatch.setattr(command, "LARGE", 100)
    monkeypatch.setattr(scoring, "summary", lambda *args, _of=scoring.summary: calls.append(1) or _of(*args))
    large = facts("t.parquet", "--model", "m.rae")
    assert calls
    for one, two in zip(large.pop("most_anomalous"), small.pop("most_anomalous"), strict=True):
        assert one == pytest.approx(two)
    assert large == small


def test_a_large_mixed_file_is_scored_in_batches(mixed, folder, monkeypatch):
    frame, model = mixed
    model.save("mixed.rae")
    frame.to_csv("mixed.csv", index=False)
    monkeypatch.setattr(command, "LARGE", 100)
    assert facts("mixed.csv", "--model", "mixed.rae")["rows"] == 600


def test_label_and_drop_leave_columns_out(folder, X):
    RobustAutoencoder(predictor="constant").fit(X[:, :3]).save("three.rae")
    found = facts("parts", "--model", "three.rae", "--label", "e", "--drop", "d")
    assert found["rows"] == 600
    refused = run("score", "parts", "--model", "m.rae", "--drop", "a")
    assert refused.exit_code == 2 and "needs column 'a'" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["parts/1.csv", "parts/3.csv"], "there is no file 'parts/3.csv'"),
        (["parts", "--out", "parts/s.csv"], "in the folder of the data"),
        (["t.csv", "t.parquet", "--out", "t.parquet"], "would replace the data"),
        (["parts/1.csv", "bad.csv"], "bad.csv"),
    ],
    ids=["missing", "inside", "replaced", "other columns"],
)
def test_refusals_of_files(folder, arguments, message):
    (folder / "bad.csv").write_text("x,y\n1,2\n")
    result = run("score", *arguments, "--model", "m.rae")
    assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1


def test_ctrl_c_leaves_nothing_half(folder):
    with open("big.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows([[i % 7, i % 11, i % 13, i % 5, i % 3] for i in range(100_000)])
    before = set(os.listdir())
    line = [
        sys.executable,
        "-m",
        "robustae",
        "score",
        *["big.csv"] * 100,
        "--model",
        "m.rae",
        "--out",
        "s.csv",
    ]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not set(os.listdir()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip().splitlines()[-1] == "Interrupted: nothing was written."
    assert set(os.listdir()) == before


def test_sources_are_row_sources_of_the_model(model, X):
    assert scoring.source_for(model, row_source(X)).columns == ["0", "1", "2", "3", "4"]
