"""DetectDeviatingCells: what the paper's steps give, and what a user may rely on."""

import numpy as np
import pytest
from naive_ddc import naive_ddc
from sklearn.utils.estimator_checks import parametrize_with_checks

from robustae.baselines import DDC
from robustae.baselines.ddc import m_location, m_scale
from robustae.datasets.synthetic import with_missing, with_wrong_cells
from robustae.utils.checks import InputError

CUT = 2.5758293035489  # root of the 99 % quantile of chi-squared with one degree of freedom


def correlated(n=300, d=8, random_state=0):
    distance = np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    return np.random.default_rng(random_state).normal(size=(n, d)) @ np.linalg.cholesky((-0.9) ** distance).T


@pytest.fixture(scope="module")
def damaged():
    """Correlated columns beside one by itself, with wrong and missing cells."""
    alone = np.random.default_rng(1).normal(3, 2, size=(300, 1))
    X, wrong = with_wrong_cells(np.hstack([correlated(), alone]), 0.08, 6, random_state=2)
    return with_missing(X, 0.05, random_state=3)[0], wrong


@parametrize_with_checks([DDC()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("settings", [{}, {"tol_prob": 0.95, "corr_limit": 0.7}])
def test_it_is_the_paper_by_loops(damaged, settings):
    X, _ = damaged
    residual, expected = naive_ddc(X, *settings.values())
    model = DDC(**settings).fit(X)
    observed = ~np.isnan(X)
    np.testing.assert_allclose(model.cell_scores(X)[observed], residual[observed], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.reconstruct(X), expected, rtol=1e-6, atol=1e-8)


def test_location_and_scale_are_those_of_a_gaussian_and_bear_outliers(rng):
    x = rng.normal(5, 2, size=(100_000, 1))
    x[:5000] = 1e9
    assert m_location(x)[0] == pytest.approx(5, abs=0.05)
    assert m_scale(x[5000:] - 5)[0] == pytest.approx(2, rel=0.01)
    assert m_scale(x - 5)[0] < 2.5


def test_flags_of_clean_gaussians_are_about_the_tolerance():
    X = correlated(5000)
    assert 0.005 < DDC().fit(X).flags(X).mean() < 0.02


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_wrong_cells_are_found_that_columns_by_themselves_do_not_show(share):
    X, wrong = with_wrong_cells(correlated(), share, 3, random_state=0)
    flags = DDC().fit(X).flags(X)
    alone = np.abs(X - np.median(X, 0)) > CUT * m_scale(X - np.median(X, 0))
    f1 = [2 * (called & wrong).sum() / (called.sum() + wrong.sum()) for called in (flags, alone)]
    assert f1[0] > f1[1] + 0.15


def test_wrong_cells_get_the_value_they_had():
    clean = correlated()
    X, wrong = with_wrong_cells(clean, 0.05, 10, random_state=0)
    off = np.abs(DDC().fit(X).reconstruct(X) - clean)[wrong]
    assert np.median(off) < 0.5  # of columns with deviation 1: what the neighbours know


def test_units_do_not_matter(damaged):
    X, _ = damaged
    scale, shift = 2.0 ** np.arange(X.shape[1]), np.arange(X.shape[1])
    assert (DDC().fit(X * scale + shift).flags(X * scale + shift) == DDC().fit(X).flags(X)).all()


def test_missing_cells_are_expected_but_never_flagged(damaged):
    X, _ = damaged
    model = DDC().fit(X)
    gone = np.isnan(X)
    assert not model.flags(X)[gone].any() and (model.cell_scores(X)[gone] == 0).all()
    assert np.isfinite(model.reconstruct(X)).all()


def test_unseen_rows_are_judged_by_the_rows_of_the_fit(damaged):
    X, _ = damaged
    model = DDC().fit(X)
    np.testing.assert_allclose(model.cell_scores(X[:3]), model.cell_scores(X)[:3], atol=1e-12)
    row = np.array([[1.0, -1, 1, -1, 1, -1, 1, -1, 3]])
    wrong = row.copy()
    wrong[0, 4] = -1
    assert not model.flags(row).any()
    assert model.flags(wrong)[0].tolist() == [False] * 4 + [True] + [False] * 4


@pytest.mark.parametrize(
    "column",
    [np.zeros(300), np.arange(300) % 3, np.append(np.zeros(299), 1.0)],
    ids=["constant", "3", "rare"],
)
def test_columns_without_a_scale_are_set_aside(column):
    X = np.hstack([correlated(), column[:, None]])
    model = DDC().fit(X)
    assert not model.flags(X)[:, -1].any()
    assert np.isfinite(model.reconstruct(X)).all()
    np.testing.assert_allclose(model.cell_scores(X)[:, :-1], DDC().fit(X[:, :-1]).cell_scores(X[:, :-1]))


@pytest.mark.parametrize(
    "X", [np.zeros((5, 3)), np.full((6, 2), np.nan), np.arange(4.0)[:, None], np.eye(2)], ids=repr
)
def test_odd_tables_have_no_flags_and_no_warnings(X, recwarn):
    try:
        model = DDC().fit(X)
    except InputError as error:
        assert str(error)
    else:
        assert not model.flags(X).any()
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


@pytest.mark.parametrize(
    "settings", [{"tol_prob": 1.0}, {"tol_prob": "high"}, {"corr_limit": 0}, {"corr_limit": 2}]
)
def test_parameters_that_cannot_be_used_are_said(settings):
    with pytest.raises(InputError, match=f"{next(iter(settings))}=.*must be"):
        DDC(**settings).fit(correlated())


def test_the_table_stays_as_it_was(damaged):
    X, _ = damaged
    before = X.copy()
    DDC().fit(X).flags(X)
    np.testing.assert_array_equal(X, before)


def test_rows_of_wrong_cells_score_lowest_and_missing_cells_do_not_count(damaged):
    X = correlated(200, 6, random_state=3)
    X[7] += 8 * (-1.0) ** np.arange(6)
    model = DDC().fit(X)
    assert np.argmin(model.score_samples(X)) == 7
    deviations = model.cell_scores(X[:5])
    from scipy.stats import chi2

    np.testing.assert_allclose(model.score_samples(X[:5]), -chi2.cdf(deviations**2, 1).mean(1))
    holed = X.copy()
    holed[3, :4] = np.nan
    assert np.isfinite(model.score_samples(holed)).all() and model.score_samples(holed).max() <= 0
