"""A saved model: the same to the last bit, or one clear sentence; nothing in a file is ever executed."""

import os
import pickle
from pathlib import Path

import naive
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import StandardScaler

from robustae import RobustAutoencoder, load
from robustae.penalties import L1, Groups, Patches, Trimmed
from robustae.utils.checks import InputError

X = naive.planted(n=80, d=12, rank=2, share=0.05)[0]
QUICK = {"hidden": 2, "max_iter": 10, "random_state": 0}
KINDS = (hnp.floating_dtypes(sizes=(16, 32, 64)), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes())
arrays_of_any_kind = hnp.arrays(
    st.one_of(*KINDS, hnp.boolean_dtypes()), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
)
METHODS = ["score_samples", "decision_function", "predict", "predict_proba", "reconstruct", "outliers"]
METHODS += ["repaired", "cell_scores", "flags"]
FITTED = [
    "lam_",
    "mu_",
    "hidden_",
    "offset_",
    "objective_",
    "history_",
    "n_iter_",
    "status_",
    "n_features_in_",
]
SETTINGS = {
    "constant": {"predictor": "constant"},
    "linear": {"predictor": "linear"},
    "sigmoid": {"predictor": "sigmoid", "energy": "combined"},
    "deep": {"predictor": "deep", "dtype": "float64", "hidden": (5, 2)},
    "conv": {"predictor": "conv", "image_shape": (3, 4)},
    "plain": {"predictor": "linear", "lam": float("inf")},
    "groups": {"predictor": "linear", "penalty": Groups([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]), "lam": 1.0},
    "patches": {"predictor": "linear", "penalty": Patches(2, 2), "image_shape": (3, 4)},
    "trimmed": {"predictor": "linear", "penalty": Trimmed(0.1, inner=L1())},
    "members": {"predictor": "deep", "n_estimators": 3},
    "share": {"predictor": "linear", "contamination": 0.2},
    "generator": {"predictor": "linear", "random_state": np.random.RandomState(3)},
}


def fitted(**settings):
    return RobustAutoencoder(**{**QUICK, **settings}).fit(X)


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        load(path, **options)
    sentence = str(caught.value)
    assert sentence and "\n" not in sentence and "Traceback" not in sentence
    return sentence


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.rae"
    fitted(predictor="linear").save(path)
    return path


@pytest.mark.parametrize("kind", SETTINGS)
def test_scores_after_load_are_the_same_to_the_last_bit(kind, tmp_path):
    model = fitted(**SETTINGS[kind])
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    unseen = naive.planted(n=20, d=12, rank=2, seed=9)[0]
    unseen[2, 3] = np.nan
    for rows in (X, unseen):
        for method in METHODS:
            np.testing.assert_array_equal(getattr(again, method)(rows), getattr(model, method)(rows), method)
    assert hasattr(again, "encode") == hasattr(model, "encode")
    if hasattr(model, "encode"):
        np.testing.assert_array_equal(again.encode(X), model.encode(X))


@pytest.mark.parametrize("kind", ["linear", "patches", "trimmed", "share", "plain"])
def test_what_was_fitted_and_asked_for_comes_back(kind, tmp_path):
    model = fitted(**SETTINGS[kind])
    model.save(str(tmp_path / "m"))
    again = load(str(tmp_path / "m"))
    assert repr(again.get_params()) == repr(model.get_params())
    for name in FITTED:
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name), name)
    assert again.fit(X).predict(X).shape == (len(X),)
    assert again.rethreshold(0.1).offset_ == model.rethreshold(0.1).offset_


def test_names_of_columns_come_back(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[f"größe {j}" for j in range(12)])
    model = RobustAutoencoder(predictor="linear", **QUICK).fit(frame)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").feature_names_in_, model.feature_names_in_)


def test_a_saved_file_is_replaced_whole_and_leaves_nothing_beside_it(saved):
    before = load(saved).score_samples(X)
    fitted(predictor="constant").save(saved)
    assert not np.array_equal(load(saved).score_samples(X), before)
    assert os.listdir(saved.parent) == [saved.name]


def test_a_save_that_fails_leaves_the_old_model(saved, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr(os, "rename", full)
    with pytest.raises((OSError, InputError)):
        fitted(predictor="constant").save(saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_a_model_that_is_not_fitted_cannot_be_saved(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        RobustAutoencoder().save(tmp_path / "m")
    assert not os.listdir(tmp_path)


# ---------------------------------------------------------------- files that are not what they should be


def test_a_truncated_file_is_refused_wherever_it_ends(saved):
    whole = saved.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1]:
        saved.write_bytes(whole[:length])
        refusal(saved)


def test_a_file_with_something_behind_it_is_refused(saved):
    saved.write_bytes(saved.read_bytes() + b"more")
    refusal(saved)


def test_any_flipped_bit_is_found(saved):
    whole = saved.read_bytes()
    rng = np.random.default_rng(0)
    places = {0, 7, 8, 20, len(whole) - 1, *rng.integers(0, len(whole), 60).tolist()}
    for place in sorted(places):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        saved.write_bytes(bytes(broken))
        refusal(saved)
    saved.write_bytes(whole)
    assert load(saved).score_samples(X).shape == (len(X),)


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("write", ["pickle", "torch", "joblib", "numpy"])
def test_nothing_in_a_foreign_file_is_executed(write, tmp_path):
    path, trap = tmp_path / "model", Trap(tmp_path / "executed")
    if write == "pickle":
        path.write_bytes(pickle.dumps(trap))
    elif write == "torch":
        torch.save({"state": trap}, path)
    elif write == "joblib":
        import joblib

        joblib.dump(trap, path)
    else:
        with open(path, "wb") as file:
            np.save(file, np.array([trap], dtype=object), allow_pickle=True)
    refusal(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"hello\n", b"{}", b"\x00" * 64, b"PK\x03\x04rest", b"a,b\n1,2\n"])
def test_a_foreign_file_is_named_as_such(content, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert "table.csv" in refusal(path)


def test_safetensors_of_somebody_else_are_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros((2, 2), dtype=np.float32)}, tmp_path / "other.safetensors")
    assert "other.safetensors" in refusal(tmp_path / "other.safetensors")


def test_a_path_without_a_model_is_refused(tmp_path):
    assert "absent" in refusal(tmp_path / "absent")
    refusal(tmp_path)


@pytest.mark.parametrize(("number", "said"), [(0, "earlier"), (1, "earlier"), (3, "later"), (10**8, "later")])
def test_a_model_of_another_version_is_refused_by_its_age(number, said, saved, monkeypatch):
    """Everything in order, only the number of the format differs."""
    from robustae.fit import artifact

    other = saved.with_name("other")
    monkeypatch.setattr(artifact, "FORMAT", number)
    fitted(predictor="linear").save(other)
    monkeypatch.undo()
    assert f"{said} version" in refusal(other)
    assert load(saved).score_samples(X).shape == (len(X),)


@settings(max_examples=60)
@given(
    arrays=st.dictionaries(st.text(min_size=1, max_size=6), arrays_of_any_kind, max_size=5), text=st.text()
)
def test_arrays_of_every_kind_and_shape_come_back(tmp_path_factory, arrays, text):
    from robustae.fit import artifact

    path = tmp_path_factory.mktemp("arrays") / "m"
    artifact.write(path, arrays, {"said": text})
    again, description = artifact.read(path)
    assert description == {"said": text} and again.keys() == arrays.keys()
    for name, values in arrays.items():
        assert again[name].shape == values.shape
        assert again[name].dtype == values.dtype.newbyteorder("=")
        assert again[name].tobytes() == values.astype(again[name].dtype).tobytes()


@pytest.mark.parametrize("kind", ["linear", "members", "groups"])
def test_the_same_model_gives_the_same_bytes(kind, tmp_path):
    model = fitted(**SETTINGS[kind])
    model.save(tmp_path / "a")
    model.save(tmp_path / "b")
    fitted(**SETTINGS[kind]).save(tmp_path / "c")
    load(tmp_path / "a").save(tmp_path / "d")
    assert len({(tmp_path / name).read_bytes() for name in "abcd"}) == 1


# ---------------------------------------------------------------- the user's own module


class Own(torch.nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.down, self.up = torch.nn.Linear(12, width), torch.nn.Linear(width, 12)
        self.norm = torch.nn.BatchNorm1d(width)

    def forward(self, x):
        return self.up(torch.tanh(self.norm(self.down(x))))


def test_a_users_module_is_saved_by_its_weights_and_asked_for_again(tmp_path):
    model = RobustAutoencoder(predictor=Own(), solver="adam", max_iter=5, random_state=0).fit(X)
    model.save(tmp_path / "m")
    sentence = refusal(tmp_path / "m")
    assert "predictor" in sentence or "module" in sentence
    again = load(tmp_path / "m", predictor=Own())
    np.testing.assert_array_equal(again.score_samples(X), model.score_samples(X))
    by_callable = load(tmp_path / "m", predictor=lambda d: Own())
    np.testing.assert_array_equal(by_callable.score_samples(X), model.score_samples(X))


def test_another_module_than_the_one_saved_is_refused(tmp_path):
    RobustAutoencoder(predictor=Own(), solver="adam", max_iter=2).fit(X).save(tmp_path / "m")
    refusal(tmp_path / "m", predictor=Own(width=4))
    refusal(tmp_path / "m", predictor=torch.nn.Linear(12, 12))


def test_a_scikit_learn_transformer_comes_back_or_is_refused_in_a_sentence(tmp_path):
    """Its state is arbitrary Python: a refusal when saving, or the same scores."""
    model = fitted(predictor="linear", scaling=StandardScaler())
    try:
        model.save(tmp_path / "m")
    except InputError as error:
        assert "scaling" in str(error)
        assert not os.listdir(tmp_path)
        return
    np.testing.assert_array_equal(load(tmp_path / "m").score_samples(X), model.score_samples(X))


def test_pickle_works_too_as_scikit_learn_expects():
    model = fitted(predictor="sigmoid")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).score_samples(X), model.score_samples(X))
