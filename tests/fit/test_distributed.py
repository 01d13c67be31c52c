"""Fits of sources: one process or several, the same model to the last bit; as good as a fit in memory."""

import warnings

import naive
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ranks import answers, started, together
from source_fits import FEW, QUICK, state, table, users

from robustae import RobustAutoencoder, load
from robustae.fit.distributed.data import spread
from robustae.fit.distributed.shards import SHARDS, Reader, laid_out, step_rows
from robustae.fit.distributed.sums import TreeSum, blocks_of
from robustae.metrics import auroc
from robustae.penalties import L1, Trimmed
from robustae.solvers import Adam
from robustae.utils.checks import InputError

pytestmark = pytest.mark.processes
PREDICTORS = {
    "linear": {"predictor": "linear"},
    "sigmoid": {"predictor": "sigmoid"},
    "constant": {"predictor": "constant"},
    "deep": {"predictor": "deep", "solver": FEW},
    "conv": {"predictor": "conv", "image_shape": (2, 3), "solver": FEW},
    "auto": {"predictor": "auto"},
    "module": {"predictor": users(), "solver": FEW},
    "trimmed": {"predictor": "deep", "penalty": Trimmed(0.1, L1()), "solver": FEW},
    "plain": {"predictor": "deep", "lam": float("inf"), "scaling": None, "solver": Adam(1e-3, 50, epochs=2)},
    "exact": {"predictor": "linear", "dtype": "float64", "penalty": "rows"},
}


def fits(rank, source, cases, **options):
    """Fit one case after the other, in whatever world this process is."""
    warnings.simplefilter("error")
    return [state(RobustAutoencoder(**QUICK | case).fit_source(source, **options)) for case in cases]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    np.save(path, table()[0])
    return path


# ---------------------------------------------------------------- any number of processes


def test_one_two_and_three_processes_make_the_same_model_to_the_last_bit(file):
    cases = list(PREDICTORS.values())
    alone = fits(0, file, cases)
    for size in (2, 3):
        for of_rank in together(size, fits, file, cases):
            for name, one, other in zip(PREDICTORS, alone, of_rank, strict=True):
                assert one == other, (size, name)


def parts(rank, X, cut):
    return fits(rank, X[:cut] if rank == 0 else X[cut:], [QUICK, PREDICTORS["deep"]], own_rows=True)


def test_uneven_rows_of_each_process_weigh_as_rows(file):
    """A thousand to one: the same as one process that has both parts."""
    X = table(n=4004)[0]
    pooled = fits(0, [X[:4000], X[4000:]], [QUICK, PREDICTORS["deep"]], own_rows=True)
    assert together(2, parts, X, 4000) == [pooled, pooled]


def test_parts_come_near_the_fit_of_all_rows_in_one(file):
    X = table(n=4004)[0]
    in_one = RobustAutoencoder(**QUICK).fit_source(X)
    in_parts = RobustAutoencoder(**QUICK).fit_source([X[:4000], X[4000:]], own_rows=True)
    np.testing.assert_allclose(in_parts.reconstruct(X), in_one.reconstruct(X), atol=0.1)


def unlike(rank, X):
    return fits(rank, X[rank:], [QUICK])


def test_processes_that_see_different_rows_are_told_so():
    for good, sentence in answers(started(2, unlike, table(300)[0])):
        assert not good and "read other rows" in sentence and "own_rows" in sentence


def failing(rank, path):
    return fits(rank, path, [QUICK])


def test_what_one_process_cannot_read_is_said_by_all(tmp_path):
    X = table(300)[0]
    X[7] = np.inf
    np.save(tmp_path / "bad.npy", X)
    for good, sentence in answers(started(2, failing, tmp_path / "bad.npy")):
        assert not good and sentence.startswith("InputError") and "row 7" in sentence


def own_seed(rank, path):
    return fits(rank, path, [PREDICTORS["deep"] | {"random_state": None}])


def test_the_first_process_chooses_the_seed(file):
    one, other = together(2, own_seed, file)
    assert one == other


# ---------------------------------------------------------------- the sums


class Everybody:
    """A world whose processes are run one after the other: first to collect, then to answer."""

    def __init__(self, size):
        self.size, self.sent = size, []

    def gather(self, part):
        self.sent.append(part)
        return torch.stack(self.sent) if len(self.sent) == self.size else part[None].repeat(self.size, 1, 1)


@given(size=st.integers(1, 8), seed=st.integers(0, 1000))
def test_a_tree_sum_is_the_same_for_any_number_of_processes(size, seed):
    leaves = torch.from_numpy(np.random.default_rng(seed).normal(size=(8, 5)).astype(np.float32))
    leaves *= torch.logspace(-6, 6, 8)[:, None]
    pairs = leaves[0::2] + leaves[1::2]
    expected = (pairs[0] + pairs[1]) + (pairs[2] + pairs[3])
    owned = [range(8 * rank // size, 8 * (rank + 1) // size) for rank in range(size)]
    world = Everybody(size)
    sums = [TreeSum(world, owned, rank)(lambda shard: leaves[shard].clone()) for rank in range(size)]
    torch.testing.assert_close(sums[-1], expected, rtol=0, atol=0)


@given(st.integers(0, 30), st.integers(1, 40))
def test_blocks_make_up_a_run_of_shards(first, count):
    found = [
        k
        for level, number in blocks_of(range(first, first + count))
        for k in range(2**level * number, 2**level * (number + 1))
    ]
    assert found == list(range(first, first + count))


# ---------------------------------------------------------------- the order of rows


@given(n=st.integers(0, 3000), steps=st.integers(1, 40), d=st.integers(1, 2000), epoch=st.integers(0, 3))
def test_an_epoch_takes_every_row_once_from_wherever_it_begins(n, steps, d, epoch):
    rows = np.repeat(np.arange(n + 5, dtype=np.float32)[:, None], d, axis=1)
    whole = Reader(rows, 5, n, (0, epoch, 0))
    taken = [whole.take(*step_rows(n, step, steps))[:, 0] for step in range(steps)]
    assert sorted(np.concatenate(taken)) == list(range(5, n + 5))
    late = Reader(rows, 5, n, (0, epoch, 0))
    assert (late.take(*step_rows(n, steps - 1, steps))[:, 0] == taken[-1]).all()
    assert n < 2 or all(len(part) != 1 for part in taken)


def test_rows_are_mixed_and_otherwise_in_every_epoch():
    rows = np.arange(5000, dtype=np.float32)[:, None]
    one, two = (Reader(rows, 0, 5000, (0, epoch, 0)).take(0, 5000)[:, 0] for epoch in (0, 1))
    assert abs(np.corrcoef(one, np.arange(5000))[0, 1]) < 0.1
    assert (one != two).mean() > 0.99
    in_order = Reader(np.arange(5e6, dtype=np.float32)[:, None], 0, 5_000_000, (0, 0, 0), in_order=True)
    assert in_order.take(0, 2**20)[:, 0].max() == 2**20 - 1


@given(parts=st.lists(st.integers(0, 50), min_size=1, max_size=12), size=st.integers(1, 12), data=st.data())
def test_every_row_is_in_one_shard_of_one_process(parts, size, data):
    size = min(size, len(parts)) if len(parts) > 1 else size
    cuts = sorted(data.draw(st.permutations(range(1, len(parts))))[: size - 1])
    owners = [sum(p >= cut for cut in cuts) for p in range(len(parts))]
    layout = laid_out(parts, owners, size)
    shards = [shard for owned in layout.owned for shard in owned]
    assert shards == list(range(len(layout.bounds) - 1)) and len(shards) >= SHARDS
    assert layout.n == sum(parts) and list(layout.bounds) == sorted(layout.bounds)
    assert len(shards) & (len(shards) - 1) == 0 and len(layout.owned) == size
    if len(parts) > 1:
        for rank, owned in enumerate(layout.owned):
            mine = [n for n, owner in zip(parts, owners, strict=True) if owner == rank]
            assert sum(map(layout.size, owned)) == sum(mine)


@given(n=st.integers(1, 10**7), at_most=st.integers(1, 300))
def test_spread_rows_are_in_order_and_each_once(n, at_most):
    places = spread(n, at_most)
    assert len(places) == min(n, at_most) and (np.diff(places) > 0).all()
    assert places[0] >= 0 and places[-1] < n


# ---------------------------------------------------------------- against the fit in memory


@pytest.mark.parametrize("predictor", ["auto", "linear", "deep"])
def test_a_source_is_fitted_as_well_as_rows_in_memory(predictor, tmp_path):
    pytest.importorskip("pyarrow")
    from robustae.data.writers import write_matrix

    X, y = naive.planted_rows(n=3000, d=20, anomalies=150)
    X = X.astype(np.float32)
    for k, part in enumerate(np.split(X, 3)):
        write_matrix(tmp_path / f"{k}.parquet", part, [f"c{j}" for j in range(20)])
    settings = {"predictor": predictor, "random_state": 0}
    whole = RobustAutoencoder(**settings).fit(X)
    model = RobustAutoencoder(**settings).fit(str(tmp_path / "*.parquet"))
    del model.feature_names_in_
    in_memory, in_batches = (auroc(y, -one.score_samples(X)) for one in (whole, model))
    assert in_batches > in_memory - 0.01
    assert abs((model.predict(X) < 0).mean() - (whole.predict(X) < 0).mean()) < 0.02


def test_more_rows_teach_a_network_more_than_the_sample(monkeypatch):
    """The epochs go through all rows, not those of the sample alone."""
    from robustae.fit.distributed import beginning

    monkeypatch.setattr(beginning, "ROWS", 500)
    X = table(n=20_000, wild=0.0)[0]
    settings = {"predictor": "deep", "hidden": 2, "random_state": 0}
    of_sample, of_all = (RobustAutoencoder(max_iter=k, **settings).fit_source(X) for k in (0, 10))
    held_out = np.nan_to_num(table(n=2000, seed=5, wild=0.0)[0])
    errors = [np.mean((held_out - one.reconstruct(held_out)) ** 2) for one in (of_sample, of_all)]
    assert errors[1] < 0.9 * errors[0]


def test_a_fitted_source_knows_its_columns_and_can_be_saved(tmp_path):
    pytest.importorskip("pyarrow")
    from robustae.data.writers import write_matrix

    X = table(400)[0]
    write_matrix(tmp_path / "t.parquet", X, list("abcdef"))
    model = RobustAutoencoder(**QUICK).fit_source(tmp_path / "t.parquet")
    assert model.feature_names_in_.tolist() == list("abcdef")
    assert model.n_features_in_ == 6 and model.n_samples_fit_ == 400
    assert model.n_iter_ == 2 and len(model.history_) == 3 and model.objective_ == model.history_[-1]
    assert "2 epochs over 400 rows" in model.status_
    model.save(tmp_path / "m.rae")
    same = load(tmp_path / "m.rae")
    scores = model.score_source(tmp_path / "t.parquet")
    np.testing.assert_array_equal(same.score_source(tmp_path / "t.parquet"), scores)
    assert model.fit(X).n_features_in_ == 6 and not hasattr(model, "feature_names_in_")


def test_batches_of_any_kind_make_the_same_model(file):
    X = np.load(file)
    sources = [file, X, [X[:700], X[700:]], lambda: iter(np.array_split(X, 7))]
    found = [fits(0, source, [QUICK])[0] for source in sources]
    assert all(one == found[0] for one in found)
    one_by_one = RobustAutoencoder(**QUICK).fit_source(iter(np.array_split(X, 7)))
    assert state(one_by_one) == found[0]


def test_decoding_again_is_as_good_as_keeping_the_rows(file):
    settings = {"predictor": "deep", "hidden": 2, "max_iter": 5, "random_state": 0}
    X = np.nan_to_num(np.load(file))
    kept, again = (RobustAutoencoder(**settings).fit_source(file, spill=spill) for spill in (None, False))
    errors = [np.median((X - model.reconstruct(X)) ** 2) for model in (kept, again)]
    assert errors[1] < 1.2 * errors[0]


def test_rows_kept_by_one_fit_serve_the_next(file, tmp_path):
    fits(0, file, [QUICK], spill=tmp_path)
    told = []
    again = RobustAutoencoder(**QUICK)
    again.fit_source(file, spill=tmp_path, progress=lambda what, rows, of: told.append(what))
    assert "read" not in told and "fit" in told


def test_nothing_global_is_changed_and_nothing_is_left_behind(file, tmp_path, monkeypatch):
    import signal
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    X = table(500)[0]
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads(), X.copy()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    fits(0, X, [PREDICTORS["deep"], PREDICTORS["module"]])
    assert torch.equal(before[0], torch.get_rng_state()) and torch.get_num_threads() == before[2]
    assert (np.random.get_state()[1] == before[1]).all()
    np.testing.assert_array_equal(X, before[3])
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert not list(tmp_path.iterdir())


def test_progress_and_callback_count_up_to_the_end(file):
    rows, epochs = [], []
    RobustAutoencoder(**QUICK).fit_source(
        file,
        progress=lambda what, done, of: rows.append((what, done, of)),
        callback=lambda epoch, of, J: epochs.append((epoch, of)),
    )
    assert epochs == [(1, 2), (2, 2)]
    assert rows[-1] == ("fit", 3000, 3000) and ("read", 1500, 1500) in rows
    done = [at for what, at, _ in rows if what == "fit"]
    assert done == sorted(done)


# ---------------------------------------------------------------- what cannot be done


@pytest.mark.parametrize(
    ("settings", "options", "words"),
    [
        ({"n_estimators": 3}, {}, "n_estimators=3"),
        ({"solver": "lbfgs"}, {}, "solver='lbfgs'"),
        ({}, {"resume": True}, "resume=True"),
        ({"image_shape": (2, 2)}, {}, "image_shape"),
        ({"lam": 0}, {}, "lam"),
        ({"batch_size": 0}, {}, "batch_size"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(file, settings, options, words):
    with pytest.raises(InputError) as caught:
        RobustAutoencoder(**QUICK | settings).fit_source(file, **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_sample_weights_are_for_rows_in_memory(file):
    with pytest.raises(InputError, match="sample_weight"):
        RobustAutoencoder(**QUICK).fit(lambda: iter([table(20_001)[0]]), sample_weight=np.ones(20_001))


def test_one_row_is_too_few():
    with pytest.raises(InputError, match="at least 2 rows"):
        RobustAutoencoder(**QUICK).fit_source(table(1)[0])


@pytest.mark.parametrize("n", [2, 3, 9, 17])
def test_a_handful_of_rows_is_fitted(n):
    model = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit_source(table(n)[0])
    assert np.isfinite(model.score_samples(table(n)[0])).all()


def test_columns_without_spread_or_observed_cells_are_fitted():
    X = table(300)[0]
    X[:, 1], X[:, 2] = 3.0, np.nan
    model = RobustAutoencoder(**QUICK).fit_source(X)
    assert np.isfinite(model.score_samples(X)).all()


def test_cells_too_large_for_float32_squares_are_refused():
    X = table(300)[0]
    X[5, 1] = 1e20
    with pytest.raises(InputError, match="float64"):
        RobustAutoencoder(**QUICK | {"penalty": "rows"}).fit_source(X)
    exact = RobustAutoencoder(**QUICK | {"penalty": "rows", "dtype": "float64"}).fit_source(X)
    assert np.isfinite(exact.score_samples(X)).all()
