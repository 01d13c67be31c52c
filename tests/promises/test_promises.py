"""What every public call leaves as it was: its inputs, and the settings of the process."""

import locale
import logging
import os
import random
import signal
import sys
import threading
import time
import warnings
from decimal import getcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from robustae import RobustAutoencoder, RobustPCA, baselines, datasets, load, metrics
from robustae.data import MixedTable, read_table
from robustae.data.streams import row_source
from robustae.estimators.facts import facts_of
from robustae.images.repair import MaskedAutoencoder
from robustae.report import write_report
from robustae.video import separate

N, D = 60, 6
IMAGE = (4, 5)


def frozen(array):
    array.setflags(write=False)
    return array


def planted(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 2)) @ rng.normal(size=(2, D)) + 0.1 * rng.normal(size=(N, D))
    X[:3] += 9
    return X


X = frozen(planted())
HOLES = frozen(np.where(np.random.default_rng(1).random(X.shape) < 0.05, np.nan, X))
WEIGHT = frozen(np.random.default_rng(2).uniform(0.5, 2, N))
Y = frozen(np.isin(np.arange(N), [0, 1, 2]).astype(int))
IMAGES = frozen(np.random.default_rng(3).integers(0, 255, (N, *IMAGE), np.uint8))
CLIP = frozen(np.random.default_rng(4).integers(0, 255, (30, 24, 32, 3), np.uint8))
TABLE = MixedTable(
    {
        "a": frozen(X[:, 0].copy()),
        "b": frozen(X[:, 1].copy()),
        "day": frozen(np.datetime64("2020-01-01") + (np.arange(N) % 40).astype("timedelta64[D]")),
        "level": frozen(np.array(list("xyz") * (N // 3), dtype=object)),
        "there": frozen(np.array([True, False] * (N // 2))),
    }
)
INPUTS = {"X": X, "HOLES": HOLES, "WEIGHT": WEIGHT, "Y": Y, "IMAGES": IMAGES, "CLIP": CLIP, **TABLE.columns}


def bytes_of(values):
    return repr(values.tolist()) if values.dtype.kind == "O" else values.tobytes()


BEFORE = {name: bytes_of(values) for name, values in INPUTS.items()}


def settings_of_process():
    """All that a library could change behind one's back."""
    handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    return {
        "threads of torch": torch.get_num_threads(),
        "threads of torch between operations": torch.get_num_interop_threads(),
        "threads of BLAS": {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()},
        "generator of NumPy": repr(np.random.get_state()),
        "generator of Python": random.getstate(),
        "generator of torch": torch.random.get_rng_state().numpy().tobytes(),
        "printing of NumPy": repr(np.get_printoptions()),
        "printing of torch": repr(vars(torch._tensor_str.PRINT_OPTS)),
        "errors of NumPy": np.geterr(),
        "gradients": torch.is_grad_enabled(),
        "type of torch": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "locale": locale.setlocale(locale.LC_ALL),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "signals": handlers,
        "logging": (logging.root.level, list(logging.root.handlers)),
        "decimals": repr(getcontext()),
        "path": list(sys.path),
        "depth": sys.getrecursionlimit(),
        "hook": sys.excepthook,
        "threads": {thread.name for thread in threading.enumerate()},
    }


def linear(**more):
    return RobustAutoencoder(predictor="linear", hidden=2, max_iter=5, random_state=0, **more)


@pytest.fixture(scope="module")
def fitted():
    return linear().fit(X)


@pytest.fixture(scope="module")
def mixed():
    return RobustAutoencoder(max_iter=3, random_state=0).fit(TABLE)


@pytest.fixture(scope="module")
def masked():
    return MaskedAutoencoder(max_iter=5, random_state=0, image_shape=IMAGE).fit(IMAGES)


@pytest.fixture(scope="module")
def pca():
    return RobustPCA().fit(X)


METHODS = [
    "score_samples",
    "decision_function",
    "predict",
    "predict_proba",
    "encode",
    "reconstruct",
    "outliers",
]
METHODS += ["split", "repaired", "cell_scores", "flags", "explain"]
IMPORTED = ("environment", "warnings", "threads")  # by torch, when its optimisers are first used
OWN = torch.nn.Linear(D, D)
FITS = {
    "auto": lambda: RobustAutoencoder(random_state=0).fit(X),
    "no seed": lambda: RobustAutoencoder(max_iter=3).fit(X),
    "holes": lambda: RobustAutoencoder(max_iter=3, random_state=0).fit(HOLES),
    "weights": lambda: linear().fit(X, sample_weight=WEIGHT),
    "sigmoid": lambda: RobustAutoencoder(predictor="sigmoid", max_iter=5, random_state=0).fit(X),
    "deep": lambda: RobustAutoencoder(predictor="deep", max_iter=2, n_estimators=2, random_state=0).fit(X),
    "conv": lambda: RobustAutoencoder(predictor="conv", max_iter=2, random_state=0).fit(IMAGES),
    "own module": lambda: RobustAutoencoder(predictor=OWN, max_iter=2, random_state=0).fit(X),
    "alternating": lambda: linear(solver="alternating").fit(X),
    "adam": lambda: linear(solver="adam").fit(X),
    "progress": lambda: linear(verbose=1).fit(X),
    "mixed table": lambda: RobustAutoencoder(max_iter=3, random_state=0).fit(TABLE),
    "fit_predict": lambda: linear().fit_predict(X),
    "in batches": lambda: linear().fit(row_source(X)),
    "partial": lambda: linear().fit(X).partial_fit(X).partial_fit(HOLES),
    "path": lambda: linear().lam_path(X, n_lams=3),
    "threshold": lambda: linear().fit(X).rethreshold(0.1),
    "refused": lambda: pytest.raises(ValueError, RobustAutoencoder(lam=-1).fit, X),
    "robust PCA": lambda: RobustPCA().fit(X),
    "masked images": lambda: MaskedAutoencoder(max_iter=5, image_shape=IMAGE, random_state=0).fit(IMAGES),
}
CALLS = {
    "auprc": lambda: metrics.auprc(Y, X[:, 0]),
    "auroc": lambda: metrics.auroc(Y, X[:, 0]),
    "precision_at": lambda: metrics.precision_at(Y, X[:, 0], 5),
    "best_f1": lambda: metrics.best_f1(Y, X[:, 0]),
    "planted": lambda: datasets.synthetic.planted(random_state=None),
    "planted rows": lambda: datasets.synthetic.planted_rows(random_state=0),
    "scene": lambda: datasets.synthetic.moving_scene(5, random_state=0),
    "wrong cells": lambda: datasets.synthetic.with_wrong_cells(X, random_state=None),
    "missing": lambda: datasets.synthetic.with_missing(X, random_state=0),
    "subspace": lambda: datasets.synthetic.subspace_error(X[:, :2], X[:, 1:3]),
    "digits": lambda: datasets.load_digits_anomalies(),
    "cells": lambda: datasets.load_breast_cancer_cells(),
    "walkway": lambda: datasets.load_walkway(),
    "listing": lambda: datasets.listing(),
    "clip": lambda: list(separate(CLIP)),
    "clip by a model": lambda: list(separate(CLIP, predictor="linear", hidden=2, max_iter=2, random_state=0)),
    "separation": lambda: separate(CLIP).activity,
}
BASELINES = [name for name in baselines.__all__ if hasattr(getattr(baselines, name), "fit")]
# Without a seed, scikit-learn's convention is to draw from NumPy's global generator.
DRAWN = {"no seed": "generator of NumPy"}


def await_threads(known):
    """Threads take a moment to end."""
    deadline = time.monotonic() + 5
    while settings_of_process()["threads"] - known and time.monotonic() < deadline:
        time.sleep(0.01)


def unchanged(call, but=""):
    """Make the call, twice: what is imported by the first one may not hide what the second does."""
    for allowed in ({but, *IMPORTED}, {but}):
        with warnings.catch_warnings(record=True):
            before = settings_of_process()
            call()
            await_threads(before["threads"])
            after = settings_of_process()
        after["threads"] |= before["threads"]  # one of others may have ended
        changed = [name for name in before if before[name] != after[name] and name not in allowed]
        assert not changed, changed
        assert {name: bytes_of(values) for name, values in INPUTS.items()} == BEFORE


OFFENCES = {
    "generator of NumPy": lambda: np.random.rand(),
    "generator of Python": lambda: random.random(),
    "generator of torch": lambda: torch.rand(1),
    "printing of NumPy": lambda: np.set_printoptions(precision=np.get_printoptions()["precision"] + 1),
    "threads of torch": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "errors of NumPy": lambda: np.seterr(all="raise" if np.geterr()["over"] == "ignore" else "ignore"),
    "warnings": lambda: warnings.simplefilter("ignore", type("Other", (UserWarning,), {})),
    "folder": lambda: os.chdir(os.path.dirname(os.getcwd())),
    "gradients": lambda: torch.set_grad_enabled(not torch.is_grad_enabled()),
    "threads": lambda: threading.Thread(target=time.sleep, args=(60,), daemon=True).start(),
}


@pytest.mark.parametrize("name", OFFENCES)
def test_what_does_change_something_is_found(name, monkeypatch):
    monkeypatch.chdir(os.getcwd())
    printing, errors, threads = np.get_printoptions(), np.geterr(), torch.get_num_threads()
    try:
        with pytest.raises(AssertionError, match=name):
            unchanged(OFFENCES[name])
    finally:
        np.set_printoptions(**printing)
        np.seterr(**errors)
        torch.set_num_threads(threads)
        torch.set_grad_enabled(True)


def test_an_input_that_is_changed_is_found():
    cells = np.array([1.0, 2.0])
    INPUTS["cells"], BEFORE["cells"] = cells, bytes_of(cells)
    try:
        with pytest.raises(AssertionError):
            unchanged(lambda: cells.sort() or cells.__isub__(1))
    finally:
        del INPUTS["cells"], BEFORE["cells"]


@pytest.mark.parametrize("name", FITS)
def test_a_fit_changes_nothing_else(name):
    unchanged(FITS[name], DRAWN.get(name, ""))


@pytest.mark.parametrize("rows", [X, HOLES], ids=["whole", "holes"])
@pytest.mark.parametrize("name", METHODS)
def test_a_fitted_model_changes_nothing_else(name, rows, fitted):
    unchanged(lambda: getattr(fitted, name)(rows))


@pytest.mark.parametrize("name", [name for name in METHODS if name != "encode"])
def test_a_model_of_a_mixed_table_changes_nothing_else(name, mixed):
    unchanged(lambda: getattr(mixed, name)(TABLE))


@pytest.mark.parametrize("name", ["score_samples", "reconstruct", "flags", "denoised"])
def test_a_model_of_images_changes_nothing_else(name, masked):
    unchanged(lambda: getattr(masked, name)(IMAGES))


@pytest.mark.parametrize(
    "name", ["score_samples", "decision_function", "predict", "reconstruct", "outliers", "split"]
)
def test_robust_pca_changes_nothing_else(name, pca):
    unchanged(lambda: getattr(pca, name)(X))


@pytest.mark.parametrize("name", CALLS)
def test_a_function_changes_nothing_else(name):
    unchanged(CALLS[name])


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_changes_nothing_else(name):
    def work():
        method = getattr(baselines, name)()
        method.fit(X)
        if hasattr(method, "score_samples"):
            method.score_samples(X)

    unchanged(work)


def test_saving_loading_and_reporting_change_nothing_else(fitted, tmp_path):
    def work():
        fitted.save(tmp_path / "m")
        load(tmp_path / "m").score_source(X, out=tmp_path / "scores.csv")
        read_table(tmp_path / "scores.csv")
        write_report(tmp_path / "page.html", [facts_of(fitted, X, title="rows")], "page")

    unchanged(work)


# --- DataFrames -------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("kind", ["numbers", "mixed"])
def test_frames_are_not_changed(library, kind):
    frames = pytest.importorskip(library)
    columns = dict(zip("abcdef", X.T, strict=True)) if kind == "numbers" else dict(TABLE.columns)
    frame = frames.DataFrame({name: values.tolist() for name, values in columns.items()})
    copy = frame.copy() if library == "pandas" else frame.clone()

    def work():
        model = RobustAutoencoder(max_iter=3, random_state=0).fit(frame)
        for name in METHODS:
            if hasattr(model, name):
                getattr(model, name)(frame)

    unchanged(work)
    assert frame.equals(copy)
    assert list(frame.columns) == list(copy.columns)


# --- arrays of any layout ---------------------------------------------------------------------------

LAYOUTS = {
    "as they come": lambda rows: rows.copy(),
    "by columns": np.asfortranarray,
    "every second row": lambda rows: rows.repeat(2, axis=0)[::2],
    "backwards": lambda rows: rows[::-1, ::-1].copy()[::-1, ::-1],
    "not aligned": lambda rows: (
        np.frombuffer(b"\0" + rows.tobytes(), np.uint8)[1:].view(rows.dtype).reshape(rows.shape)
    ),
    "of another byte order": lambda rows: rows.astype(rows.dtype.newbyteorder()),
    "a matrix of lists": lambda rows: rows.tolist(),
}
TYPES = ("float64", "float32", "float16", "int64", "int8", "uint8")


@settings(max_examples=30)
@given(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(TYPES), st.sampled_from(METHODS), st.booleans())
def test_the_layout_of_an_array_does_not_matter(fitted, layout, dtype, method, holes):
    rows = np.clip(np.nan_to_num(HOLES) * 5, 0, 100).astype(dtype)
    if holes and rows.dtype.kind == "f":
        rows[np.isnan(HOLES)] = np.nan
    given = LAYOUTS[layout](rows)
    if isinstance(given, np.ndarray):
        given.setflags(write=False)
    before = repr(given.tolist() if isinstance(given, np.ndarray) else given)
    found, wanted = getattr(fitted, method)(given), getattr(fitted, method)(rows)
    for one, other in zip(_parts(found), _parts(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6 if dtype != "float16" else 1e-2, atol=1e-6)
    assert repr(given.tolist() if isinstance(given, np.ndarray) else given) == before


def _parts(result):
    if isinstance(result, dict):
        return list(result.values())
    return list(result) if isinstance(result, tuple) else [result]
