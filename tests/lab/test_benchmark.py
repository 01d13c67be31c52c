"""The experiments: nothing measured is lost or mixed, no label reaches a method, the statistics are right."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from robustae import lab as room
from robustae.cli import app
from robustae.datasets import load_digits_anomalies
from robustae.lab import Cannot, Job, Plan, detection, inductive, lambdas
from robustae.lab import methods as registry
from robustae.lab.runner import execute
from robustae.lab.summaries import averaged, interval, summarised
from robustae.metrics import auroc, best_f1
from robustae.utils.checks import InputError, NotFound

METHODS = ("PCA", "RCAE", "kNN")


def run(*arguments):
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


def values(path, without=("seconds",)):
    with open(path, newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k not in without} for row in csv.DictReader(file)]


def experiment(measure, key=("set", "draw", "method"), sets=("first", "second"), **more):
    """Twelve jobs, each of which calls `measure(key)`."""

    def jobs(plan):
        for name in sets:
            for draw in plan.numbers(2):
                for method in METHODS:
                    named = {"set": name, "draw": draw, "method": method}
                    yield Job(named, lambda named=named: measure(named))

    summary = lambda rows: summarised(rows, ("set",), ("auprc",))  # noqa: E731
    return SimpleNamespace(NAME="toy", KEY=key, jobs=jobs, summary=summary, pictures=lambda *_: [], **more)


def measured(key):
    seed = [ord(letter) for letter in f"{key['set']}{key['draw']}{key['method']}"]
    return {"auprc": float(np.random.default_rng(seed).random())}


def done(folder, measure=measured, plan=Plan(), **more):  # noqa: B008 (frozen)
    return execute(experiment(measure, **more), plan, folder, lambda *_: None)


class Killed(BaseException):
    pass


def killed_after(jobs, measure=measured):
    """A measure that is cut off in the job after so many."""
    left = [jobs]

    def run(key):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return measure(key)

    return run


def two_rows(key):
    return [{"part": part, **measured(key)} for part in ("a", "b")]


# Nothing is lost, nothing is mixed ------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [0, 1, 5, 11])
def test_cut_off_and_run_again_is_as_if_undisturbed(tmp_path, jobs):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    done(tmp_path / "whole")
    with pytest.raises(Killed):
        done(tmp_path / "cut", killed_after(jobs))
    again = done(tmp_path / "cut")
    assert again.ran == 12 - jobs
    assert values(tmp_path / "cut/toy.csv") == values(tmp_path / "whole/toy.csv")
    assert len(values(tmp_path / "cut/toy.csv")) == 12


@pytest.mark.parametrize(("measure", "key"), [(measured, ()), (two_rows, ("part",))])
@pytest.mark.parametrize("cut", [1, 20, 45])
def test_a_half_written_line_is_dropped(tmp_path, measure, key, cut):
    key = ("set", "draw", "method", *key)
    whole = done(tmp_path, measure, key=key)
    path = tmp_path / "toy.csv"
    before = values(path)
    path.write_bytes(path.read_bytes()[:-cut])
    again = done(tmp_path, measure, key=key)
    assert values(path) == before
    assert 1 <= again.ran <= 2 and len(again.rows) == len(whole.rows)


def test_what_is_done_is_not_done_again(tmp_path):
    done(tmp_path)
    assert done(tmp_path, killed_after(0)).ran == 0


def test_methods_sets_and_more_draws_may_come_later(tmp_path):
    done(tmp_path, plan=Plan(methods=("PCA",), sets=("second",), draws=1))
    assert [row["set"] for row in values(tmp_path / "toy.csv")] == ["second"]
    assert done(tmp_path).ran == 11
    assert done(tmp_path, plan=Plan(draws=3)).ran == 6


@pytest.mark.parametrize("plan", [Plan(quick=True), Plan(seed=1)])
def test_other_settings_are_refused(tmp_path, plan):
    done(tmp_path)
    before = (tmp_path / "toy.csv").read_bytes()
    with pytest.raises(InputError, match="was written with"):
        done(tmp_path, plan=plan)
    with pytest.raises(InputError, match="protocol=1"):
        done(tmp_path, PROTOCOL=2)
    assert (tmp_path / "toy.csv").read_bytes() == before


def test_rows_without_their_settings_are_refused(tmp_path):
    done(tmp_path)
    (tmp_path / "toy_settings.json").unlink()
    with pytest.raises(InputError, match="without the settings"):
        done(tmp_path)


def test_what_cannot_be_done_says_why(tmp_path):
    def measure(key):
        if key["method"] == "kNN":
            raise Cannot("has no\nreconstruction")
        return measured(key)

    done(tmp_path, measure)
    status = {row["method"]: row["status"] for row in values(tmp_path / "toy.csv")}
    assert status == {"PCA": "ok", "RCAE": "ok", "kNN": "has no reconstruction"}
    assert done(tmp_path, killed_after(0)).ran == 0


def test_a_set_whose_data_are_absent_is_left_out(tmp_path):
    def measure(key):
        if key["set"] == "first":
            raise NotFound("put it there.")
        return measured(key)

    outcome = done(tmp_path, measure)
    assert outcome.absent == {"first": "put it there."}
    assert {row["set"] for row in outcome.rows} == {"second"}
    assert done(tmp_path).ran == 6


def test_a_broken_job_costs_no_other_and_is_tried_again(tmp_path):
    def measure(key):
        if key == {"set": "first", "draw": 1, "method": "PCA"}:
            raise ZeroDivisionError("by zero")
        return measured(key)

    outcome = done(tmp_path, measure)
    assert outcome.failed == {"first, 1, PCA": "ZeroDivisionError: by zero"}
    assert len(outcome.rows) == 11
    assert done(tmp_path).ran == 1


def test_threads_are_one_inside_and_as_before_after(tmp_path):
    import torch
    from threadpoolctl import threadpool_info

    def counts():
        return [pool["num_threads"] for pool in threadpool_info()], torch.get_num_threads()

    torch.set_num_threads(2)
    before, inside = counts(), []
    done(tmp_path, lambda key: inside.append(counts()) or measured(key))
    assert counts() == before
    assert {threads for pools, torchs in inside for threads in [*pools, torchs]} == {1}
    torch.set_num_threads(1)


# No label reaches a method --------------------------------------------------------------------------


class Spy:
    """Scores at random, and keeps what it was told."""

    told: list = []

    def fit(self, *arguments, **named):
        self.told.append((arguments, named))
        return self

    def score_samples(self, X):
        return np.random.default_rng(0).random(len(X))


@pytest.mark.parametrize("module", [detection, inductive])
@pytest.mark.parametrize("inductive_", [True, False])
def test_methods_see_rows_and_nothing_else(monkeypatch, module, inductive_):
    spy = registry.Method("spy", lambda shape, seed: Spy(), inductive=inductive_)
    monkeypatch.setattr(module, "methods", lambda quick: {"spy": spy})
    monkeypatch.setattr(Spy, "told", [])
    rows = [job.run() for job in module.jobs(Plan(quick=True, draws=1)) if job.key["set"] == "digits 1v7"]
    assert len(rows) == len(Spy.told) == 1
    ((X,), named), *_ = Spy.told
    assert named == {}
    assert X.shape[1] == 64 and X.min() >= 0 and X.max() <= 1
    if module is inductive:
        assert len(X) == (48 if inductive_ else 96)
        assert rows[0].get("status") == (None if inductive_ else "train + test together")


def test_unseen_rows_are_not_in_the_fit():
    from robustae.lab.sets import drawn_data, pairs_of_halves

    fitted, unseen = drawn_data(pairs_of_halves(True)[0].draw, 3)
    assert not {row.tobytes() for row in fitted.X} & {row.tobytes() for row in unseen.X}
    assert fitted.y.sum() == unseen.y.sum() == 4


def test_a_method_over_its_limit_says_so():
    method = registry.Method("slow", lambda shape, seed: Spy(), most_rows=10)
    with pytest.raises(Cannot, match="11 rows: over its limit of 10"):
        registry.fitted(method, np.zeros((11, 2)), None, 0)


def test_tables_are_no_images():
    with pytest.raises(Cannot, match="images"):
        registry.methods()["RCAE"].make(None, 0)


@pytest.mark.parametrize("name", [name for name, method in registry.methods().items() if method.inductive])
def test_every_method_ranks_scrambled_digits_behind_unseen_ones(name, rng):
    ones = load_digits_anomalies(n_anomalies=0).X
    scrambled = np.array([rng.permutation(row) for row in ones[:20]])
    model = registry.fitted(registry.methods(quick=True)[name], ones[:80], (8, 8), 0)
    unseen = np.concatenate([ones[100:120], scrambled])
    assert auroc(np.repeat([0, 1], 20), -model.score_samples(unseen)) > 0.9


# Statistics -----------------------------------------------------------------------------------------


def rows_of(first, second):
    return [
        {"set": "s", "draw": draw, "method": method, "auprc": value}
        for method, column in (("RCAE", first), ("PCA", second))
        for draw, value in enumerate(column)
    ]


def test_paired_interval_is_the_paired_t_interval(rng):
    first, second = rng.random(9), rng.random(9)
    entry = summarised(rows_of(first, second), ("set",), ("auprc",))[1]
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    np.testing.assert_allclose((entry["low"], entry["high"]), expected, rtol=1e-12)
    assert entry["difference"] == pytest.approx(np.mean(first - second))
    assert entry["deviation"] == pytest.approx(np.std(second, ddof=1))


def test_only_draws_that_both_have_are_paired():
    entry = summarised(rows_of([0.5, 0.7, 0.9], [0.4, 0.5, None]), ("set",), ("auprc",))[1]
    assert entry["draws"] == 2
    assert entry["difference"] == pytest.approx(0.15)


def test_one_draw_has_no_interval():
    assert interval([0.3]) == (0.3, None, None)
    entry = summarised(rows_of([0.5], [0.4]), ("set",), ("auprc",))[1]
    assert entry["low"] is entry["high"] is entry["deviation"] is None


def test_means_over_sets_are_over_all_of_them():
    rows = [
        {"set": name, "draw": draw, "auprc": value}
        for name, draw, value in (("a", 0, 0.2), ("b", 0, 0.4), ("a", 1, 0.9))
    ]
    (mean,) = averaged(rows, ("auprc",), "set", ("draw",))
    assert mean == {"draw": 0, "auprc": pytest.approx(0.3)}


def pair_rows(rng, pairs, draws=3):
    return [
        {"set": name, "draw": draw, "method": method, "chance": 0.05}
        | dict.fromkeys(detection.AVERAGED[1:], rng.random())
        for name in pairs
        for draw in range(draws)
        for method in ("RCAE", "PCA")
    ]


def test_ten_pairs_are_ten(rng):
    rows = pair_rows(rng, detection.PAIRS)
    found = {(row["set"], row["method"]): row for row in detection.summary(rows) if row["measure"] == "auprc"}
    over_draws, over_pairs = (found[f"ten pairs, over {what}", "PCA"] for what in ("draws", "pairs"))
    assert (over_draws["draws"], over_pairs["draws"]) == (3, 10)
    assert over_draws["mean"] == pytest.approx(over_pairs["mean"])
    assert over_draws["difference"] == pytest.approx(over_pairs["difference"])
    fewer = detection.summary(pair_rows(rng, list(detection.PAIRS)[:9]))
    assert not any("ten" in row["set"] for row in fewer)


def test_chance_is_what_a_random_ranking_has(rng):
    y = np.repeat([0, 1], [950, 50])
    rows = [detection.ranking(y, rng.random(1000), "any") for _ in range(200)]
    for measure in ("auprc", "auroc", "p_at_10"):
        mean, low, high = interval(row[measure] for row in rows)
        assert abs(mean - detection.chance(measure, rows)) < 0.02, measure
    assert detection.chance("best_f1", rows) == pytest.approx(best_f1(y, np.zeros(1000)))


def test_dogs_as_what_is_to_be_found():
    y, anomaly = np.repeat([0, 1], [99, 1]), np.arange(100.0)
    assert detection.ranking(y, anomaly, "CIFAR-10 dogs/cats")["auprc_dogs"] == pytest.approx(1)
    assert detection.chance("auprc_dogs", [{"chance": 0.01}]) == 0.99


def grid_rows(by_setting):
    return [
        {"set": "s", "method": "RAE", "draw": d, "grid": grid, "setting": setting, "auprc": v, "chance": 0.1}
        for (grid, setting), column in by_setting.items()
        for d, v in enumerate(column)
    ]


def test_the_oracle_has_the_best_mean():
    rows = grid_rows(
        {
            ("auto", "auto"): (0.6, 0.6),
            ("lam", 0.5): (0.9, 0.5),
            ("lam", 2.0): (0.2, 1.0),
            ("width", 4): (0.8, 0.8),
        }
    )
    found = {row["grid"]: row for row in lambdas.summary(rows) if row["set"] == "s"}
    assert (found["lam"]["oracle"], found["lam"]["oracle_at"]) == (pytest.approx(0.7), "lam 0.5")
    assert (found["both"]["oracle"], found["both"]["oracle_at"]) == (pytest.approx(0.8), "width 4")
    assert found["both"]["ratio"] == pytest.approx(0.75)


# As a user meets it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["detektion"], "did you mean 'detection'?"),
        (["detection", "--method", "PCCA"], "did you mean 'PCA'?"),
        (["detection", "--set", "USPS 1v8"], "did you mean 'USPS "),
        (["detection", "--draws", "0"], "draws"),
    ],
)
def test_typos_are_answered(tmp_path, arguments, words):
    result = run(*arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    result = run("detection", "--quick", "--out", tmp_path / "out")
    assert result.exit_code == 2 and "--out" in result.stderr
    assert (tmp_path / "out").read_text() == "mine"


def test_data_that_are_not_here_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTAE_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    arguments = ["detection", "--out", tmp_path / "out", "--draws", 1, "--method", "kNN"]
    result = run(*arguments, "--set", "USPS 1v7", "--set", "digits 1v7")
    assert result.exit_code == 0
    assert "Left out: USPS 1v7" in result.stdout and "usps_1100.npz" in result.stdout
    assert run(*arguments[:1], "--out", tmp_path / "none", "--set", "USPS 1v7").exit_code == 2


def test_without_matplotlib_there_are_tables_and_a_sentence(tmp_path, monkeypatch):
    for module in ("robustae.lab.runner", "robustae.cli.benchmark"):
        monkeypatch.setattr(f"{module}.find_spec", lambda name: None)
    result = run("detection", "--quick", "--method", "kNN", "--set", "digits 1v7", "--out", tmp_path)
    assert result.exit_code == 0 and "robustae[plot]" in result.stdout
    assert (tmp_path / "detection_summary.csv").exists() and not list(tmp_path.glob("*.png"))


@pytest.mark.skipif(os.name == "nt", reason="needs signals between processes")
def test_interrupted_it_says_so_and_goes_on(tmp_path):
    command = [sys.executable, "-m", "robustae", "benchmark", "inductive", "--quick", "--out", str(tmp_path)]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    until = time.monotonic() + 120
    while not (tmp_path / "inductive.csv").exists() and time.monotonic() < until:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130 and "goes on from there" in said
    before = values(tmp_path / "inductive.csv", without=())
    assert 0 < len(before) < 30
    assert run("inductive", "--quick", "--out", tmp_path, "--draws", 1).exit_code == 0
    assert values(tmp_path / "inductive.csv", without=())[: len(before)] == before


def _level(row, name):
    """What has to be beaten: chance, in denoising the corrupted image as it is, in named cells the others."""
    levels = {"denoising": row["method"] == "nothing", "named-cells": row.get("measure") == "elsewhere"}
    return levels.get(name, row.get("chance") is not None)


@pytest.mark.slow
def test_all_of_it_in_short(tmp_path):
    result = run("all", "--quick", "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    found = {each["name"]: each for each in json.loads(result.stdout)["experiments"]}
    assert set(found) == set(room.EXPERIMENTS)
    for name, each in found.items():
        assert each["failed"] == each["absent"] == {}
        assert any(_level(row, name) for row in each["summary"]), name
        intervals = any(row.get("low") is not None for row in each["summary"])
        # Those have one draw, or one set, in short.
        single = ("denoising", "subtle", "contamination", "named-cells", "video-kinds")
        assert intervals or name in single, name
        assert {f"{name}.csv", f"{name}_summary.csv"} <= set(os.listdir(tmp_path))
        assert (tmp_path / f"{name}_summary.csv").read_text().count("\n") == len(each["summary"]) + 1
