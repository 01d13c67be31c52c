"""Which rows are anomalies: what a label says, in the words of the file."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from robustae.cli import app
from robustae.data import read_table, two_valued
from robustae.utils.checks import InputError

KINDS = ["-", "-", "K", "-", "G", "-", "-"]


@pytest.mark.parametrize("kinds", [KINDS, [f"{kind}[84080{k}]" for k, kind in enumerate(KINDS)]])
def test_one_value_is_normal_and_all_others_are_anomalies(kinds):
    assert two_valued(kinds, "y", normal="-").tolist() == [0, 0, 1, 0, 1, 0, 0]
    assert two_valued(kinds, "y", positive="K").tolist() == [0, 0, 1, 0, 0, 0, 0]


def test_brackets_in_some_labels_are_part_of_them():
    assert two_valued(["a[1]", "a[2]", "b"], "y", normal="b").tolist() == [1, 1, 0]
    with pytest.raises(InputError, match="never 'a'"):
        two_valued(["a[1]", "a[2]", "b"], "y", normal="a")


def test_numbers_are_values_too():
    assert two_valued(np.array([0.0, 2.0, 3.0]), "y", normal="0").tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"normal": "negativ"}, ["never 'negativ'", "did you mean 'negative'?"]),
        ({"positive": "sic"}, ["never 'sic'", "did you mean 'sick'?"]),
        ({"normal": "negative", "positive": "sick"}, ["not both"]),
    ],
)
def test_values_that_are_not_there(said, words):
    with pytest.raises(InputError) as refusal:
        two_valued(["negative", "negative", "sick", "dead"], "y", **said)
    assert all(word in str(refusal.value) for word in words)


def test_a_label_of_many_kinds_asks_for_the_normal_one():
    with pytest.raises(InputError, match="'negative'.*--normal 'negative'"):
        two_valued(["negative", "negative", "sick", "dead"], "y")
    with pytest.raises(InputError, match="'ok' and 6 more|and 20 more.*--normal 'ok'"):
        two_valued(["ok", "ok", *map(str, range(5, 28))], "y")
    with pytest.raises(InputError, match="both kinds"):
        two_valued(["ok", "ok"], "y", normal="ok")


def test_evaluate_takes_what_is_normal(tmp_path, rng):
    X = rng.normal(size=(200, 3))
    X[:4] += 30
    names = np.where(np.arange(200) < 2, "burnt", np.where(np.arange(200) < 4, "bent", "good"))
    rows = "\n".join(f"{a},{b},{c},{name}" for (a, b, c), name in zip(X, names, strict=True))
    file = tmp_path / "parts.csv"
    file.write_text(f"a,b,c,state\n{rows}\n")
    labels = read_table(file, "state", normal="good").labels
    assert labels is not None and labels.sum() == 4
    asked = ["evaluate", str(file), "--label", "state", "--json"]
    told = CliRunner().invoke(app, [*asked, "--normal", "good"])
    assert json.loads(told.stdout)["methods"][0]["auroc"] == 1.0
    refused = CliRunner().invoke(app, [*asked, "--normal", "god"])
    assert refused.exit_code == 2 and "did you mean 'good'?" in refused.stderr


def test_evaluate_takes_the_thyroid_file_as_it_is(data_home):
    file = data_home / "tabular" / "thyroid0387.csv"
    told = CliRunner().invoke(app, ["evaluate", str(file), "--label", "Target", "--normal", "-", "--json"])
    facts = json.loads(told.stdout)
    assert 0.2 < facts["anomalies"] < 0.3
    assert facts["methods"][0]["auroc"] > 0.75
