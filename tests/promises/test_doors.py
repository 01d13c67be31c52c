"""The same values by any door give the same kind of data, the same choices and the same scores."""

import io
import warnings

import numpy as np
import pytest

from robustae import RobustAutoencoder

pandas = pytest.importorskip("pandas", reason="needs the extra dataframes")
polars = pytest.importorskip("polars", reason="needs the extra dataframes")
pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")

CHOICES = ("kind_", "predictor_name_", "energy_", "scaling_", "solver_", "n_estimators_", "hidden_")


def names_of(d):
    return [f"c{j}" for j in range(d)]


def low_rank(n, d, rank, seed, whole=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d)) + 0.3 * rng.normal(size=(n, d))
    X[: n // 50] += 6 * rng.normal(size=(n // 50, d))
    return np.round(20 * X) if whole else X


def bytes_like(n, d, seed):
    rng = np.random.default_rng(seed)
    level = rng.uniform(20, 200, size=d)
    return np.clip(np.round(level + 8 * rng.normal(size=(n, d))), 0, 255)


def with_holes(X, seed):
    X = X.copy()
    X[np.random.default_rng(seed).random(X.shape) < 0.05] = np.nan
    return X


NUMBERS = {
    "few columns": low_rank(180, 7, 2, 0),
    "whole numbers": low_rank(230, 5, 2, 1, whole=True),
    "holes": with_holes(low_rank(150, 6, 2, 2), 3),
    "one unit": bytes_like(120, 70, 4),
    "one unit, wide": bytes_like(60, 130, 5),
}


def csv_of(frame, path):
    frame.to_csv(path, index=False)
    return path


def parquet_of(frame, path):
    frame.to_parquet(path, index=False)
    return path


def npy_of(X, path):
    np.save(path, X)
    return path


def doors(X, tmp_path):
    """What holds the same numbers, by name."""
    frame = pandas.DataFrame(X, columns=names_of(X.shape[1]))
    arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
    csv_of(frame, tmp_path / "t.csv")
    found = {
        "array in Fortran order": np.asfortranarray(X),
        "pandas": frame,
        "polars": polars.from_pandas(frame),
        "CSV": tmp_path / "t.csv",
        "CSV in two files": [
            csv_of(frame[:50], tmp_path / "first.csv"),
            csv_of(frame[50:], tmp_path / "second.csv"),
        ],
        "Parquet": parquet_of(frame, tmp_path / "t.parquet"),
        ".npy": npy_of(X, tmp_path / "t.npy"),
        "batches": iter([X[:40], X[40:]]),
        "function": lambda: iter([X[:33], X[33:]]),
        "Arrow reader": arrow.to_reader(max_chunksize=64),
    }
    if not np.isnan(X).any() and (np.round(X) == X).all():
        kinds = ("int64", "int32", "float32") + (("uint8", "int16") if X.min() >= 0 else ())
        found |= {kind: X.astype(kind) for kind in kinds}
        found["bytes in .npy"] = npy_of(X.astype(kinds[-1]), tmp_path / "b.npy")
    return found


def fitted(X, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RobustAutoencoder(random_state=0, **settings).fit(X)


def choices(model):
    return {name: getattr(model, name) for name in CHOICES}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name, tmp_path):
    X = NUMBERS[name]
    expected = fitted(X)
    scores = expected.score_samples(X)
    for door, data in doors(X, tmp_path).items():
        model = fitted(data)
        assert choices(model) == choices(expected), door
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_array_equal(model.score_samples(X), scores, err_msg=door)
        assert model.offset_ == expected.offset_, door


def people(n, seed):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    return pandas.DataFrame(
        {
            "age": age,
            "height": np.round(rng.normal(170, 9, n), 1),
            "married": rng.random(n) < 0.4,
            "town": rng.choice(["Ulm", "Bonn", "Trier"], n, p=[0.5, 0.3, 0.2]),
            "born": pandas.Timestamp("2024-01-01")
            - pandas.to_timedelta(age * 365 + rng.integers(0, 364, n), "D"),
        }
    )


def test_mixed_tables(tmp_path):
    frame = people(240, 0)
    expected = fitted(frame)
    scores = expected.score_samples(frame)
    arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
    found = {
        "polars": polars.from_pandas(frame),
        "CSV": csv_of(frame, tmp_path / "t.csv"),
        "Parquet": parquet_of(frame, tmp_path / "t.parquet"),
        "Parquet in two files": [
            parquet_of(frame[:100], tmp_path / "first.parquet"),
            parquet_of(frame[100:], tmp_path / "second.parquet"),
        ],
        "Arrow reader": arrow.to_reader(max_chunksize=100),
        "texts": frame.astype(str),
    }
    for door, data in found.items():
        model = fitted(data)
        assert choices(model) == choices(expected), door
        np.testing.assert_allclose(model.score_samples(frame), scores, rtol=1e-12, err_msg=door)


@pytest.mark.parametrize("shape", [(40, 6, 7), (30, 5, 4, 3)])
def test_images(shape, tmp_path):
    rng = np.random.default_rng(1)
    X = np.round(255 * rng.random(shape))
    expected = fitted(X)
    scores = expected.score_samples(X)
    flat = X.reshape(len(X), -1)
    for door, data in {
        "bytes": X.astype(np.uint8),
        ".npy": npy_of(X, tmp_path / "x.npy"),
        "bytes in .npy": npy_of(X.astype(np.uint8), tmp_path / "b.npy"),
        "batches": iter([X[:11], X[11:]]),
    }.items():
        model = fitted(data)
        assert choices(model) == choices(expected), door
        np.testing.assert_array_equal(model.score_samples(X), scores, err_msg=door)
    for door, data in {
        "rows": flat,
        "CSV": csv_of(pandas.DataFrame(flat, columns=names_of(flat.shape[1])), tmp_path / "x.csv"),
    }.items():
        model = fitted(data, image_shape=shape[1:])
        assert choices(model) == choices(expected), door
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_array_equal(model.score_samples(flat), scores, err_msg=door)


@pytest.mark.parametrize("name", ["few columns", "holes", "one unit"])
def test_a_request_is_scored_like_an_array(name):
    testing = pytest.importorskip("fastapi.testclient", reason="needs the extra serve")
    from robustae.deploy.serve import create_app

    X = NUMBERS[name]
    model = fitted(pandas.DataFrame(X, columns=names_of(X.shape[1])))
    sink = io.BytesIO()
    table = pyarrow.table({name: X[:, j] for j, name in enumerate(names_of(X.shape[1]))})
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with testing.TestClient(create_app(model, "m")) as client:
        answer = client.post(
            "/v2/models/m/infer",
            content=sink.getvalue(),
            headers={
                "content-type": "application/vnd.apache.arrow.stream",
                "accept": "application/vnd.apache.arrow.stream",
            },
        )
    scores = pyarrow.ipc.open_stream(answer.content).read_all()["score"].to_numpy()
    np.testing.assert_array_equal(
        scores, model.score_samples(pandas.DataFrame(X, columns=names_of(X.shape[1])))
    )


def test_many_rows_in_batches_rank_as_in_memory(tmp_path):
    from scipy.stats import spearmanr

    X = low_rank(26_000, 6, 2, 7)
    np.save(tmp_path / "x.npy", X)
    one, other = fitted(X), fitted(tmp_path / "x.npy")
    assert one.kind_ == other.kind_ and one.energy_ == other.energy_
    assert spearmanr(one.score_samples(X), other.score_samples(X))[0] >= 0.99
