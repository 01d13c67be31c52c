"""Pickle, joblib and skops give back the same estimator; skops has to trust its class and nothing else."""

import copy
import pickle
import pickletools

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from robustae import RobustAutoencoder
from robustae.data import MixedTable
from robustae.penalties import L1, Groups, Trimmed

X = np.random.default_rng(0).normal(size=(60, 4))
TABLE = MixedTable({"size": X[:, 0], "kind": np.array(["a", "b", "c"] * 20, dtype=object)})
QUICK = {"random_state": 0, "max_iter": 3}
OURS: dict[str, dict] = {
    "by default": {},
    "members": {"predictor": "deep", "hidden": (3, 2), "n_estimators": 2},
    "combined": {"predictor": "linear", "energy": "combined"},
    "images": {"predictor": "conv", "image_shape": (2, 2), "hidden": 2},
    "trimmed": {"penalty": Trimmed(0.1, L1()), "predictor": "linear"},
    "groups": {"penalty": Groups(np.array([0, 0, 1, 1])), "lam": 1.0, "predictor": "linear"},
    "generator": {"random_state": np.random.RandomState(3)},
}
OWN = {
    "module": {"predictor": torch.nn.Linear(4, 4), "solver": "adam"},
    "transformer": {"predictor": "linear", "scaling": StandardScaler()},
}


def fitted(settings, X=X):
    return RobustAutoencoder(**QUICK | settings).fit(X)


def check_same(again, model, X=X):
    np.testing.assert_array_equal(again.score_samples(X), model.score_samples(X))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.offset_ == model.offset_
    assert type(again.penalty) is type(model.penalty)
    assert again.rethreshold(0.1).offset_ == copy.deepcopy(model).rethreshold(0.1).offset_


@pytest.mark.parametrize("case", OURS | OWN)
def test_a_pickle_comes_back_whole(case):
    model = fitted((OURS | OWN)[case])
    check_same(pickle.loads(pickle.dumps(model)), model)


@pytest.mark.parametrize("case", OURS)
def test_a_pickle_names_no_class_but_those_of_arrays_and_the_estimator(case):
    names = [
        argument
        for _, argument, _ in pickletools.genops(pickle.dumps(fitted(OURS[case]), protocol=2))
        if isinstance(argument, str) and argument.startswith(("torch", "robustae"))
    ]
    assert names == ["robustae.estimators.autoencoder RobustAutoencoder"]


def test_joblib_maps_the_arrays_of_a_file(tmp_path):
    import joblib

    model = fitted({})
    joblib.dump(model, tmp_path / "m")
    check_same(joblib.load(tmp_path / "m", mmap_mode="r"), model)


def test_a_mixed_table_keeps_its_plan():
    model = fitted({}, TABLE)
    again = pickle.loads(pickle.dumps(model))
    check_same(again, model, TABLE)
    assert again.columns_ == model.columns_


def test_what_is_not_fitted_is_pickled_too():
    again = pickle.loads(pickle.dumps(RobustAutoencoder(penalty=Trimmed(0.2, L1()), hidden=3)))
    assert again.penalty.share == 0.2 and isinstance(again.penalty.inner, L1)
    assert clone(again).hidden == 3


def test_a_pickle_goes_on_learning():
    model = fitted({"predictor": "linear"}).partial_fit(X)
    again = pickle.loads(pickle.dumps(model)).partial_fit(X)
    assert again.n_iter_ == model.n_iter_ + 1
    assert np.isfinite(again.score_samples(X)).all()


def test_a_pickle_does_not_change_the_model():
    model = fitted({"penalty": Trimmed(0.1, L1()), "predictor": "linear"})
    before = model.score_samples(X)
    pickle.dumps(model)
    np.testing.assert_array_equal(model.score_samples(X), before)
    assert isinstance(model.penalty, Trimmed)


@pytest.mark.parametrize("case", OURS)
def test_skops_trusts_the_class_alone(case):
    skops = pytest.importorskip("skops.io", reason="needs skops")
    model = fitted(OURS[case])
    data = skops.dumps(model)
    assert skops.get_untrusted_types(data=data) == ["robustae.estimators.autoencoder.RobustAutoencoder"]
    check_same(skops.loads(data, trusted=["robustae.estimators.autoencoder.RobustAutoencoder"]), model)


def test_skops_takes_mixed_tables():
    skops = pytest.importorskip("skops.io", reason="needs skops")
    model = fitted({}, TABLE)
    data = skops.dumps(model)
    check_same(skops.loads(data, trusted=skops.get_untrusted_types(data=data)), model, TABLE)
