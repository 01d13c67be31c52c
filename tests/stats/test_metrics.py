"""What the metrics promise: the field's numbers, whatever the ties."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from robustae.metrics import auprc, auroc, best_f1, precision_at
from robustae.utils.checks import InputError


@pytest.fixture
def ranking(rng):
    """Labels and scores with many ties."""
    y = (rng.random(60) < 0.3).astype(int)
    return y, rng.integers(0, 12, 60) + 2.0 * y


def test_auprc_is_average_precision(ranking):
    y, score = ranking
    assert auprc(y, score) == average_precision_score(y, score)


def test_auprc_by_hand():
    # Ranks 1 and 3 are anomalies: (1/1 + 2/3) / 2.
    assert auprc([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx(5 / 6)


def test_auroc_is_the_share_of_pairs_ranked_right(ranking):
    y, score = ranking
    difference = score[y == 1][:, None] - score[y == 0][None, :]
    assert auroc(y, score) == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean())


def test_all_tied_is_chance():
    y = np.array([1, 0, 0, 0])
    assert auprc(y, np.zeros(4)) == pytest.approx(0.25)
    assert auroc(y, np.zeros(4)) == pytest.approx(0.5)
    assert precision_at(y, np.zeros(4), k=2) == pytest.approx(0.25)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_precision_at_is_the_mean_over_all_ways_to_break_ties(k):
    y, score = np.array([1, 0, 1, 0, 1, 0]), np.array([3.0, 2, 2, 2, 1, 1])
    orders = [order for order in permutations(range(6)) if all(np.diff(score[list(order)]) <= 0)]
    assert precision_at(y, score, k) == pytest.approx(
        np.mean([y[list(order[:k])].mean() for order in orders])
    )


def test_precision_at_counts_ten_unless_told():
    y = np.r_[np.ones(7), np.zeros(13)]
    assert precision_at(y, -np.arange(20)) == pytest.approx(0.7)


def test_best_f1_is_the_best_over_all_thresholds(ranking):
    y, score = ranking
    f1 = [2 * (y * (score >= t)).sum() / ((score >= t).sum() + y.sum()) for t in np.unique(score)]
    assert best_f1(y, score) == pytest.approx(max(f1))


def test_perfect_ranking_has_one_everywhere():
    y, score = [0, 0, 1, 1], [1, 2, 3, 4]
    assert [auprc(y, score), auroc(y, score), best_f1(y, score), precision_at(y, score, 2)] == [1, 1, 1, 1]


@pytest.mark.parametrize("metric", [auprc, auroc, best_f1, precision_at])
def test_only_the_order_counts(metric, ranking):
    y, score = ranking
    assert metric(y, score) == pytest.approx(metric(y.astype(bool), np.exp(score)))


@pytest.mark.parametrize("metric", [auprc, auroc, best_f1, precision_at])
@pytest.mark.parametrize(
    ("y", "score", "says"),
    [
        ([0, 0, 0], [1, 2, 3], "both normal rows"),
        ([1, 1, 1], [1, 2, 3], "both normal rows"),
        ([0, 1], [1, 2, 3], "2 labels"),
        ([0, 1, 0], [1, np.nan, 3], "not finite in 1 of 3"),
        ([0, 1, np.nan], [1, 2, 3], "0 .normal. or 1"),
        ([1, -1, 1], [1, 2, 3], "holds -1, 1"),
        (["a", "b", "a"], [1, 2, 3], "y must hold numbers"),
        ([0, 1], [[1, 2]], "anomaly_score has shape"),
        ([], [], "shape"),
    ],
)
def test_what_cannot_be_measured_is_said(metric, y, score, says):
    with pytest.raises(InputError, match=says):
        metric(y, score)


@pytest.mark.parametrize("k", [0, 4, 1.5, True, -1, "3"])
def test_k_must_be_a_number_of_rows(k):
    with pytest.raises(InputError, match="between 1 and the number of rows, 3"):
        precision_at([0, 1, 0], [1, 2, 3], k)
