"""Quantiles of streams: within the promised error in any order, after any merging, with holes and ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from naive_streams import error_bound, rank_error

from robustae.stats.sketches import QuantileSketch
from robustae.utils.checks import InputError

Q = np.linspace(0, 1, 41)
SMALL = 16  # items: halvings begin at 32 rows

cells = st.one_of(
    st.floats(-1e30, 1e30, allow_nan=False),
    st.integers(-3, 3).map(float),
    st.sampled_from([np.nan, 0.0, -0.0, 1e30, -1e30]),
)


@st.composite
def tables(draw):
    """Up to 1000 rows of up to 3 columns, each of a few values and the numbers between two of them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    values = draw(arrays(np.float64, (draw(st.integers(1, 3)), draw(st.integers(1, 6))), elements=cells))
    n = draw(st.integers(1, 1000))
    X = np.stack([rng.choice(column, n) for column in values], axis=1)
    between = rng.random(X.shape) < draw(st.sampled_from([0, 0.5, 1]))
    X[between] *= rng.random(between.sum())
    return X


def of(*batches, size=SMALL):
    sketch = QuantileSketch(batches[0].shape[1], size)
    for batch in batches:
        sketch.add(batch)
    return sketch


def assert_sums_up(sketch, X):
    """All that a sketch of the rows X promises."""
    observed = ~np.isnan(X)
    np.testing.assert_array_equal(sketch.count, observed.sum(0))
    np.testing.assert_array_equal(sketch.missing, (~observed).sum(0))
    found = sketch.quantile(Q)
    for j in range(X.shape[1]):
        if not observed[:, j].any():
            assert np.isnan(found[:, j]).all() and np.isnan(sketch.least[j])
            continue
        x = X[observed[:, j], j]
        assert (sketch.least[j], sketch.most[j]) == (x.min(), x.max())
        # Half a step lies between two neighbours of a few values.
        assert rank_error(x, Q, found[:, j]) <= error_bound(len(X), sketch.size) + 1 / len(x)
        assert (np.diff(found[:, j]) >= 0).all()


@given(tables(), st.integers(1, 7))
def test_within_the_error_whatever_the_batches(X, parts):
    assert_sums_up(of(*np.array_split(X, parts)), X)


@given(tables(), st.permutations(range(5)), st.booleans())
def test_merged_in_any_order_and_grouping(X, order, left):
    sketches = [of(part) for part in np.array_split(X, 5)]
    a, b, c, d, e = (sketches[k] for k in order)
    merged = a.merge(b).merge(c).merge(d).merge(e) if left else a.merge(b.merge(c)).merge(d.merge(e))
    assert_sums_up(merged, X)


@pytest.mark.parametrize("missing", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("order", ["random", "rising", "falling", "sawtooth"])
def test_a_thousandth_of_long_columns_in_any_order(rng, missing, order):
    """The promise is half a percent; what alternation leaves of it is far less."""
    n = 300_000
    X = rng.standard_t(2, size=(n, 2))
    if order != "random":
        X.sort(axis=0)
    if order == "falling":
        X = X[::-1]
    if order == "sawtooth":
        X = X.reshape(300, 1000, 2).swapaxes(0, 1).reshape(n, 2)
    X[rng.random(X.shape) < missing] = np.nan
    sketch = of(*np.array_split(X, 61), size=2048)
    worst = max(rank_error(X[:, j], Q, sketch.quantile(Q)[:, j]) for j in range(2))
    assert worst < (0.001 if missing < 0.9 else 0.003)


def test_exact_while_few(rng):
    X = rng.normal(size=(4095, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    sketch = of(X[:1000], X[1000:], size=2048)
    np.testing.assert_allclose(sketch.quantile(Q), np.nanquantile(X, Q, axis=0), rtol=1e-12, atol=1e-12)


def test_constant_columns_and_two_values_are_exact(rng):
    X = np.column_stack([np.full(10_000, 7.25), rng.random(10_000) < 0.3]).astype(float)
    low, middle, high = of(*np.array_split(X, 3)).quantile([0.25, 0.5, 0.9])
    assert (low[0], middle[0], high[0]) == (7.25, 7.25, 7.25)
    assert (middle[1], high[1]) == (0, 1)


def test_memory_grows_with_the_logarithm_of_the_rows(rng):
    def items(n):
        state = of(*np.array_split(rng.normal(size=(n, 2)), 20)).state()
        return sum(values.size for values in state.values())

    assert items(320_000) - items(10_000) <= 2 * 5 * SMALL + 2 * 2 * SMALL + 50


def test_state_is_all_there_is(rng):
    first, second = rng.normal(size=(2, 5000, 3))
    first[::3, 1] = np.nan
    sketch = of(first)
    copy = QuantileSketch.of_state(sketch.state())
    for one in (sketch, copy):
        one.add(second)
    for name, values in sketch.state().items():
        np.testing.assert_array_equal(values, copy.state()[name])
    np.testing.assert_array_equal(sketch.quantile(Q), copy.quantile(Q))


def test_merging_and_adding_change_nothing_that_was_handed_in(rng):
    X = rng.normal(size=(500, 2))
    before = X.copy()
    a, b = of(X), of(X[:70])
    states = a.state(), b.state()
    merged = a.merge(b)
    merged.add(X)
    np.testing.assert_array_equal(X, before)
    for sketch, state in zip((a, b), states, strict=True):
        for name, values in sketch.state().items():
            np.testing.assert_array_equal(values, state[name])


def test_layout_and_type_of_a_batch_do_not_matter(rng):
    X = rng.integers(-100, 100, size=(1000, 4))
    expected = of(X.astype(float)).quantile(Q)
    for batch in (X, X.astype(np.float32), np.asfortranarray(X.astype(float)), np.repeat(X, 2, axis=0)[::2]):
        np.testing.assert_array_equal(of(batch).quantile(Q), expected)


def test_an_empty_batch_and_no_batch_at_all():
    sketch = of(np.empty((0, 2)))
    assert sketch.count.tolist() == [0, 0]
    assert np.isnan(sketch.quantile([0.5])).all()


def test_sketches_of_different_columns_do_not_merge(rng):
    with pytest.raises(InputError, match="cannot be merged"):
        QuantileSketch(2).merge(QuantileSketch(3))
