"""The scikit-learn contract, what comes back, refusals, and wild inputs (known answers 8)."""

import copy
import math
import warnings

import naive
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from robustae import RobustAutoencoder
from robustae.utils.checks import InputError

QUICK = {"predictor": "linear", "hidden": 2, "random_state": 0}
PREDICTORS = ["constant", "linear", "sigmoid", "deep"]


@parametrize_with_checks([RobustAutoencoder(predictor=predictor) for predictor in PREDICTORS[:3]])
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([RobustAutoencoder(predictor="deep")])
def test_scikit_learn_with_a_deep_network(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def X():
    return naive.planted(n=100, d=6, rank=2, share=0.05)[0]


@pytest.fixture(scope="module")
def model(X):
    return RobustAutoencoder(**QUICK).fit(X)


def sentence(caught):
    text = str(caught.value)
    assert "\n" not in text and text.rstrip().endswith((".", "?")), text
    return text


# ---------------------------------------------------------------- parameters


def test_the_parameters_are_those_of_the_design():
    names = {"predictor", "hidden", "image_shape", "penalty", "lam", "mu", "scaling", "solver", "max_iter"}
    names |= {"tol", "batch_size", "energy", "n_estimators", "contamination", "dtype", "device"}
    assert set(RobustAutoencoder().get_params()) == names | {"random_state", "verbose"}


def test_a_misspelt_parameter_is_answered_with_a_suggestion():
    with pytest.raises(InputError, match="did you mean 'lam'") as caught:
        RobustAutoencoder().set_params(lamda=1.0)
    assert "lamda" in sentence(caught)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"predictor": "sigmoit"}, "did you mean 'sigmoid'"),
        ({"predictor": 7}, "predictor"),
        ({"lam": 0}, "lam"),
        ({"lam": -1.0}, "lam"),
        ({"lam": float("nan")}, "lam"),
        ({"lam": "automatic"}, "lam"),
        ({"energy": "envelop"}, "did you mean 'envelope'"),
        ({"scaling": "robus"}, "did you mean 'robust'"),
        ({"scaling": 3}, "scaling"),
        ({"hidden": 0}, "hidden"),
        ({"hidden": -2}, "hidden"),
        ({"hidden": (4, 0)}, "hidden"),
        ({"hidden": "many"}, "hidden"),
        ({"n_estimators": 0}, "n_estimators"),
        ({"dtype": "float16"}, "dtype"),
        ({"device": "gpuu"}, "device"),
        ({"image_shape": (2, 2)}, "image_shape"),
        ({"image_shape": 6}, "image_shape"),
        ({"predictor": "conv"}, "image_shape"),
        ({"contamination": 0.7}, "contamination"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence_that_names_it(settings, words, X):
    with pytest.raises(InputError, match=words) as caught:
        RobustAutoencoder(**{**QUICK, **settings}).fit(X)
    sentence(caught)


def test_lam_0_is_refused_with_the_reason(X):
    with pytest.raises(InputError) as caught:
        RobustAutoencoder(lam=0).fit(X)
    assert len(sentence(caught).split()) > 8


def test_infinity_is_refused_and_located(X):
    wild = X.copy()
    wild[3, 2] = np.inf
    with pytest.raises(ValueError, match="(?i)inf") as caught:
        RobustAutoencoder(**QUICK).fit(wild)
    assert "\n" not in str(caught.value)


def test_a_row_without_any_observed_cell_is_named(X, model):
    wild = X.copy()
    wild[17] = np.nan
    for use in (RobustAutoencoder(**QUICK).fit, model.score_samples):
        with pytest.raises(InputError, match="17") as caught:
            use(wild)
        sentence(caught)


@pytest.mark.parametrize("rows", ["text", [["a", "b"], ["c", "d"]], None, 3.0])
def test_what_is_no_table_is_refused(rows):
    with pytest.raises((ValueError, TypeError)) as caught:
        RobustAutoencoder(**QUICK).fit(rows)
    assert str(caught.value)


def test_sparse_is_dense_and_refused_beyond_a_size(X):
    sparse = pytest.importorskip("scipy.sparse")
    scores = RobustAutoencoder(**QUICK).fit(sparse.csr_matrix(X)).score_samples(sparse.csc_array(X))
    np.testing.assert_array_equal(scores, RobustAutoencoder(**QUICK).fit(X).score_samples(X))
    with pytest.raises(InputError, match="can be made dense"):
        RobustAutoencoder(**QUICK).fit(sparse.csr_matrix((2**14, 2**14)))


def test_another_number_of_columns_is_refused(model, X):
    with pytest.raises(ValueError, match="5 features"):
        model.score_samples(X[:, :5])


# ---------------------------------------------------------------- what comes back


def test_methods_keep_the_shape_and_add_up(model, X):
    Xhat, N = model.split(X)
    for part in (Xhat, N, model.repaired(X), model.cell_scores(X), model.flags(X)):
        assert part.shape == X.shape
    assert model.flags(X).dtype == bool
    np.testing.assert_array_equal(Xhat, model.reconstruct(X))
    np.testing.assert_array_equal(N, model.outliers(X))
    assert np.mean(np.abs(X - Xhat - N)) < np.mean(np.abs(X - np.median(X, axis=0)))
    assert model.encode(X).shape == (len(X), 2)
    assert np.all(np.isin(model.predict(X), [-1, 1]))
    np.testing.assert_array_equal(model.fit_predict(X), clone(model).fit(X).predict(X))


def test_scores_are_higher_where_more_normal(model, X):
    far = X[:5] + 100
    assert model.score_samples(far).max() < np.median(model.score_samples(X))
    assert np.all(model.predict(far) == -1)


def test_fitted_attributes_are_there(model, X):
    assert model.lam_ > 0 and model.mu_ == 1e-4 and model.n_features_in_ == X.shape[1]
    assert model.hidden_ == 2 or tuple(model.hidden_) == (2,)
    assert not hasattr(model, "feature_names_in_")
    assert isinstance(model.offset_, float)
    assert len(model.history_) >= 1 and model.n_iter_ >= 1


def test_encode_exists_only_where_there_is_a_code(X):
    assert not hasattr(RobustAutoencoder(predictor="constant").fit(X), "encode")
    assert hasattr(RobustAutoencoder(**QUICK).fit(X), "encode")


def test_repaired_is_untouched_to_the_last_bit_outside_the_flags(model, X):
    holed = X * (1 + 1e-16) + 1e-13
    holed[4, 1] = np.nan
    holed[5, 2] = 1e6
    repaired, changed = model.repaired(holed), model.flags(holed) | np.isnan(holed)
    assert changed[5, 2] and changed[4, 1] and not changed.all()
    assert repaired[~changed].tobytes() == holed[~changed].tobytes()
    np.testing.assert_array_equal(repaired[changed], model.reconstruct(holed)[changed])


def test_flags_do_not_depend_on_lam(X):
    """Flags are not N: |r| > 3 deviations, whatever lam let through."""
    model = RobustAutoencoder(lam=0.2, **QUICK).fit(X)
    assert np.mean(model.outliers(X) != 0) > 0.5
    assert np.mean(model.flags(X)) < 0.15
    np.testing.assert_array_equal(model.flags(X), np.abs(model.cell_scores(X)) > 3)


def test_inputs_are_never_modified(X):
    holed = X.copy()
    holed[0, 0] = np.nan
    before = holed.tobytes()
    weights = np.ones(len(X))
    model = RobustAutoencoder(**QUICK).fit(holed, sample_weight=weights)
    model.partial_fit(holed)
    for method in ("score_samples", "predict", "split", "repaired", "explain", "flags", "lam_path"):
        getattr(model, method)(holed)
    assert holed.tobytes() == before and np.all(weights == 1)


def test_fit_leaves_the_parameters_as_given(X):
    penalty = {"penalty": "l1", "hidden": (4, 2), "predictor": "deep", "max_iter": 2}
    model = RobustAutoencoder(**penalty)
    before = copy.deepcopy(model.get_params())
    assert model.fit(X) is model
    assert model.get_params() == before


# ---------------------------------------------------------------- explain, tables


def columns_of(table):
    return list(table.keys() if isinstance(table, dict) else table.columns)


def test_explain_is_a_tidy_table_largest_first(model, X):
    table = model.explain(X)
    assert isinstance(table, dict) and len({len(column) for column in table.values()}) == 1
    assert {"row", "column", "observed", "expected", "deviations"} <= set(table)
    rows, columns = np.asarray(table["row"]), np.asarray(table["column"])
    assert len(rows)
    Xhat, deviations = model.reconstruct(X), model.cell_scores(X)
    np.testing.assert_allclose(table["observed"], X[rows, columns])
    np.testing.assert_allclose(table["expected"], Xhat[rows, columns])
    np.testing.assert_allclose(table["deviations"], deviations[rows, columns])
    assert np.all(np.diff(np.abs(table["deviations"])) <= 1e-9)
    assert set(rows * X.shape[1] + columns) >= set(np.flatnonzero(model.flags(X))), "every flag is told"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_come_back_as_frames_of_the_same_kind(library, X):
    frames = pytest.importorskip(library)
    names = [f"c{j}" for j in range(X.shape[1])]
    frame = frames.DataFrame({name: X[:, j] for j, name in enumerate(names)})
    model = RobustAutoencoder(**QUICK).fit(frame)
    assert list(model.feature_names_in_) == names
    by_array = RobustAutoencoder(**QUICK).fit(X)
    np.testing.assert_allclose(model.score_samples(frame), by_array.score_samples(X), rtol=1e-9)
    table = model.explain(frame)
    assert type(table) is type(frame) and set(np.asarray(table["column"])) <= set(names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repaired = model.repaired(frame)
    changed = model.flags(X)
    np.testing.assert_array_equal(np.asarray(repaired)[~changed], X[~changed])


def test_missing_values_of_both_frame_libraries_are_missing_cells(X):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    holed = X.copy()
    holed[2, 3] = np.nan
    expected = RobustAutoencoder(**QUICK).fit(holed).score_samples(holed)
    nullable = pd.DataFrame(holed).astype("Float64")
    nullable.columns = [str(c) for c in nullable.columns]
    nulls = pl.DataFrame(
        {str(j): [None if math.isnan(v) else v for v in holed[:, j]] for j in range(X.shape[1])}
    )
    for frame in (nullable, nulls):
        np.testing.assert_allclose(
            RobustAutoencoder(**QUICK).fit(frame).score_samples(frame), expected, rtol=1e-9
        )


# ---------------------------------------------------------------- missing cells


def test_missing_cells_are_left_out_of_the_sums_and_filled(X):
    holed = X.copy()
    missing = np.random.default_rng(0).random(X.shape) < 0.15
    missing[:, 0] = False
    holed[missing] = np.nan
    model = RobustAutoencoder(**QUICK).fit(holed)
    Xhat, N = model.split(holed)
    assert np.all(np.isfinite(Xhat)) and np.all(np.isfinite(model.repaired(holed)))
    assert np.all(np.isfinite(model.score_samples(holed))) and np.all(np.isfinite(model.encode(holed)))
    assert not N[missing].any() and not model.flags(holed)[missing].any()
    centre = np.median(np.abs(X[missing] - np.broadcast_to(np.nanmedian(holed, axis=0), X.shape)[missing]))
    assert np.median(np.abs(Xhat - X)[missing]) < centre


def test_the_encoder_sees_the_location_of_the_column_in_place_of_a_missing_cell(X):
    settings = {**QUICK, "scaling": "robust", "dtype": "float64"}
    model = RobustAutoencoder(**settings).fit(X)
    holed, filled = X.copy(), X.copy()
    holed[:, 2], filled[:, 2] = np.nan, np.median(X[:, 2])
    np.testing.assert_allclose(model.reconstruct(holed), model.reconstruct(filled), rtol=1e-9)


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("image_shape", [(5, 7), (4, 4, 3), (1, 9), (7, 3, 1)])
@pytest.mark.parametrize("predictor", ["conv", "linear"])
def test_images_of_any_size_keep_their_shape(predictor, image_shape):
    rng = np.random.default_rng(0)
    images = rng.random((30, *image_shape)) + rng.standard_normal((30,) + (1,) * len(image_shape))
    settings = {"predictor": predictor, "image_shape": image_shape, "hidden": 2, "max_iter": 3}
    model = RobustAutoencoder(**settings, random_state=0).fit(images)
    for part in (
        *model.split(images),
        model.repaired(images),
        model.flags(images),
        model.cell_scores(images),
    ):
        assert part.shape == images.shape
    flat = images.reshape(30, -1)
    np.testing.assert_array_equal(model.score_samples(flat), model.score_samples(images))
    assert model.reconstruct(flat).shape == flat.shape


# ---------------------------------------------------------------- partial_fit


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_partial_fit_learns_batch_by_batch(predictor):
    X, y = naive.planted_rows(n=400, anomalies=20)
    model = RobustAutoencoder(predictor=predictor, hidden=2, random_state=0)
    for _ in range(10):
        for batch in np.array_split(np.arange(len(X)), 4):
            assert model.partial_fit(X[batch]) is model
    scores = model.score_samples(X)
    assert np.all(np.isfinite(scores)) and model.predict(X).shape == (len(X),)
    whole = RobustAutoencoder(predictor=predictor, hidden=2, random_state=0).fit(X).score_samples(X)
    assert naive.average_precision(y, -scores) > 0.9 * naive.average_precision(y, -whole)


def test_partial_fit_goes_on_from_a_fit_and_checks_the_columns(X):
    model = RobustAutoencoder(**QUICK).fit(X)
    before = model.score_samples(X)
    model.partial_fit(X[:20])
    assert np.corrcoef(before, model.score_samples(X))[0, 1] > 0.9
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :3])


# ---------------------------------------------------------------- wild inputs: sensible, or one sentence


def wild_inputs():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2)) @ rng.standard_normal((2, 5)) + 0.1 * rng.standard_normal((40, 5))

    def changed(where, value):
        out = X.copy()
        out[where] = value
        return out

    return {
        "one wild row": changed(7, 1e12),
        "one wild cell": changed((7, 2), 1e12),
        "one negative wild cell": changed((7, 2), -1e12),
        "a cell near the largest number": changed((7, 2), 1e300),
        "a constant column": changed((slice(None), 1), 3.0),
        "a large constant column": changed((slice(None), 1), 1e15),
        "a column of two values": changed((slice(None), 1), (np.arange(40) % 2).astype(float)),
        "a column of one 1 among zeros": changed((slice(None), 1), (np.arange(40) == 5).astype(float)),
        "an all-NaN column": changed((slice(None), 1), np.nan),
        "a column with one observed cell": changed((slice(1, None), 1), np.nan),
        "half the cells missing": np.where(rng.random(X.shape) < 0.4, np.nan, X) + 0 * changed((0, 0), 0.0),
        "n < d": X[:3],
        "n = 2": X[:2],
        "n = 1": X[:1],
        "d = 1": X[:, :1],
        "all rows equal": np.tile(X[:1], (40, 1)),
        "all zeros": np.zeros((40, 5)),
        "tiny values": X * 1e-200,
        "huge values": X * 1e200,
        "inf": changed((3, 3), np.inf),
        "no rows": X[:0],
        "no columns": X[:, :0],
    }


@pytest.mark.parametrize("predictor", ["auto", "constant", "linear", "sigmoid", "deep"])
@pytest.mark.parametrize("kind", wild_inputs())
def test_wild_inputs_give_finite_scores_or_one_sentence(kind, predictor):
    X = wild_inputs()[kind]
    observed = ~np.isnan(X).all(axis=1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            model = RobustAutoencoder(predictor=predictor, random_state=0).fit(X[observed])
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) > 20
        assert kind in {
            "inf",
            "no rows",
            "no columns",
            "n = 1",
            "an all-NaN column",
            "huge values",
            "tiny values",
            "a cell near the largest number",
        }, error
        return
    X = X[observed]
    scores = model.score_samples(X)
    assert np.all(np.isfinite(scores)) and np.all(np.isfinite(model.predict_proba(X)))
    assert np.all(np.isfinite(model.reconstruct(X))) and np.all(np.isfinite(model.repaired(X)))
    if "wild" in kind or "largest" in kind:
        assert np.argmin(scores) == 7 and model.predict(X)[7] == -1
        assert model.flags(X)[7].any()


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid", "deep"])
@pytest.mark.parametrize("size", [1e3, 1e6, 1e12, 1e30])
def test_a_wild_cell_does_not_buy_itself_a_component(predictor, size):
    """Leverage: the encoder clips what it sees, so the fit to the other rows stays what it was."""
    X = naive.planted(n=150, d=12, rank=2, share=0.03)[0]
    wild, others = X.copy(), np.arange(len(X)) != 9
    wild[9, 3] = size
    settings = {"predictor": predictor, "hidden": 2, "random_state": 0}
    model, clean = RobustAutoencoder(**settings).fit(wild), RobustAutoencoder(**settings).fit(X)
    # Of the rows that are odd in every cell one may be ahead.
    assert model.flags(wild)[9, 3] and 9 in np.argsort(model.score_samples(wild))[:2]
    error, error_of_clean, error_of_pca = (
        np.median((Xhat - X)[others] ** 2)
        for Xhat in (model.reconstruct(X), clean.reconstruct(X), naive.pca_reconstruction(wild, 2))
    )
    assert error < 1.4 * error_of_clean
    assert predictor in ("constant", "deep") or error < 0.8 * error_of_pca
    assert abs(model.repaired(wild)[9, 3]) < 20 * np.std(X)
