"""Fits whose answer is known in advance: equations (1) and (3), Huber, PCA, planted outliers."""

import math
from copy import deepcopy
from itertools import pairwise

import naive
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from robustae import RobustAutoencoder
from robustae.predictors import Sigmoid
from robustae.solvers import Adam

EXACT = {"scaling": None, "dtype": "float64", "tol": 0.0, "max_iter": 5000, "random_state": 0}


def weights_of(model):
    """The weights that Omega counts (no biases)."""
    return [p.detach().numpy() for p in model.predictor_.parameters() if p.ndim > 1]


def correlated(rng, n=60, d=6, rank=2, noise=0.2):
    low = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d))
    return low + noise * rng.standard_normal((n, d))


# ---------------------------------------------------------------- equations (1) and (3)


@pytest.mark.parametrize("bias", [False, True])
def test_sigmoid_is_equation_1_to_the_letter(bias, rng):
    net = Sigmoid(5, 3, bias=bias, generator=torch.Generator().manual_seed(0)).double()
    X = rng.standard_normal((7, 5))
    state = {name: p.detach().numpy() for name, p in net.named_parameters()}
    biases = (state["a"] + 0.3, state["b"] - 0.2) if bias else (None, None)
    if bias:
        with torch.no_grad():
            net.a.add_(0.3), net.b.sub_(0.2)
    else:
        assert set(state) == {"U", "V"}
    expected = naive.sigmoid_forward(X, state["U"], state["V"], *biases)
    np.testing.assert_allclose(net(torch.tensor(X)).detach().numpy(), expected, rtol=1e-12)
    assert state["U"].shape == (5, 3) and state["V"].shape == (3, 5)


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid", "deep"])
@pytest.mark.parametrize("solver", ["lbfgs", "alternating"])
def test_objective_is_equation_3_at_the_fit(predictor, solver, rng):
    X = correlated(rng)
    settings = {**EXACT, "max_iter": 50, "solver": solver, "hidden": 2}
    model = RobustAutoencoder(predictor=predictor, lam=0.7, mu=0.05, **settings).fit(X)
    assert model.lam_ == 0.7 and model.mu_ == 0.05
    Xhat, N = model.split(X)
    J = naive.objective(X, Xhat, N, 0.7, 0.05, weights_of(model))
    assert model.objective_ == pytest.approx(J, rel=1e-9)
    at_best_n = naive.l1_objective(X, Xhat, 0.7, 0.05, weights_of(model))
    assert model.objective_ == pytest.approx(at_best_n, rel=1e-9)
    assert model.history_[-1] == pytest.approx(model.objective_, rel=1e-6)


@pytest.mark.parametrize("solver", ["lbfgs", "alternating", "adam"])
@pytest.mark.parametrize("predictor", ["linear", "deep"])
def test_objective_is_that_of_the_lam_reported_where_lam_is_automatic(predictor, solver, rng):
    X = correlated(rng)
    settings = {"predictor": predictor, "hidden": 2, "solver": solver, "scaling": None, "dtype": "float64"}
    model = RobustAutoencoder(mu=0.05, random_state=0, **settings).fit(X)
    J = naive.l1_objective(X, model.reconstruct(X), model.column_lam_, 0.05, weights_of(model))
    assert model.objective_ == pytest.approx(J, rel=1e-7)
    np.testing.assert_allclose(model.lam_, np.median(model.column_lam_))


def test_outliers_are_equation_6_of_the_residual(rng):
    X = correlated(rng)
    model = RobustAutoencoder(predictor="linear", hidden=2, lam=0.4, scaling=None, dtype="float64").fit(X)
    fresh = correlated(rng, n=9)
    residual = fresh - model.reconstruct(fresh)
    expected = np.vectorize(naive.soft)(residual, 0.2)
    np.testing.assert_allclose(model.outliers(fresh), expected, atol=1e-12)


def gradient_norm(model, X):
    """Of J in the weights, by autograd on torch's own Huber loss."""
    net, data = deepcopy(model.predictor_).requires_grad_(True), torch.tensor(X)
    J = 2 * torch.nn.functional.huber_loss(net(data), data, delta=model.lam_ / 2, reduction="sum")
    J = J + model.mu_ / 2 * sum((p**2).sum() for p in net.parameters() if p.ndim > 1)
    assert model.objective_ == pytest.approx(float(J.detach()), rel=1e-9)
    return math.hypot(*(float(g.norm()) for g in torch.autograd.grad(J, list(net.parameters()))))


@pytest.mark.parametrize(
    ("predictor", "mu", "max_iter", "bound"),
    [
        ("linear", 0.05, 1000, {"alternating": 1e-4, "lbfgs": 1e-4}),
        ("sigmoid", 1e-4, 300, {"alternating": 0.5, "lbfgs": 5.0}),
    ],
)
def test_long_fits_end_at_small_gradients_and_nearly_the_same_objective(predictor, mu, max_iter, bound, rng):
    X = correlated(rng)
    X /= X.std()
    settings = {"predictor": predictor, "hidden": 2, "lam": 0.7, "mu": mu, **EXACT, "max_iter": max_iter}
    ends = {solver: RobustAutoencoder(solver=solver, **settings).fit(X) for solver in bound}
    for solver, model in ends.items():
        assert gradient_norm(model, X) < bound[solver]
    assert ends["alternating"].objective_ == pytest.approx(ends["lbfgs"].objective_, rel=0.05)


def test_lbfgs_brings_the_gradient_of_the_sigmoid_layer_to_zero(rng):
    X = correlated(rng)
    model = RobustAutoencoder(predictor="sigmoid", hidden=2, lam=0.7, mu=0.05, solver="lbfgs", **EXACT).fit(X)
    assert gradient_norm(model, X) < 1e-4
    assert "converged" in model.status_


# ---------------------------------------------------------------- the constant predictor: Huber's location


@pytest.mark.parametrize("solver", ["lbfgs", "alternating", "auto"])
@pytest.mark.parametrize("lam", [0.3, 1.0, 4.0])
def test_constant_is_the_columnwise_huber_location(solver, lam, rng):
    X = rng.standard_normal((51, 4)) + 6 * (rng.random((51, 4)) < 0.15)
    model = RobustAutoencoder(predictor="constant", lam=lam, mu=0.0, solver=solver, **EXACT).fit(X)
    expected = [naive.huber_location(x, lam) for x in X.T]
    np.testing.assert_allclose(model.reconstruct(X), np.tile(expected, (51, 1)), atol=1e-6)


def test_constant_on_an_even_number_of_rows_has_hubers_objective(rng):
    X = rng.standard_normal((50, 3))
    lam = 0.05
    model = RobustAutoencoder(predictor="constant", lam=lam, mu=0.0, **EXACT).fit(X)
    best = np.tile([naive.huber_location(x, lam) for x in X.T], (50, 1))
    assert model.objective_ == pytest.approx(naive.l1_objective(X, best, lam), rel=1e-7)


def test_constant_by_alternation_and_by_envelope_reach_the_objective_of_the_loop(rng):
    X = rng.standard_normal((41, 3)) + 5 * (rng.random((41, 3)) < 0.1)
    _, history = naive.alternate_constant(X, 0.8)
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(history))
    for solver in ("alternating", "lbfgs"):
        model = RobustAutoencoder(predictor="constant", lam=0.8, mu=0.0, solver=solver, **EXACT).fit(X)
        assert model.objective_ == pytest.approx(history[-1], rel=1e-7)


def test_constant_tends_to_the_median_and_to_the_mean(rng):
    X = rng.exponential(size=(51, 4))
    small = RobustAutoencoder(predictor="constant", lam=1e-6, mu=0.0, **EXACT).fit(X)
    np.testing.assert_allclose(small.reconstruct(X)[0], np.median(X, axis=0), atol=1e-4)
    plain = RobustAutoencoder(predictor="constant", lam=math.inf, mu=0.0, **EXACT).fit(X)
    np.testing.assert_allclose(plain.reconstruct(X)[0], X.mean(axis=0), atol=1e-8)


def test_constant_leaves_missing_cells_out_of_its_location(rng):
    X = rng.standard_normal((51, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    model = RobustAutoencoder(predictor="constant", lam=1.0, mu=0.0, **EXACT).fit(X)
    expected = [naive.huber_location(x[~np.isnan(x)], 1.0) for x in X.T]
    np.testing.assert_allclose(model.reconstruct(X)[0], expected, atol=1e-6)


# ---------------------------------------------------------------- the linear predictor: PCA


@pytest.mark.parametrize("shape", [(80, 12), (12, 30)])
@pytest.mark.parametrize("solver", ["lbfgs", "alternating"])
def test_linear_at_infinite_lam_is_pca(shape, solver, rng):
    n, d = shape
    X = 4 * correlated(rng, n, d, rank=3, noise=0.05) + rng.standard_normal(d)
    settings = {"predictor": "linear", "hidden": 3, "lam": math.inf, "mu": 0.0, **EXACT}
    model = RobustAutoencoder(solver=solver, **settings).fit(X)
    expected = naive.pca_reconstruction(X, 3)
    error = np.linalg.norm(model.reconstruct(X) - expected) / np.linalg.norm(expected)
    assert error < 1e-5
    np.testing.assert_array_equal(model.outliers(X), np.zeros_like(X))


# ---------------------------------------------------------------- planted outliers


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_cells_are_found_and_the_subspace_survives_them(seed):
    X, hit, basis = naive.planted(seed=seed)
    model = RobustAutoencoder(predictor="linear", hidden=3, random_state=0).fit(X)
    ours = naive.subspace_error(naive.row_space(model.reconstruct(X), 3), basis)
    assert ours < naive.subspace_error(naive.row_space(X, 3), basis) / 2
    assert naive.f1(hit, model.flags(X)) > 0.95


@pytest.mark.parametrize("predictor", ["linear", "sigmoid"])
def test_the_noise_is_measured_right_under_planted_cells(predictor):
    X, hit, _ = naive.planted(n=800, d=30, share=0.05, noise=0.2)
    model = RobustAutoencoder(predictor=predictor, hidden=3, random_state=0).fit(X)
    deviation = np.median((np.abs(X - model.reconstruct(X)) / np.abs(model.cell_scores(X))), axis=0)
    assert np.all((deviation > 0.7 * 0.2) & (deviation < 1.5 * 0.2))
    assert np.mean(model.flags(X)[~hit]) < 0.02
    assert np.std(model.cell_scores(X)[~hit]) == pytest.approx(1, abs=0.25)


@pytest.mark.slow
def test_planted_cells_are_found_by_the_sigmoid_layer_too():
    X, hit, _ = naive.planted()
    model = RobustAutoencoder(predictor="sigmoid", hidden=3, random_state=0).fit(X)
    assert naive.f1(hit, model.flags(X)) > 0.9


def test_planted_rows_come_last(rng):
    X, y = naive.planted_rows()
    for predictor in ("constant", "linear", "sigmoid"):
        model = RobustAutoencoder(predictor=predictor, random_state=0).fit(X)
        assert naive.average_precision(y, -model.score_samples(X)) > 0.9, predictor


# ---------------------------------------------------------------- lam = inf: the plain autoencoder


@pytest.mark.parametrize("kind", ["sigmoid", "deep", "conv", "own"])
def test_infinite_lam_is_the_plain_autoencoder_of_five_lines(kind, rng):
    X = correlated(rng, 40, 12)
    own = torch.nn.Sequential(torch.nn.Linear(12, 3), torch.nn.Tanh(), torch.nn.Linear(3, 12))
    settings = {"predictor": own if kind == "own" else kind, "hidden": 3, "lam": math.inf, "mu": 0.0}
    settings |= {"image_shape": (3, 4), "batch_size": 40, **EXACT}
    start = RobustAutoencoder(**{**settings, "max_iter": 0, "solver": Adam(lr=0.01)}).fit(X)
    before = start.reconstruct(X)
    model = RobustAutoencoder(**{**settings, "max_iter": 60, "solver": Adam(lr=0.01)}).fit(X)
    plain = deepcopy(start.predictor_).requires_grad_(True)
    naive.plain_autoencoder(plain, torch.tensor(X), naive.one_cycle(0.01, 60)[: model.n_iter_])
    expected = plain(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(model.reconstruct(X), expected, atol=1e-6 * np.abs(X).max())
    assert np.max(np.abs(expected - before)) > 1e-3, "the start must not be the end"


def test_a_users_module_is_not_trained_in_place(rng):
    own = torch.nn.Linear(6, 6)
    before = own.weight.detach().clone()
    RobustAutoencoder(predictor=own, max_iter=3).fit(correlated(rng))
    assert torch.equal(own.weight, before) and own.weight.requires_grad and own.training


# ---------------------------------------------------------------- scores


def test_energies_are_those_of_the_loops(rng):
    X = correlated(rng)
    X[rng.random(X.shape) < 0.1] = np.nan
    settings = {"predictor": "linear", "hidden": 2, "lam": 0.5, "scaling": None, "dtype": "float64"}
    squared = RobustAutoencoder(energy="squared", **settings).fit(X)
    expected = -naive.squared_energy(X, squared.reconstruct(X))
    np.testing.assert_allclose(squared.score_samples(X), expected, rtol=1e-9)
    envelope = RobustAutoencoder(energy="envelope", **settings).fit(X)
    expected = -naive.envelope_energy(X, envelope.reconstruct(X), 0.5)
    np.testing.assert_allclose(envelope.score_samples(X), expected, rtol=1e-9)


def test_log_energy_and_flags_use_the_deviations_of_cell_scores(rng):
    X, _, _ = naive.planted(n=80, d=12, rank=2)
    X[3, 4] = np.nan
    model = RobustAutoencoder(predictor="linear", hidden=2, energy="log", random_state=0).fit(X)
    deviations, Xhat = model.cell_scores(X), model.reconstruct(X)
    scale = np.nanmedian(np.abs((X - Xhat) / deviations), axis=0)
    np.testing.assert_allclose(model.score_samples(X), -naive.log_energy(X, Xhat, scale), rtol=1e-6)
    np.testing.assert_array_equal(model.flags(X), naive.flags(X, Xhat, scale))
    np.testing.assert_array_equal(model.repaired(X), naive.repair(X, Xhat, model.flags(X)))


def test_combined_energy_sees_the_row_that_no_cell_gives_away():
    """A row whose cells are each within range but whose code is far out."""
    X, _, basis = naive.planted(n=300, d=20, rank=2, share=0.0)
    X[0] = 12 * np.std(X @ basis) * basis[:, 0]
    settings = {"predictor": "linear", "hidden": 2, "random_state": 0}
    combined = RobustAutoencoder(energy="combined", **settings).fit(X).score_samples(X)
    assert np.argmin(combined) == 0


# ---------------------------------------------------------------- the path over lam


def test_the_path_runs_down_from_the_plain_autoencoder(rng):
    X = correlated(rng, noise=0.5)
    path = RobustAutoencoder(predictor="linear", hidden=2, mu=0.0, random_state=0).lam_path(X)
    lam, J = np.asarray(path["lam"]), np.asarray(path["objective"])
    share = np.asarray(path["share_nonzero"])
    assert np.all(np.diff(lam) < 0) and np.all(np.isfinite(J))
    assert share[0] <= 1e-3 and share[-1] > 0.5
    assert np.all(np.diff(share) > -0.02)
    assert np.all(np.diff(J) <= 1e-3 * J[0]), "with less lam the minimum can only fall"
    assert np.all(np.asarray(path["residual_scale"]) > 0)


def test_auto_lam_means_the_same_in_every_unit(rng):
    X = correlated(rng, n=200)
    model = RobustAutoencoder(predictor="linear", hidden=2, random_state=0).fit(X)
    scaled = RobustAutoencoder(predictor="linear", hidden=2, random_state=0).fit(1000 * X)
    assert np.all(np.asarray(scaled.lam_) > 0)
    np.testing.assert_allclose(scaled.lam_, model.lam_, rtol=1e-3)
    assert spearmanr(model.score_samples(X), scaled.score_samples(1000 * X))[0] > 0.999
