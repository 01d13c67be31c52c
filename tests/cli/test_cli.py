"""The command line as a user meets it: what it prints, what it writes, what it says when it cannot."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from robustae import __version__, load
from robustae.cli import app
from robustae.data import read_table
from robustae.data.writers import write_matrix

BAD_ROWS = [7, 19, 40]
NAMES = ["a", "b", "c", "d"]


def planted():
    """60 rows near a line in 4 dimensions; three of them far off."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 1)) * [1.0, 2.0, -1.0, 0.5] + 0.1 * rng.normal(size=(60, 4))
    X[BAD_ROWS] += [8, -8, 8, 8]
    return X


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the same table as CSV and .npz, with a label, and a model fitted by the program."""
    folder = tmp_path_factory.mktemp("cli")
    X, y = planted(), np.isin(np.arange(60), BAD_ROWS).astype(int)
    write_matrix(folder / "t.csv", np.column_stack([X, y]), [*NAMES, "bad"])
    np.savez(folder / "t.npz", X=X, y=y)
    fit = run(folder, "fit", "t.csv", "--model", "t.rae", "--label", "bad")
    assert fit.exit_code == 0, fit.output
    return folder


def run(folder, *arguments):
    before = os.getcwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])
    finally:
        os.chdir(before)


def refused(folder, *arguments):
    """Run, check that it is refused in one sentence and nothing was written; return the sentence."""
    before = sorted(os.listdir(folder))
    result = run(folder, *arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert sorted(os.listdir(folder)) == before
    return result.stderr


def facts(folder, *arguments):
    result = run(folder, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def nameless(path):
    """Load a model that takes arrays without a word about the names of columns."""
    model = load(path)
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_
    return model


# --- fit ----------------------------------------------------------------------------------------


def test_fit_tells_how_it_went_and_writes_a_model(folder):
    result = run(folder, "fit", "t.csv", "--model", "again.rae", "--label", "bad")
    model = load(folder / "again.rae")
    for word in ("60 rows", "4 columns", model.status_, f"lam {model.lam_:.4g}"):
        assert word in result.stdout
    assert "bad" in result.stderr, "a column left out is named"
    assert list(model.feature_names_in_) == NAMES


def test_fit_is_repeatable_and_the_label_is_never_trained_on(folder):
    run(folder, "fit", "t.csv", "--model", "one.rae", "--label", "bad")
    run(folder, "fit", "t.npz", "--model", "two.rae")
    X = planted()
    scores = [nameless(folder / name).score_samples(X) for name in ("one.rae", "two.rae")]
    np.testing.assert_array_equal(*scores)


def test_fit_as_json(folder):
    told = facts(folder, "fit", "t.csv", "--model", "j.rae", "--label", "bad", "--lam", "inf")
    assert told["rows"] == 60
    assert told["columns"] == 4
    assert told["lam"] == "inf"
    assert told["flagged"] == pytest.approx(60 * told["share_flagged"])
    assert "bad" in told["left_out"]


def test_parameters_arrive(folder):
    options = "--predictor linear --lam 2.5 --contamination 0.1 --seed 3 --set hidden=2 --set energy=squared"
    run(folder, "fit", "t.csv", "--model", "set.rae", "--label", "bad", *options.split())
    params = load(folder / "set.rae").get_params()
    assert {name: params[name] for name in ("predictor", "lam", "contamination", "hidden", "energy")} == {
        "predictor": "linear",
        "lam": 2.5,
        "contamination": 0.1,
        "hidden": 2,
        "energy": "squared",
    }
    assert params["random_state"] == 3


def test_images_given_as_rows(folder):
    for shape in ("2,2", "2x2"):
        run(folder, "fit", "t.npz", "--model", "image.rae", "--image-shape", shape)
        assert load(folder / "image.rae").image_shape_ == (2, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "lamda=3"], "did you mean 'lam'"),
        (["--set", "lam"], "NAME=VALUE"),
        (["--lam", "2", "--set", "lam=3"], "twice"),
        (["--lam", "much"], "lam='much'"),
        (["--predictor", "sigmod"], "did you mean 'sigmoid'"),
        (["--contamination", "0.9"], "contamination=0.9"),
        (["--image-shape", "two"], "--image-shape 'two'"),
        (["--image-shape", "7,9"], "63"),
        (["--label", "bda"], "did you mean 'bad'"),
        (["--lable", "bad"], "--label"),
        (["--seed", "x"], "--seed"),
    ],
)
def test_options_that_will_not_do(folder, options, words):
    assert words in refused(folder, "fit", "t.csv", "--model", "no.rae", *options)


@pytest.mark.parametrize(
    ("model", "words"),
    [("nowhere/m.rae", "no folder"), (".", "is a folder"), ("t.csv", "would replace the data")],
)
def test_models_that_cannot_be_written_are_refused_before_the_fit(folder, model, words):
    before = (folder / "t.csv").read_bytes()
    assert words in refused(folder, "fit", "t.csv", "--model", model)
    assert (folder / "t.csv").read_bytes() == before


# --- data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n", "at least 2 rows"),
        (b"a,b\n1,2\n3\n", "line 3"),
        (b"a,b\nx,y\nx,y\n", "no column can be used"),
        (b"a,b\n1,inf\n2,3\n4,5\n", "column 'b', line 2 holds an infinity"),
        (bytes(range(256)) * 4, "not text"),
    ],
    ids=["empty", "header", "one row", "ragged", "constant texts", "infinite", "binary"],
)
@pytest.mark.parametrize("command", ["fit", "report"])
def test_data_that_cannot_be_used(folder, content, words, command):
    (folder / "odd.csv").write_bytes(content)
    target = ["--model", "no.rae"] if command == "fit" else ["--out", "no.html"]
    assert words in refused(folder, command, "odd.csv", *target)


def test_a_line_of_separators_alone_is_no_row_and_is_said(folder):
    (folder / "gap.csv").write_bytes(b"a,b\n1,2\n,\n5,6\n4,4\n")
    fit = run(folder, "fit", "gap.csv", "--model", "gap.rae")
    assert fit.exit_code == 0 and "line 3" in fit.output and "3 rows" in fit.output
    score = run(folder, "score", "gap.csv", "--model", "gap.rae", "--out", "gap_scores.csv")
    assert "line 3" in score.output
    assert [line.split(",")[1] for line in (folder / "gap_scores.csv").read_text().splitlines()] == [
        "line",
        "2",
        "4",
        "5",
    ]


def test_files_that_are_not_there(folder):
    assert "did you mean 't.csv'" in refused(folder, "fit", "tt.csv", "--model", "no.rae")
    assert "name one kind" in refused(folder, "evaluate", ".", "--label", "bad")
    assert "'no.rae'" in refused(folder, "score", "t.csv", "--model", "no.rae")
    assert "not a model" in refused(folder, "score", "t.csv", "--model", "t.csv")


def test_odd_names_and_few_cells_work(folder):
    text = "größe,leer,höhe\n" + "".join(f"{i},,{i * i}\n" for i in range(8))
    (folder / "maße ñ.csv").write_text(text, encoding="utf-8")
    fit = run(folder, "fit", "maße ñ.csv", "--model", "modèle.rae")
    assert fit.exit_code == 0, fit.output
    scores = run(folder, "score", "maße ñ.csv", "--model", "modèle.rae", "--out", "é.csv")
    assert scores.exit_code == 0, scores.output
    assert np.isfinite(read_table(folder / "é.csv").values).all()


# --- score and split ----------------------------------------------------------------------------


def test_scores_are_the_models_own(folder):
    result = run(folder, "score", "t.csv", "--model", "t.rae", "--out", "s.csv")
    assert result.exit_code == 0, result.output
    model, X = nameless(folder / "t.rae"), planted()
    header, *lines = (line.split(",") for line in (folder / "s.csv").read_text().splitlines())
    assert header == ["row", "line", "score", "flagged", "probability"]
    row, line, score, flagged, probability = (np.array(column) for column in zip(*lines, strict=True))
    score = score.astype(float)
    np.testing.assert_array_equal(row.astype(int), np.arange(60))
    np.testing.assert_array_equal(line.astype(int), np.arange(2, 62))
    np.testing.assert_array_equal(score, model.score_samples(X))
    np.testing.assert_array_equal(flagged == "True", model.predict(X) == -1)
    np.testing.assert_allclose(probability.astype(float), model.predict_proba(X)[:, 1], rtol=1e-12)
    assert set(np.argsort(score)[:3]) == set(BAD_ROWS)
    assert result.stdout.split("flagged\n")[-1].split()[0] in map(str, BAD_ROWS), "the worst row comes first"


def test_scores_in_other_formats(folder):
    run(folder, "score", "t.csv", "--model", "t.rae", "--out", "s.npy")
    scores = np.load(folder / "s.npy")
    assert scores.dtype.names == ("row", "line", "score", "flagged", "probability")
    assert ".csv or .jsonl or .parquet or .npy" in refused(
        folder, "score", "t.csv", "--model", "t.rae", "--out", "s.xlsx"
    )
    pytest.importorskip("pyarrow")
    run(folder, "score", "t.csv", "--model", "t.rae", "--out", "s.parquet")
    table = read_table(folder / "s.parquet")
    np.testing.assert_array_equal(table.values[:, table.columns.index("score")], scores["score"])


def test_score_as_json_without_a_file(folder):
    told = facts(folder, "score", "t.csv", "--model", "t.rae")
    assert told["rows"] == 60
    assert {row["row"] for row in told["most_anomalous"][:3]} == set(BAD_ROWS)


def test_columns_are_matched_by_name(folder):
    X = planted()
    write_matrix(
        folder / "mixed.csv", np.column_stack([X[:, 2], np.ones(60), X[:, [1, 0, 3]]]), list("cxbad")
    )
    run(folder, "score", "t.csv", "--model", "t.rae", "--out", "s1.csv")
    mixed = run(folder, "score", "mixed.csv", "--model", "t.rae", "--out", "s2.csv")
    assert (folder / "s1.csv").read_bytes() == (folder / "s2.csv").read_bytes()
    assert "x (not a column of the model)" in mixed.stderr
    write_matrix(folder / "three.csv", X[:, :3], NAMES[:3])
    assert "no column 'd'" in refused(folder, "score", "three.csv", "--model", "t.rae")
    write_matrix(folder / "five.csv", np.column_stack([X, X[:, 0]]))
    assert "4 columns, and the data have 5" in refused(folder, "score", "five.csv", "--model", "t.rae")


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".npy", ".parquet"])
def test_split_writes_the_parts_like_the_data(folder, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    X = planted()
    X[3, 1] = np.nan
    write_matrix(tmp_path / f"x{suffix}", X, NAMES)
    result = run(folder, "split", tmp_path / f"x{suffix}", "--model", "t.rae", "--out", tmp_path / "parts")
    assert result.exit_code == 0, result.output
    parts = {path.stem: path for path in (tmp_path / "parts").iterdir()}
    assert set(parts) == {"reconstruction", "outliers", "repaired", "flags", "explain"}
    values = {name: read_table(path).values for name, path in parts.items() if name != "explain"}
    flags = values["flags"].astype(bool)
    assert flags[BAD_ROWS].any(axis=1).all()
    kept = ~flags & ~np.isnan(X)
    np.testing.assert_array_equal(values["repaired"][kept], X[kept])
    np.testing.assert_allclose(values["repaired"][~kept], values["reconstruction"][~kept], rtol=1e-12)
    explained = list(csv.DictReader(parts["explain"].read_text().splitlines()))
    assert len(explained) == flags.sum()
    assert flags[int(explained[0]["row"]), NAMES.index(explained[0]["column"])]
    assert ("line" in explained[0]) == (suffix == ".csv")


def test_a_slip_among_numbers_does_not_stop_scoring(folder):
    text = (folder / "t.csv").read_text().splitlines()
    slip = text[3].split(",")
    slip[1] = "n/k"
    (folder / "slip.csv").write_text("\n".join([*text[:3], ",".join(slip), *text[4:]]) + "\n")
    result = run(folder, "score", "slip.csv", "--model", "t.rae")
    assert result.exit_code == 0, result.output
    assert "missing: b (text 'n/k' on line 4)" in result.stderr


def test_split_flags_from_the_cut_on_and_encodes_again(folder, tmp_path):
    given = ["--cut", "5", "--passes", "1"]
    result = run(folder, "split", "t.npz", "--model", "t.rae", "--out", tmp_path / "parts", *given)
    assert result.exit_code == 0, result.output
    model, X = nameless(folder / "t.rae"), planted()
    parts = {name: read_table(tmp_path / f"parts/{name}.npz").values for name in ("flags", "repaired")}
    np.testing.assert_array_equal(parts["flags"].astype(bool), model.flags(X, 5))
    np.testing.assert_array_equal(parts["repaired"], model.repaired(X, 5, passes=1))
    assert (parts["repaired"] != model.repaired(X, 5)).any()
    assert "--passes" in refused(folder, "split", "t.npz", "--model", "t.rae", "--out", "no", "--passes", "x")


def test_split_leaves_other_folders_alone(folder, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    assert "letter.txt" in refused(folder, "split", "t.csv", "--model", "t.rae", "--out", tmp_path)
    assert os.listdir(tmp_path) == ["letter.txt"]


# --- evaluate -----------------------------------------------------------------------------------


def test_evaluate_says_how_well_and_what_chance_would_do(folder):
    told = facts(folder, "evaluate", "t.csv", "--label", "bad")
    (ours,) = told["methods"]
    assert ours["auprc"] == ours["auroc"] == 1
    assert ours["p_at_10"] == pytest.approx(0.3)
    assert told["chance"]["auprc"] == pytest.approx(3 / 60)
    called = told["called"]
    assert called["found"] == 3 == round(3 * called["recall"])
    assert called["false_alarms"] == pytest.approx((called["called"] - 3) / 57)
    assert called["f1"] == pytest.approx(2 * 3 / (called["called"] + 3))


def test_evaluate_a_model(folder):
    result = run(folder, "evaluate", "t.csv", "--label", "bad", "--model", "t.rae")
    assert "AUPRC" in result.stdout
    assert "1.000" in result.stdout
    arguments = ["evaluate", "t.csv", "--label", "bad", "--model", "t.rae", "--lam", "3"]
    assert "--model is fitted" in refused(folder, *arguments)


def test_compare_puts_the_usual_methods_side_by_side(folder):
    told = facts(folder, "evaluate", "t.npz", "--label", "y", "--compare")
    names = [row["method"] for row in told["methods"]]
    for name in ("PCA", "RPCA", "isolation forest", "plain autoencoder", "robust autoencoder"):
        assert name in names
    for row in told["methods"]:
        assert 0 <= row["auprc"] <= 1
        assert row["seconds"] >= 0


def test_labels_may_be_text(folder):
    words = np.where(np.isin(np.arange(60), BAD_ROWS), "broken", "ok")
    lines = [",".join([*map(repr, row), word]) for row, word in zip(planted().tolist(), words, strict=True)]
    (folder / "words.csv").write_text("a,b,c,d,state\n" + "\n".join(lines) + "\n")
    assert "--positive 'broken'" in refused(folder, "evaluate", "words.csv", "--label", "state")
    told = facts(folder, "evaluate", "words.csv", "--label", "state", "--positive", "broken")
    assert told["methods"][0]["auroc"] == 1
    assert "--label" in refused(folder, "evaluate", "t.csv")
    assert "different values" in refused(folder, "evaluate", "t.csv", "--label", "a")
    fitted = run(folder, "fit", "words.csv", "--label", "state", "--model", "w.rae")
    assert "state (the label)" in fitted.output


# --- the rest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [[], ["--model", "t.rae"]])
def test_report_is_one_page(folder, model):
    result = run(folder, "report", "t.csv", "--out", "page.html", "--label", "bad", *model)
    assert result.exit_code == 0, result.output
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "t.csv" in page
    assert ".html" in refused(folder, "report", "t.csv", "--out", "page.pdf")


def test_datasets_are_listed(folder, monkeypatch):
    monkeypatch.delenv("ROBUSTAE_DATA", raising=False)
    told = facts(folder, "datasets", "--data-home", folder)["datasets"]
    found = {entry["name"]: entry["found"] for entry in told}
    assert found["walkway"]
    assert "fetch_usps()" in run(folder, "datasets").stdout


def test_demo_shows_each_part_and_where_the_report_is(folder, monkeypatch):
    from robustae.lab import demo

    def short(out, progress):
        progress("digits")
        return demo.Demo(["digits: fine"], out / "report.html", 1.0)

    monkeypatch.setattr(demo, "run_demo", short)
    result = run(folder, "demo", "--out", "shown")
    assert "digits: fine" in result.stdout
    assert str(os.path.join("shown", "report.html")) in result.stdout
    assert result.stderr == "digits\n"
    assert facts(folder, "demo", "--out", "shown")["lines"] == ["digits: fine"]


def test_version_help_and_typos(folder):
    assert run(folder, "--version").stdout.strip() == f"robustae {__version__}"
    assert "did you mean 'score'" in refused(folder, "scroe", "t.csv")
    for command in ("fit", "score", "split", "evaluate", "demo", "report", "datasets"):
        told = run(folder, command, "--help")
        assert told.exit_code == 0
        assert "Usage" in told.stdout
        assert command in run(folder, "--help").stdout


# --- true processes -----------------------------------------------------------------------------


def test_nothing_heavy_is_imported_to_show_help():
    code = "import sys, robustae.cli; print(*{'torch', 'numpy', 'sklearn', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


EMPTY = {  # what a variable of the shell that is not set leaves
    "data": ["fit", "", "--model", "m.rae"],
    "one of several": ["fit", "t.csv", "", "--model", "m.rae"],
    "a model": ["score", "t.csv", "--model", ""],
    "a model with =": ["score", "t.csv", "--model="],
    "a folder": ["images", "t.csv", "--out", ""],
    "where notebooks go": ["tutorial", ""],
    "a setting": ["fit", "t.csv", "--model", "m.rae", "--encoding", ""],
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_argument_is_not_this_folder(folder, name):
    assert "is empty" in refused(folder, *EMPTY[name])


def test_columns_and_values_may_be_called_nothing(folder):
    (folder / "nameless.csv").write_text("a,b,\n" + "1,2,0\n2,3,0\n4,4,0\n3,5,1\n" * 5)
    assert "is empty" not in run(folder, "evaluate", "nameless.csv", "--label", "", "--normal", "").output


def test_called_off_while_the_commands_are_imported():
    code = """
import sys
class Hurried:
    def find_spec(self, name, *_):
        if name == "robustae.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Hurried())
from robustae.__main__ import main
main()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (130, "Interrupted: nothing was written.\n")


def test_a_refusal_from_outside(folder):
    command = [sys.executable, "-m", "robustae", "score", "none.csv", "--model", "t.rae"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "none.csv" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is sent otherwise there")
def test_an_interrupted_fit_writes_nothing(folder, tmp_path):
    command = (
        f"-m robustae fit {folder / 't.csv'} --model {tmp_path / 'm.rae'} --label bad --predictor deep -v"
    )
    endless = "--set max_iter=100000000 --set tol=0 --set solver=adam"
    process = subprocess.Popen(
        [sys.executable, *command.split(), *endless.split()],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert "Left out" in process.stderr.readline(), "the data are read: now comes the fit"
    time.sleep(3)
    assert process.poll() is None, "the fit must still be running"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(folder, tmp_path):
    tmp_path.chmod(0o500)
    assert "permission" in refused(folder, "fit", "t.csv", "--model", tmp_path / "m.rae")
