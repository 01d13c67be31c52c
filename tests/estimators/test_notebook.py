"""A notebook session: data frames in and out, pipelines, searches, pictures, and the names others use."""

import warnings

import numpy as np
import pytest

from robustae import RobustAutoencoder
from robustae.utils.checks import InputError

pd = pytest.importorskip("pandas")
QUICK = {"predictor": "linear", "hidden": 2, "random_state": 0}


def numbers(n=120):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(n, 5))
    X[4, 2] += 6.0
    X[9, 0] -= 7.0
    return X


@pytest.fixture(scope="module")
def frame():
    index = pd.MultiIndex.from_product([["x", "y", "z"], range(40)], names=["site", "day"])
    return pd.DataFrame(numbers(), index=index, columns=list("abcde"))


@pytest.fixture(scope="module")
def model(frame):
    return RobustAutoencoder(**QUICK).fit(frame)


# --- frames in, frames out ----------------------------------------------------------------------


def test_every_result_by_cell_is_a_frame_with_the_index_and_the_columns(frame, model):
    Xhat, N = model.split(frame)
    results = [Xhat, N, model.reconstruct(frame), model.outliers(frame), model.repaired(frame)]
    results += [model.cell_scores(frame), model.flags(frame), model.transform(frame)]
    for result in results:
        assert isinstance(result, pd.DataFrame)
        assert result.index.equals(frame.index) and result.index.names == ["site", "day"]
        assert list(result.columns) == list("abcde")
    assert model.flags(frame).dtypes.eq(bool).all()
    flags = model.flags(frame).to_numpy()
    assert flags[4, 2] and flags[9, 0]
    np.testing.assert_array_equal(model.repaired(frame).to_numpy()[~flags], frame.to_numpy()[~flags])
    np.testing.assert_array_equal(Xhat.to_numpy(), model.reconstruct(frame.to_numpy()))


def test_explain_names_rows_by_the_index_and_stops_at_the_top(frame, model):
    found = model.explain(frame)
    assert found["row"].iloc[0] in {("x", 4), ("x", 9)}
    top = model.explain(frame, top=1)
    assert top["row"].is_unique and len(top) < len(model.explain(frame, cut=0.5))
    first = found.drop_duplicates("row")
    assert top["column"].tolist() == first["column"].tolist()
    with pytest.raises(InputError, match="top=0"):
        model.explain(frame, top=0)


@pytest.mark.parametrize("kind", ["Int64", "int64[pyarrow]", "float64[pyarrow]", "Float32", "boolean"])
def test_nullable_and_arrow_columns(kind):
    if "pyarrow" in kind:
        pytest.importorskip("pyarrow")
    X = pd.DataFrame(np.round(40 * numbers()), columns=list("abcde"))
    whole = X.assign(c=X["c"] > 0) if kind == "boolean" else X
    typed = whole.astype({"c": kind})
    typed.loc[7, "c"] = pd.NA
    holes = whole.astype(float).to_numpy(copy=True)
    holes[7, 2] = np.nan
    model = RobustAutoencoder(**QUICK).fit(typed)
    np.testing.assert_array_equal(
        model.score_samples(typed), RobustAutoencoder(**QUICK).fit(holes).score_samples(holes)
    )
    repaired = model.repaired(typed)
    assert repaired["c"].notna().all() and (repaired.dtypes == typed.dtypes).all()


def test_zoned_dates_times_and_decimals():
    from decimal import Decimal

    X = pd.DataFrame(numbers(), columns=list("abcde"))
    rng = np.random.default_rng(0)
    moments = pd.Timestamp("2024-01-05", tz="UTC") + pd.to_timedelta(rng.integers(0, 9000, len(X)), unit="h")
    zoned = X.assign(when=moments.tz_convert("Europe/Berlin"), money=[Decimal(f"{x:.2f}") for x in X["a"]])
    zoned["took"] = pd.to_timedelta(rng.integers(1, 500, len(X)), unit="min")
    model = RobustAutoencoder(**QUICK).fit(zoned)
    naive = zoned.assign(when=moments.tz_localize(None), money=zoned["money"].astype(float))
    naive["took"] = zoned["took"] / pd.Timedelta(hours=1)
    np.testing.assert_allclose(
        model.score_samples(zoned), RobustAutoencoder(**QUICK).fit(naive).score_samples(naive), rtol=1e-9
    )
    assert [column.kind for column in model.columns_] == ["number"] * 5 + ["date", "number", "number"]
    repaired = model.repaired(zoned.assign(when=zoned["when"].where(zoned.index != 3)))
    assert repaired["when"].dtype == zoned["when"].dtype and repaired["when"].notna().all()


def test_sparse_frames_and_matrices():
    sparse = pytest.importorskip("scipy.sparse")
    X = np.where(np.abs(numbers()) > 1, numbers(), 0.0)
    framed = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X), columns=list("abcde"))
    model = RobustAutoencoder(**QUICK).fit(framed)
    np.testing.assert_array_equal(model.score_samples(framed), model.score_samples(framed.sparse.to_dense()))
    assert model.repaired(framed).shape == X.shape
    scores = RobustAutoencoder(**QUICK).fit(sparse.csr_array(X)).score_samples(sparse.csr_array(X))
    np.testing.assert_array_equal(scores, model.score_samples(framed))


def test_polars_eager_and_lazy():
    pl = pytest.importorskip("polars")
    X = pl.DataFrame(numbers(), schema=list("abcde"))
    model = RobustAutoencoder(**QUICK).fit(X.lazy())
    assert isinstance(model.reconstruct(X), pl.DataFrame) and model.flags(X).columns == list("abcde")
    np.testing.assert_array_equal(model.score_samples(X.lazy()), model.score_samples(X))
    money = X.with_columns(pl.col("a").cast(pl.Decimal(10, 2)), pl.Series("kind", ["u", "v", "w"] * 40))
    mixed = RobustAutoencoder(**QUICK).fit(money)
    assert np.isfinite(mixed.score_samples(money)).all()
    assert mixed.repaired(money).schema == money.schema


@pytest.mark.parametrize(("mark", "named"), [(-999, True), (9999, True), (-12, False), (99, False)])
@pytest.mark.parametrize("kind", ["pandas", "polars", "mixed"])
def test_numbers_that_may_mean_missing_are_named_in_frames(kind, mark, named):
    values = numbers()
    values[[3, 50, 77], 2] = mark
    X = pd.DataFrame(values, columns=list("abcde"))
    if kind == "polars":
        X = pytest.importorskip("polars").DataFrame(values, schema=list("abcde"))
    if kind == "mixed":
        X = X.assign(kind=["u", "v", "w"] * 40)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = RobustAutoencoder(**QUICK).fit(X)
    texts = [str(one.message) for one in said if "means missing" in str(one.message)]
    assert len(texts) == named and all(f"'c' holds {mark} in 3 rows" in text for text in texts)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.score_samples(X)
    assert not any("means missing" in str(one.message) for one in said)


def test_texts_of_numbers_are_the_numbers(frame):
    texts = frame.reset_index(drop=True).astype(str)
    plain = frame.reset_index(drop=True).map(lambda x: float(str(x)))
    one, two = RobustAutoencoder(**QUICK).fit(texts), RobustAutoencoder(**QUICK).fit(plain)
    np.testing.assert_array_equal(one.score_samples(texts), two.score_samples(plain))
    assert one.offset_ == two.offset_


# --- scikit-learn -------------------------------------------------------------------------------


def test_a_pipeline_with_a_column_transformer_and_a_search():
    from sklearn.compose import make_column_transformer
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    X = pd.DataFrame(numbers(), columns=list("abcde")).assign(kind=["u", "v", "w"] * 40)
    columns = make_column_transformer(
        (StandardScaler(), list("abcde")), (OneHotEncoder(), ["kind"]), sparse_threshold=1.0
    )
    pipeline = make_pipeline(columns, RobustAutoencoder(predictor="linear", random_state=0))
    search = GridSearchCV(pipeline, {"robustautoencoder__hidden": [1, 2, 3]}, cv=3).fit(X)
    assert search.best_params_["robustautoencoder__hidden"] >= 2
    assert set(search.predict(X)) == {-1, 1}
    y = np.isin(np.arange(120), [4, 9, 70]).astype(int)
    ranked = GridSearchCV(pipeline, {"robustautoencoder__hidden": [1, 2]}, cv=2).fit(X, y)
    assert 0 <= ranked.best_score_ <= 1


def test_as_a_transformer_it_repairs(frame):
    model = RobustAutoencoder(**QUICK).set_output(transform="pandas").fit(frame.to_numpy())
    repaired = model.transform(frame.to_numpy())
    assert list(repaired.columns) == [f"x{j}" for j in range(5)] == model.get_feature_names_out().tolist()
    np.testing.assert_array_equal(repaired.to_numpy(), model.repaired(frame.to_numpy()))
    assert list(RobustAutoencoder(**QUICK).fit(frame).get_feature_names_out()) == list("abcde")
    polars = pytest.importorskip("polars")
    assert isinstance(model.set_output(transform="polars").transform(frame.to_numpy()), polars.DataFrame)


def test_the_score_prefers_structure_and_known_anomalies(frame, model):
    X = frame.to_numpy()
    constant = RobustAutoencoder(predictor="constant", random_state=0).fit(X)
    assert RobustAutoencoder(**QUICK).fit(X).score(X) > constant.score(X)
    y = np.isin(np.arange(len(X)), [4, 9])
    assert model.score(frame, y) == model.score(frame, np.where(y, -1, 1)) > 0.5
    with pytest.warns(UserWarning, match="y is not used"):
        assert model.score(frame, np.arange(len(X))) == model.score(frame)


# --- the names of others, and what is shown ------------------------------------------------------


def test_the_names_of_pyod(frame, model):
    np.testing.assert_array_equal(model.labels_ == 1, model.predict(frame) == -1)
    assert model.threshold_ == -model.offset_
    assert model.decision_scores_[[4, 9]].min() > np.median(model.decision_scores_)
    before = model.decision_scores_.copy()
    model.decision_scores_[:] = 0
    np.testing.assert_array_equal(model.decision_scores_, before)


def test_columns_are_listed_always(frame, model):
    assert [column.name for column in model.columns_] == list("abcde")
    assert [c.name for c in RobustAutoencoder(**QUICK).fit(frame.to_numpy()).columns_] == list("01234")
    mixed = RobustAutoencoder(**QUICK).fit(
        frame.reset_index(drop=True).assign(id=range(120), on=["yes", "no"] * 60)
    )
    assert [(c.kind, bool(c.why)) for c in mixed.columns_[5:]] == [("identifier", True), ("boolean", False)]


def test_it_is_shown_in_a_notebook(frame, model, tmp_path):
    assert "hidden" in RobustAutoencoder(**QUICK)._repr_html_()
    shown = model._repr_html_()
    assert "5 number" in shown and "threshold" in shown
    page = model.report(frame, title="<b>Sites</b>")
    assert "&lt;b&gt;Sites" in page.html and "<iframe srcdoc=" in page._repr_html_()
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == page.html


def test_pictures(frame, model):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    for draw in (model.plot_scores, model.plot_cells, lambda X, ax=None: model.plot_path(X, ax, n_lams=3)):
        own = pyplot.subplots()[1]
        assert draw(frame, ax=own) is own and own.get_xlabel()
        assert draw(frame) is not own
    assert model.plot_cells(frame).get_yticklabels()[0].get_text() in {"('x', 4)", "('x', 9)"}
    pyplot.close("all")


def test_a_page_of_what_is_not_at_hand_as_rows():
    polars = pytest.importorskip("polars")
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 3)).round(3)
    lazy = polars.DataFrame(X, schema=list("abc")).lazy()
    for given in (lazy, pytest.importorskip("scipy.sparse").csr_array(X)):
        page = RobustAutoencoder(**QUICK).fit(given).report(given)
        assert "The oddest rows" in page.html


def test_columns_of_one_name_are_refused_in_a_sentence():
    twins = pd.DataFrame(np.ones((4, 2)), columns=["a", "a"])
    with pytest.raises(InputError, match="several columns called 'a'"):
        RobustAutoencoder(**QUICK).fit(twins)
