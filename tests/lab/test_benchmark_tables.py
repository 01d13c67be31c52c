"""Benchmarks of tables: no label reaches a method, held-out rows stay out, the measures are right."""

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from robustae import lab as room
from robustae.cli import app
from robustae.lab import (
    Cannot,
    Plan,
    cells,
    contamination,
    named_cells,
    table_detection,
    table_methods,
    table_sets,
    threshold_rules,
    thresholds,
)
from robustae.lab.clean_tables import NORMAL_ROWS, clean_tables
from robustae.lab.summaries import bootstrap, over_sets
from robustae.lab.table_methods import Detector, Scores
from robustae.metrics import auprc, auroc
from robustae.utils.checks import NotFound

NAMES = ("tables", "contamination", "thresholds", "cells", "named-cells")
QUICK = Plan(quick=True, draws=1)


def run(*arguments):
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


def table(n=1000, anomalies=200, name="a table"):
    """Rows that carry their own number, so that it can be told where they went."""
    X = np.arange(2.0 * n).reshape(n, 2)
    y = np.zeros(n, int)
    y[np.random.default_rng(0).choice(n, anomalies, replace=False)] = 1
    return table_sets.TableSet(name, "Classical", lambda: (X, y))


# Sets -----------------------------------------------------------------------------------------------


def test_every_set_of_the_two_folders_is_taken_and_no_other(tmp_path, monkeypatch):
    for place in ("Classical/45_wine", "Classical/99_mine", "MVTec_ResNet18/MVTec-AD_tile", "NLP/20news"):
        file = tmp_path / f"adbench/{place}.npz"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, X=np.ones((3, 2), np.uint8), y=[0, 1, 0])
    monkeypatch.setenv("ROBUSTAE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = {one.name: one for one in table_sets.table_sets(False)}
    assert list(found) == ["mine", "wine", "MVTec-AD_tile"]
    X, y = table_sets.loaded(found["wine"], 0)
    assert X.dtype == np.float64 and y.tolist() == [0, 1, 0]


def test_sets_that_are_not_here_say_where_they_should_be(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTAE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sets = table_sets.table_sets(False)
    assert len(sets) == 30
    with pytest.raises(NotFound, match="adbench/"):
        table_sets.loaded(sets[0], 0)
    for module in (named_cells, cells):
        jobs = {job.key["set"]: job for job in module.jobs(Plan())}
        with pytest.raises(NotFound):
            jobs["TopGear" if module is named_cells else f"{NORMAL_ROWS[0]} (ADBench)"].run()


def test_large_sets_are_cut_to_the_same_rows_each_time():
    large = table(20_000, 2000)
    X, y = table_sets.loaded(large, 3)
    table_sets.loaded.cache_clear()
    assert len(X) == len(y) == len(np.unique(X, axis=0)) == 10_000
    np.testing.assert_array_equal(table_sets.loaded(large, 3)[0], X)
    assert (table_sets.loaded(large, 4)[0] != X).any()


@pytest.mark.parametrize("share", contamination.SHARES)
def test_splits_have_the_share_and_hold_the_same_rows_out(share):
    source = table()
    found = table_sets.split(source, share, 0.2, 5)
    assert found.fitted_y.mean() == pytest.approx(share, abs=0.002)
    assert found.y.sum() == 100 and len(found.y) == 500
    assert not {row.tobytes() for row in found.fitted} & {row.tobytes() for row in found.unseen}
    clean = table_sets.split(source, 0.0, 0.2, 5)
    np.testing.assert_array_equal(clean.unseen, found.unseen)
    np.testing.assert_array_equal(clean.fitted, found.fitted[found.fitted_y == 0])
    truth = dict(zip(source.load()[0][:, 0], source.load()[1], strict=True))
    assert [truth[row[0]] for row in found.fitted] == found.fitted_y.tolist()
    assert [truth[row[0]] for row in found.unseen] == found.y.tolist()


def test_too_few_anomalies_for_a_share_are_said():
    with pytest.raises(Cannot, match="40 anomalies are too few"):
        table_sets.split(table(1000, 40), 0.0, 0.2, 0)


@pytest.mark.parametrize("one", clean_tables(quick=True), ids=lambda one: one.name)
def test_clean_tables_have_columns_in_which_a_move_can_be_told(one):
    X = one.rows(0)
    assert np.isfinite(X).all() and min(X.shape) >= 5
    assert all(len(np.unique(column)) >= 10 for column in X.T)


# Methods --------------------------------------------------------------------------------------------


@pytest.fixture
def spy(monkeypatch):
    """A method that scores by the first column, the only one that is compared, and what it was told."""
    told = []

    def fit(X, seed):
        told.append((X, seed))
        return Scores(X[:, 0], lambda rows: rows[:, 0], SimpleNamespace(offset_=-np.median(X[:, 0])))

    for module in (table_detection, contamination, thresholds):
        monkeypatch.setattr(module, "table_methods", lambda quick: {"RAE": Detector("RAE", fit)})
        monkeypatch.setattr(module, "table_sets", lambda quick: [table()], raising=False)
        monkeypatch.setattr(module, "sweep_sets", lambda quick: [table()], raising=False)
    simple = {name: rule for name, rule in threshold_rules.rules().items() if "pythresh" not in name}
    monkeypatch.setattr(thresholds, "rules", lambda: simple)
    thresholds._scored.cache_clear()
    table_sets.loaded.cache_clear()
    contamination.rows_of.cache_clear()
    table_detection._warm.cache_clear()
    return told


@pytest.mark.parametrize("module", [table_detection, contamination, thresholds])
def test_methods_see_rows_and_a_seed_and_nothing_else(spy, module):
    jobs = list(module.jobs(QUICK))
    rows = [job.run() for job in jobs]
    assert all(X.dtype == np.float64 and X.shape[1] in (2, 4) for X, _ in spy)
    labels = {tuple(column) for X, _ in spy for column in X.T if set(np.unique(column)) <= {0, 1}}
    assert not labels
    assert all({**job.key, **row} for job, row in zip(jobs, rows, strict=True))


def test_a_ranking_is_measured_as_by_the_metrics(spy):
    X, y = table().load()
    (row,) = [job.run() for job in table_detection.jobs(QUICK)]
    assert row["auroc"] == auroc(y, X[:, 0]) and row["auprc"] == auprc(y, X[:, 0])
    assert row["chance"] == 0.2 and row["seconds"] >= 0


def test_methods_without_a_seed_have_one_draw():
    methods = table_methods.table_methods(True)
    jobs = [job.key for job in table_detection.jobs(Plan(quick=True, draws=5))]
    for name, method in methods.items():
        draws = {key["draw"] for key in jobs if key["method"] == name}
        assert draws == (set(range(5)) if method.random else {0}), name


def test_sets_that_are_cut_have_all_draws_of_every_method(monkeypatch):
    whole = table()
    monkeypatch.setattr(table_detection, "table_sets", lambda quick: [replace(whole, cut=True)])
    jobs = [job.key for job in table_detection.jobs(Plan(quick=True, draws=3))]
    for name in table_methods.table_methods(True):
        assert {key["draw"] for key in jobs if key["method"] == name} == {0, 1, 2}


@pytest.mark.parametrize("name", table_methods.table_methods(True))
def test_every_method_ranks_far_rows_last_and_leaves_the_rest_alone(name, rng):
    if name in table_methods.PYOD:
        pytest.importorskip("pyod")
    if name == "ADERH":
        pytest.importorskip("aderh", reason="needs the extra benchmarks")
    X = np.vstack([rng.normal(size=(300, 4)), rng.normal(12, 1, size=(6, 4))])
    X = np.hstack([X, np.ones((306, 1))])
    before, state = X.copy(), np.random.get_state()[1].copy()
    scores = table_methods.table_methods(True)[name].fit(X, 0)
    assert auroc(np.repeat([0, 1], [300, 6]), scores.fitted) > 0.9
    unseen = np.array([[0.0, 0, 0, 0, 1], [15, 15, 15, 15, 1]])
    assert np.diff(scores.unseen(unseen)) > 0
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_without_pyod_ours_is_measured_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(table_methods, "find_spec", lambda name: None)
    result = run("tables", "--quick", "--method", "KNN", "--method", "RAE", "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["experiments"]
    assert not found["failed"] and {row["method"] for row in found["summary"]} == {"RAE"}
    assert "robustae[benchmarks]" in (tmp_path / "tables.csv").read_text()


# Thresholds -----------------------------------------------------------------------------------------


def test_rules_are_what_they_say(rng):
    scores = rng.normal(size=10_000)
    found = threshold_rules.rules()
    assert (scores > found["10 %"](scores)).mean() == pytest.approx(0.1, abs=1e-3)
    assert found["MAD"](scores) == pytest.approx(3, abs=0.1)
    assert found["IQR"](scores) == pytest.approx(2.698, abs=0.1)


def test_a_rule_of_pythresh_calls_the_same_rows(rng):
    pytest.importorskip("pythresh")
    scores = np.append(rng.normal(size=300), rng.normal(20, 1, size=30))
    state = np.random.get_state()[1].copy()
    limit = threshold_rules.rules()["KARCH (pythresh)"](scores)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert (scores[300:] > limit).all() and (scores[:300] > limit).mean() < 0.5


def test_thresholds_are_measured_by_hand(spy):
    """The spy's own threshold is the median: half of the rows are called."""
    jobs = {(job.key["share"], job.key["method"]): job for job in thresholds.jobs(QUICK)}
    row = jobs[thresholds.ALL_ROWS, thresholds.AUTO].run()
    X, y = table().load()
    called = X[:, 0] > np.median(X[:, 0])
    assert row["false_alarms"] == called[y == 0].mean()
    assert row["f1"] == pytest.approx(2 * (called & (y == 1)).sum() / (called.sum() + y.sum()))
    assert row["of_best"] <= 1
    clean = jobs[0.0, thresholds.AUTO].run()
    rows = table_sets.split(table(), 0.0, 0.2, 0)
    called = rows.unseen[:, 0] > np.median(rows.fitted[:, 0])
    assert clean["false_alarms"] == called[rows.y == 0].mean()


# Cells ----------------------------------------------------------------------------------------------


def test_planted_cells_are_the_same_for_every_method_and_measured_right(monkeypatch):
    told = []

    def half(X, seed):
        """Flags each cell that was moved in every second row, and no other."""
        told.append(X)
        wrong = (clean != X) & (np.arange(len(X)) % 2 == 0)[:, None]
        return SimpleNamespace(flags=wrong, deviations=X - clean)

    clean = clean_tables(True)[0].rows(0)
    monkeypatch.setattr(cells, "cell_methods", lambda quick: {"a": half, "b": half})
    rows = [job.run() for job in cells.jobs(QUICK) if "Gaussian" in job.key["set"]]
    np.testing.assert_array_equal(*told)
    wrong = told[0] != clean
    assert wrong.mean() == pytest.approx(0.1)
    recall = wrong[::2].sum() / wrong.sum()
    assert rows[0] == rows[1]
    assert rows[0]["precision"] == 1 and rows[0]["recall"] == pytest.approx(recall)
    assert rows[0]["f1"] == pytest.approx(2 * recall / (1 + recall))
    assert rows[0]["auprc"] == pytest.approx(1)


def test_every_method_finds_gross_cells():
    rows = [(job.key, job.run()) for job in cells.jobs(QUICK) if "Gaussian" in job.key["set"]]
    assert {key["method"] for key, _ in rows} == {"z-scores", "DDC", "DDC, cut 3", "RAE"}
    for key, row in rows:
        assert row["f1"] > 0.8 and row["auprc"] > 0.9, key


def test_the_named_cells_are_where_the_literature_says(data_home):
    if not (data_home / "cellwise").is_dir():
        pytest.skip(f"needs the folder cellwise under {data_home}")
    cars = named_cells._top_gear()
    named = [
        (cars.rows[row], cars.columns[column], cars.X[row, column]) for row, column in np.argwhere(cars.named)
    ]
    assert ("Peugeot 107", "Weight", 210) in named and ("BMW i3", "MPG", 470) in named
    assert sorted(value for _, column, value in named if column == "Acceleration") == [0, 0, 0]
    assert len(named) == sum(len(columns) for columns in named_cells.WRONG_CARS.values())
    deaths = named_cells._mortality()
    assert deaths.named.sum() == (5 + 6) * 20
    assert deaths.X[deaths.named].mean() > 2 * deaths.X[:, 20:40][~deaths.named[:, 20:40]].mean()
    assert named_cells._compounds().X.shape == (512, 16)
    assert named_cells._glass().named.sum() == 38 * 750


def test_shares_flagged_are_those_of_named_and_other_observed_cells(monkeypatch):
    X = np.array([[1.0, np.nan], [3, 4], [5, 6]])
    named = np.array([[True, True], [False, False], [True, False]])
    flags = np.array([[True, False], [True, False], [False, False]])
    method = lambda X, seed: SimpleNamespace(flags=flags)  # noqa: E731
    monkeypatch.setattr(named_cells, "cell_methods", lambda quick: {"m": method})
    monkeypatch.setattr(
        named_cells, "_QUICK", {"s": lambda: named_cells.Named(X, named, ["a", "b", "c"], ["x", "y"])}
    )
    (job,) = named_cells.jobs(QUICK)
    assert job.run() == {"cells": 2, "found": 0.5, "elsewhere": 1 / 3, "missed": "c: x"}


# Summaries ------------------------------------------------------------------------------------------


def test_bootstrap_interval_is_about_the_t_interval_and_the_same_each_time(rng):
    x = rng.normal(1, 2, size=400)
    mean, low, high = bootstrap(x)
    assert mean == pytest.approx(x.mean()) and low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.05)
    assert bootstrap(x) == (mean, low, high)
    assert bootstrap([2.0]) == (2.0, None, None)


def test_means_over_sets_leave_out_who_has_not_all(rng):
    rows = [
        {"set": name, "method": method, "auprc": value}
        for method, values in (("RAE", (0.9, 0.7)), ("KNN", (0.8, 0.5)), ("MCD", (0.6,)))
        for name, value in zip(("a", "b"), values, strict=False)
    ]
    found = {row["method"]: row for row in over_sets(rows, "mean", ("auprc",), reference="RAE")}
    assert set(found) == {"RAE", "KNN"}
    assert found["KNN"]["mean"] == pytest.approx(0.65) and found["KNN"]["draws"] == 2
    assert found["KNN"]["difference"] == pytest.approx(0.15)
    assert (found["KNN"]["low"], found["KNN"]["high"]) == (pytest.approx(0.1), pytest.approx(0.2))


def test_a_set_counts_once_however_many_draws_it_has():
    rows = [
        {
            "set": name,
            "group": "g",
            "draw": draw,
            "method": "RAE",
            "chance": 0.1,
            "auroc": v,
            "auprc": v,
            "seconds": 1.0,
        }
        for name, values in (("a", (0.2, 0.4, 0.6)), ("b", (0.8,)))
        for draw, v in enumerate(values)
    ]
    mean = table_detection.summary(rows)[0]
    assert (mean["set"], mean["mean"], mean["draws"]) == ("mean over sets: g", pytest.approx(0.6), 2)


def test_the_loss_is_between_no_anomalies_and_the_largest_share():
    rows = [
        {"set": name, "draw": 0, "share": share, "method": "RAE", "chance": 0.1, "auroc": v, "auprc": v / 2}
        for name, values in (("a", (0.9, 0.8, 0.7)), ("b", (0.7, 0.7, 0.6)))
        for share, v in zip((0.0, 0.1, 0.2), values, strict=True)
    ]
    found = {(row["share"], row["measure"]): row["mean"] for row in contamination.summary(rows)}
    assert found["loss", "auroc"] == pytest.approx(0.15)
    assert found["loss", "auprc"] == pytest.approx(0.075)
    assert found[0.2, "auroc"] == pytest.approx(0.65)


# As a user meets it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_in_short(name, tmp_path):
    result = run(name, "--quick", "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["experiments"]
    assert found["failed"] == found["absent"] == {}
    assert {f"{name}.csv", f"{name}_summary.csv"} <= set(os.listdir(tmp_path))
    assert room.experiment(name).REFERENCE in {row["method"] for row in found["summary"]}
    again = run(name, "--quick", "--out", tmp_path)
    assert again.exit_code == 0 and "0 jobs run now" in again.stdout
