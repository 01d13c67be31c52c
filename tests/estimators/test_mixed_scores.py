"""Scores of rows of mixed tables with missing cells, and expectations in the digits of their columns."""

import re
import warnings

import numpy as np
import pytest

from robustae import RobustAutoencoder
from robustae.data import MixedTable
from robustae.estimators.facts import facts_of
from robustae.report.page import html_of

NAMES = ("a", "b", "c", "d")


def fitted(X, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RobustAutoencoder(random_state=0, **settings).fit(X)


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(1)
    columns: dict = {name: rng.normal(size=300) for name in NAMES}
    return columns | {"kind": rng.choice(["x", "y", "z"], 300, p=[0.6, 0.3, 0.1]).astype(object)}


@pytest.mark.parametrize("lost", [("a",), ("a", "b"), ("b", "c", "kind"), ("a", "b", "c", "d")])
def test_missing_cells_neither_accuse_nor_excuse(columns, lost):
    """The energy lies between what the other cells add up to and that blown up to all columns."""
    model = fitted(MixedTable(columns), predictor="constant")
    less = {name: values.copy() for name, values in columns.items()}
    for name in lost:
        less[name][0] = None if name == "kind" else np.nan
    X = MixedTable(less)
    kept = np.log1p(model.cell_scores(X)[0] ** 2).sum()
    energy = -model.score_samples(X)[0]
    assert kept < energy < kept * 5 / (5 - len(lost))


def test_complete_rows_are_the_sum_of_their_cells(columns):
    X = MixedTable(columns)
    model = fitted(X, predictor="constant")
    np.testing.assert_allclose(-model.score_samples(X), np.log1p(model.cell_scores(X) ** 2).sum(1))


@pytest.fixture(scope="module")
def written():
    rng = np.random.default_rng(2)
    texts = {"whole": rng.normal(50, 9, 200).round(), "tenths": rng.normal(5, 1, 200).round(1)}
    texts["whole"][3], texts["tenths"][3] = 900, 90
    columns: dict = {
        name: np.array([f"{cell:g}" for cell in cells], dtype=object) for name, cells in texts.items()
    }
    return MixedTable(
        columns
        | {
            "count": texts["whole"].astype(np.int64),
            "measured": rng.normal(size=200) + 1e3 * (np.arange(200) == 3),
        }
        | {"kind": rng.choice(["x", "y"], 200).astype(object)}
    )


def test_expectations_have_a_digit_more_than_their_column(written):
    told = fitted(written, predictor="constant").explain(written)
    expected = {
        column: value
        for row, column, value in zip(told["row"], told["column"], told["expected"], strict=True)
        if row == 3
    }
    for name, digits in (("whole", 1), ("count", 1), ("tenths", 2)):
        assert expected[name] == round(expected[name], digits)
    assert expected["measured"] != round(expected["measured"], 4)


@pytest.mark.parametrize(
    ("predictor", "said"), [("constant", "column as a whole"), ("linear", "rest of the row")]
)
def test_the_report_says_what_expectations_come_from(written, predictor, said):
    facts = facts_of(fitted(written, predictor=predictor), written)
    page = html_of([facts])
    assert page.count(f"what the {said} leads to expect") == 2
    cause = next(cause for cause in facts["causes"][0] if cause["column"] == "whole")
    assert cause["expected"] == round(cause["expected"], 1)


def test_expectations_are_told_without_needless_zeros(written):
    page = html_of([facts_of(fitted(written, predictor="constant"), written)])
    told = re.findall(r"expected (\d+\.\d+) <small>", page)
    assert told and not any(number.endswith("0") for number in told)
