"""Solvers: descent, agreement, stopping, interruption, no trace left in the process."""

import math
import random
import warnings

import naive
import numpy as np
import pytest
import torch

from robustae import RobustAutoencoder
from robustae.penalties import L1, NoPenalty, Trimmed
from robustae.solvers import LBFGS, Adam, Alternating, Budget
from robustae.solvers.objective import Problem
from robustae.utils.checks import InputError

SMALL = {"hidden": 2, "random_state": 0, "dtype": "float64"}
SOLVERS = ["alternating", "lbfgs", "adam"]


@pytest.fixture(scope="module")
def X():
    return naive.planted(n=120, d=8, rank=2, share=0.05)[0]


def never_rises(history):
    history = np.asarray(history)
    return bool(np.all(np.diff(history) <= 1e-9 * np.abs(history[:-1])))


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid", "deep"])
@pytest.mark.parametrize("lam", [0.5, "auto"])
def test_alternation_never_raises_the_objective(predictor, lam, X):
    model = RobustAutoencoder(predictor=predictor, solver="alternating", lam=lam, max_iter=60, **SMALL).fit(X)
    assert len(model.history_) >= 2
    if lam != "auto":
        assert never_rises(model.history_)
    assert model.history_[-1] <= model.history_[0] * (1 + 1e-9)


@pytest.mark.parametrize("penalty", ["rows", Trimmed(0.1), Trimmed(0.1, inner=L1())], ids=repr)
def test_other_penalties_never_raise_it_either(penalty, X):
    settings = {"predictor": "linear", "solver": "alternating", "lam": 1.0, "max_iter": 60, **SMALL}
    model = RobustAutoencoder(penalty=penalty, **settings).fit(X)
    assert never_rises(model.history_)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid", "deep"])
def test_every_solver_fits_every_predictor_and_says_how_it_ended(solver, predictor, X):
    model = RobustAutoencoder(predictor=predictor, solver=solver, max_iter=40, **SMALL).fit(X)
    assert np.all(np.isfinite(model.score_samples(X)))
    assert isinstance(model.status_, str) and len(model.status_.split()) >= 2
    assert 1 <= model.n_iter_ <= 40
    assert math.isfinite(model.objective_) and np.all(np.isfinite(model.history_))
    Xhat = model.reconstruct(X)
    assert np.median(np.abs(X - Xhat)) < np.median(np.abs(X - np.median(X, axis=0))) * 1.01


def test_the_solvers_agree_within_a_few_percent(X):
    settings = {"predictor": "linear", "lam": 2.0, "mu": 0.01, "tol": 1e-9, "max_iter": 3000, **SMALL}
    alternating = RobustAutoencoder(solver="alternating", **settings).fit(X).objective_
    assert alternating == pytest.approx(
        RobustAutoencoder(solver="lbfgs", **settings).fit(X).objective_, rel=0.05
    )


def test_auto_picks_a_solver_that_is_no_worse_than_a_few_percent(X):
    settings = {"predictor": "sigmoid", "lam": 1.0, **SMALL}
    auto = RobustAutoencoder(**settings).fit(X).objective_
    best = min(RobustAutoencoder(solver=s, **settings).fit(X).objective_ for s in SOLVERS)
    assert auto <= 1.1 * best


def test_solver_objects_stand_for_their_names(X):
    settings = {"predictor": "linear", "lam": 1.0, **SMALL}
    for name, solver in {"alternating": Alternating(), "lbfgs": LBFGS(), "adam": Adam()}.items():
        by_name = RobustAutoencoder(solver=name, **settings).fit(X)
        by_object = RobustAutoencoder(solver=solver, **settings).fit(X)
        np.testing.assert_array_equal(by_name.score_samples(X), by_object.score_samples(X))


def test_small_batches_weigh_mu_like_the_whole(X):
    """Omega counts batch / n in a batch, else eight rows at a time would shrink the weights 15-fold."""
    settings = {"predictor": "linear", "lam": 2.0, "mu": 20.0, "max_iter": 200, **SMALL}
    whole = RobustAutoencoder(solver="lbfgs", **settings).fit(X).objective_
    assert RobustAutoencoder(solver=Adam(lr=0.01), batch_size=8, **settings).fit(X).objective_ < 1.02 * whole


def test_max_iter_is_obeyed_and_told(X):
    settings = {"predictor": "sigmoid", "solver": "lbfgs", "max_iter": 2, "tol": 0.0, "lam": 0.5, **SMALL}
    model = RobustAutoencoder(**settings).fit(X)
    assert model.n_iter_ <= 2
    assert "max_iter" in model.status_


def test_rows_dropped_by_trimming_do_not_pull_the_fit():
    X, _ = naive.planted_rows(anomalies=0)
    clean = RobustAutoencoder(predictor="linear", lam=math.inf, scaling=None, **SMALL).fit(X).reconstruct(X)
    wild = X.copy()
    wild[:20] += 50 * np.random.default_rng(3).standard_normal((20, X.shape[1]))
    settings = {"predictor": "linear", "scaling": "robust", **SMALL}
    trimmed = RobustAutoencoder(penalty=Trimmed(0.1), **settings).fit(wild)
    assert np.median(np.abs(trimmed.reconstruct(X)[20:] - clean[20:])) < 0.1
    assert set(np.argsort(trimmed.score_samples(wild))[:20]) == set(range(20))


# ---------------------------------------------------------------- the same seed, the same fit; no trace


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_same_seed_gives_the_same_fit(solver, X):
    settings = {"predictor": "deep", "solver": solver, "max_iter": 20, **SMALL}
    first, second = (RobustAutoencoder(**settings).fit(X).score_samples(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "predictor", ["sigmoid", "deep", torch.nn.Linear(8, 8), lambda d: torch.nn.Linear(d, 8)]
)
def test_global_state_of_the_process_is_left_alone(solver, predictor, X):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    states = random.getstate(), str(np.random.get_state()), torch.get_rng_state(), np.get_printoptions()
    before = X.copy()
    try:
        settings = {"predictor": predictor, "solver": solver, "max_iter": 2, "hidden": 2, "lam": 1.0}
        model = RobustAutoencoder(random_state=0, **settings).fit(X)
        model.explain(X), model.predict(X), model.repaired(X)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert random.getstate() == states[0]
    assert str(np.random.get_state()) == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
    assert np.get_printoptions() == states[3]
    assert torch.get_default_dtype() == torch.float32
    np.testing.assert_array_equal(X, before)


def test_threads_are_restored_after_a_failure(X):
    class Broken(torch.nn.Linear):
        def forward(self, x):
            if len(x) > 2:
                raise RuntimeError("broken on purpose")
            return super().forward(x)

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError, match="broken on purpose"):
            RobustAutoencoder(predictor=Broken(8, 8)).fit(X)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


# ---------------------------------------------------------------- Ctrl-C


def interrupting(after):
    """A module on which Ctrl-C is pressed in its so manieth training pass."""

    class Interrupted(torch.nn.Linear):
        passes = 0

        def forward(self, x):
            if torch.is_grad_enabled():
                type(self).passes += 1
                if type(self).passes == after:
                    raise KeyboardInterrupt
            return super().forward(x)

    return Interrupted


@pytest.mark.parametrize("solver", SOLVERS)
def test_ctrl_c_returns_the_best_fit_so_far_with_a_warning(solver, X):
    settings = {"solver": solver, "lam": 1.0, "max_iter": 10_000, "tol": 0.0}
    model = RobustAutoencoder(predictor=interrupting(12)(8, 8), **settings)
    with pytest.warns(UserWarning, match="(?i)interrupt"):
        model.fit(X)
    assert "interrupt" in model.status_.lower()
    assert np.all(np.isfinite(model.score_samples(X))) and model.predict(X).shape == (len(X),)
    assert model.objective_ <= min(model.history_) * (1 + 1e-6)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"solver": "ibfgs"}, "did you mean 'lbfgs'"),
        ({"solver": 3}, "solver"),
        ({"max_iter": 2.5}, "max_iter"),
        ({"max_iter": -5}, "max_iter"),
        ({"tol": -1.0}, "tol"),
        ({"batch_size": 0}, "batch_size"),
        ({"mu": -0.1}, "mu"),
    ],
)
def test_a_wrong_setting_of_the_solver_is_refused_by_name(settings, words, X):
    with pytest.raises(InputError, match=words):
        RobustAutoencoder(predictor="linear", **settings).fit(X)


def test_a_fit_says_nothing_where_nothing_is_wrong(X, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RobustAutoencoder(random_state=0).fit(X).predict(X)
    assert capsys.readouterr().out == ""


def test_verbose_shows_progress_and_changes_nothing(X, capsys):
    quiet = RobustAutoencoder(predictor="linear", **SMALL).fit(X)
    loud = RobustAutoencoder(predictor="linear", verbose=1, **SMALL).fit(X)
    seen = capsys.readouterr()
    assert seen.out + seen.err
    np.testing.assert_array_equal(quiet.score_samples(X), loud.score_samples(X))


def test_the_callback_counts_on_over_the_rounds_of_lam(rng):
    X = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 6)) + 0.3 * rng.normal(size=(80, 6))
    seen = []
    RobustAutoencoder(predictor="linear", hidden=2).fit(X, callback=lambda i, n, J: seen.append((i, n)))
    iterations = [i for i, _ in seen]
    assert iterations == sorted(set(iterations)) and iterations[0] == 1
    assert all(i <= n for i, n in seen)


# ---------------------------------------------------------------- steps of Adam


class Watched(torch.nn.Linear):
    """Notes the rows of every training pass."""

    def __init__(self, d):
        super().__init__(d, d)
        self.passes = []
        with torch.no_grad():
            self.weight.fill_(0.1), self.bias.zero_()

    def forward(self, x):
        if torch.is_grad_enabled():
            self.passes.append(x.detach().clone())
        return super().forward(x)


def problem_of(rows, weight=None, penalty=None, lam=math.inf):
    rows = torch.as_tensor(rows, dtype=torch.float32)
    weight = None if weight is None else torch.as_tensor(weight, dtype=torch.float32)
    return Problem(rows, rows, None, weight, penalty or NoPenalty(), lam, 0.0)


def numbered(n):
    """Rows told apart by their first cell."""
    return np.column_stack([np.arange(n), np.ones((n, 2))])


def steps_of(solver, n, seed=0, **budget):
    module = Watched(3)
    result = solver.solve(problem_of(numbered(n)), module, Budget(tol=-math.inf, **budget), seed)
    return result, [len(rows) for rows in module.passes]


def test_rows_of_weight_0_are_in_no_step(rng):
    rows = rng.normal(size=(40, 3))
    weight = np.ones(40)
    weight[[0, 7, 39]] = 0
    fits = []
    for absurd in (1e12, -3.0):
        rows[[0, 7, 39]] = absurd
        module = Watched(3)
        problem = problem_of(rows, weight, L1(), 1.0)
        Adam().solve(problem, module, Budget(max_iter=3, batch_size=8), seed=1)
        seen = torch.cat(module.passes)
        assert len(seen) == 3 * 37 and not (seen == np.float32(absurd)).all(1).any()
        fits.append(module.weight.detach().clone())
    assert torch.equal(*fits)


@pytest.mark.parametrize("weight", [None, [1, 0, 2, 0.5, 0, 1, 3], [0, 0, 0, 0, 0, 0, 1]])
def test_an_epoch_goes_through_every_row_that_takes_part_once(weight):
    problem = problem_of(numbered(7), weight)
    expected = [i for i in range(7) if weight is None or weight[i] > 0]
    orders = [problem.shuffled(torch.Generator().manual_seed(seed)).tolist() for seed in range(5)]
    assert all(sorted(order) == expected for order in orders)
    assert len(expected) == 1 or len(set(map(tuple, orders))) > 1, "in a fresh order"
    assert problem.shuffled(torch.Generator().manual_seed(3)).tolist() == orders[3]


@pytest.mark.parametrize(("n", "rows"), [(100, 16), (400, 16), (150, 8)])
def test_about_as_many_steps_as_told_of_as_many_rows(n, rows):
    result, sizes = steps_of(Adam(steps=120, rows=rows, epochs=1), n)
    assert set(sizes[: n // rows]) == {rows}
    assert sum(sizes) / rows == pytest.approx(120, abs=n / rows), "whole epochs"
    assert sum(sizes) == n * result.n_iter


def test_a_large_set_is_gone_through_as_often_as_said_at_least():
    assert steps_of(Adam(steps=10, rows=16, epochs=4), 3000)[0].n_iter == 4
    assert steps_of(Adam(steps=10), 3000)[0].n_iter == 20, "where it is not said"
    assert steps_of(Adam(steps=10**9, rows=16), 32)[0].n_iter == 300, "and a small one 300 times at most"


def test_what_the_user_says_of_batches_and_epochs_comes_first():
    result, sizes = steps_of(Adam(steps=120, rows=16), 100, batch_size=50, max_iter=2)
    assert result.n_iter == 2 and sizes == [50, 50, 50, 50]
    assert steps_of(Adam(rows=16), 5, max_iter=1)[1] == [5]


@pytest.mark.parametrize("fall", [0.1, 0.25, 0.9])
def test_the_learning_rate_rises_stays_and_falls_at_the_end(fall, monkeypatch):
    rates = []

    class Noting(torch.optim.Adam):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Noting)
    steps_of(Adam(lr=0.5, fall=fall), 40, batch_size=4, max_iter=10)
    np.testing.assert_allclose(rates, naive.one_cycle(0.5, 100, fall), rtol=1e-9)


@pytest.mark.parametrize(("epochs", "times"), [(12, 12), (29, 29), (30, 15), (45, 15)])
def test_lam_is_brought_up_to_date_fifteen_times_or_a_few_more(epochs, times):
    module, calls = Watched(3), []

    def refresh(problem, module):
        calls.append(len(module.passes) // 4)
        return problem

    budget = Budget(max_iter=epochs, batch_size=10, tol=-math.inf)
    Adam(refresh=refresh).solve(problem_of(numbered(40)), module, budget)
    assert calls == list(range(0, epochs, epochs // times))


class Unfused(L1):
    """A penalty that torch has no kernel for."""


@pytest.mark.parametrize("lam", [0.3, 4.0, math.inf])
@pytest.mark.parametrize("weight", [None, [1.0] * 9, [1.0] * 6 + [0, 2, 3]], ids=["none", "ones", "some"])
def test_the_fused_loss_is_the_sum_of_the_envelopes(weight, lam, rng):
    rows = rng.normal(size=(9, 3))
    alike = torch.tensor([4, 0, 2])
    for part in (alike, slice(None)):
        found = []
        for penalty in (L1(), Unfused()):
            module = Watched(3)
            loss = problem_of(rows, weight, penalty, lam).loss(module, part)
            loss.backward()
            found.append((loss.item(), module.weight.grad))
        R = (torch.as_tensor(rows) - module(torch.as_tensor(rows).float())).detach().numpy()
        w = np.ones(9) if weight is None else np.asarray(weight)
        terms = [[naive.l1_envelope(r, lam) if lam < math.inf else r * r for r in row] for row in R]
        expected = (w[:, None] * np.array(terms))[np.arange(9)[part]].sum()
        assert found[0][0] == pytest.approx(expected, rel=1e-5)
        assert found[1][0] == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(found[0][1], found[1][1])


@pytest.mark.parametrize("iterations", [3, 30])
def test_the_status_counts_the_rounds_before(iterations, rng):
    """The last round has what earlier ones left of max_iter, and may have nothing."""
    X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(400, 8))
    X[:20] += 20
    model = RobustAutoencoder(predictor="linear", hidden=2, tol=0, max_iter=iterations, random_state=0).fit(X)
    assert model.n_iter_ == iterations and f"max_iter={iterations} " in model.status_
