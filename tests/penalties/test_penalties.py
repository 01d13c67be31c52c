"""Known answers 1: what a penalty promises, judged by loops straight from the equations."""

import math
from itertools import pairwise

import naive
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robustae import RobustAutoencoder
from robustae.penalties import L1, Channels, Groups, NoPenalty, Patches, Rows, Trimmed
from robustae.utils.checks import InputError

D = 6
GROUPS = {
    "l1": (L1(), range(D)),
    "rows": (Rows(), [0] * D),
    "channels": (Channels(3), [0, 0, 0, 1, 1, 1]),
    "patches": (Patches(2, 2, image_shape=(2, 3)), naive.patch_groups((2, 3), 2, 2)),
    "groups": (Groups([0, 1, 0, 2, 2, 2]), [0, 1, 0, 2, 2, 2]),
}
CONVEX = [penalty for penalty, _ in GROUPS.values()] + [NoPenalty()]
EVERY = [*CONVEX, Trimmed(0.3), Trimmed(0.3, inner=L1())]


def name(penalty):
    return repr(penalty)


# Values of very different size are the point; subnormal ones only measure rounding.
cells = st.floats(-1e6, 1e6).map(lambda v: 0.0 if abs(v) < 1e-9 else v)
residuals = st.integers(1, 8).flatmap(lambda n: arrays(float, (n, D), elements=cells))
lams = st.floats(1e-3, 1e3)


def close(got, expected, scale=1.0):
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-9, atol=1e-9 * scale)


def size(R):
    """Rounding is judged against the largest square in play."""
    return max(1.0, float(np.max(np.abs(R))) ** 2)


# ---------------------------------------------------------------- by formula and by search


@pytest.mark.parametrize("kind", GROUPS)
@given(R=residuals, lam=lams)
def test_prox_value_and_envelope_are_those_of_the_loops(kind, R, lam):
    penalty, groups = GROUPS[kind]
    groups = list(groups)
    close(penalty.prox(R, lam), naive.group_prox(R, groups, lam), math.sqrt(size(R)))
    close(penalty.value(R, lam), naive.group_value(R, groups, lam), size(R))
    envelope = np.asarray(penalty.envelope(R, lam))
    assert envelope.shape == (len(R), len(set(groups)))
    close(envelope, naive.group_envelope(R, groups, lam), size(R))


@given(r=cells, lam=lams)
def test_prox_of_l1_is_equation_6(r, lam):
    close(L1().prox(np.array([[r]]), lam), [[naive.soft(r, lam / 2)]])


@given(r=st.floats(-100, 100), lam=lams)
def test_l1_envelope_is_the_least_value_found_by_search(r, lam):
    found = naive.l1_envelope_by_search(r, lam)
    assert np.asarray(L1().envelope(np.array([[r]]), lam)).item() == pytest.approx(found, abs=1e-7)


@given(r=arrays(float, 4, elements=st.floats(-100, 100)), lam=lams)
def test_group_envelope_is_the_least_value_found_by_search(r, lam):
    found = naive.group_envelope_by_search(r, lam)
    assert np.asarray(Rows().envelope(r[None], lam)).item() == pytest.approx(found, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("penalty", CONVEX, ids=name)
@given(R=residuals, lam=lams, seed=st.integers(0, 99))
def test_no_other_n_does_better_than_prox(penalty, R, lam, seed):
    N = penalty.prox(R, lam)
    best = float(np.sum(penalty.envelope(R, lam)))
    reached = float(np.sum((R - N) ** 2)) + float(penalty.value(N, lam))
    assert reached == pytest.approx(best, rel=1e-9, abs=1e-9 * size(R))
    rng = np.random.default_rng(seed)
    if isinstance(penalty, NoPenalty):
        return
    for spread in (1e-3, 1.0, 100.0):
        other = N + spread * rng.standard_normal(R.shape)
        assert np.sum((R - other) ** 2) + penalty.value(other, lam) >= best - 1e-9 * size(R)


@given(R=residuals, lam=lams, share=st.floats(0, 0.5))
def test_trimming_reaches_its_envelope_with_l1_on_the_rows_kept(R, lam, share):
    penalty = Trimmed(share, inner=L1())
    N = penalty.prox(R, lam)
    reached = np.sum((R - N) ** 2) + penalty.value(N, lam)
    assert float(reached) == pytest.approx(np.sum(penalty.envelope(R, lam)), rel=1e-9, abs=1e-9 * size(R))


# ---------------------------------------------------------------- identities


@pytest.mark.parametrize("penalty", EVERY, ids=name)
@given(R=residuals, lam=lams)
def test_gradient_is_twice_what_prox_leaves(penalty, R, lam):
    close(penalty.gradient(R, lam), 2 * (R - penalty.prox(R, lam)), math.sqrt(size(R)))


@pytest.mark.parametrize("penalty", CONVEX, ids=name)
@given(R=arrays(float, (3, D), elements=st.floats(-5, 5)), lam=st.floats(0.1, 5))
def test_gradient_is_the_slope_of_the_envelope(penalty, R, lam):
    slope = naive.finite_differences(lambda r: float(np.sum(penalty.envelope(r, lam))), R)
    np.testing.assert_allclose(penalty.gradient(R, lam), slope, atol=1e-4)


@pytest.mark.parametrize("penalty", EVERY, ids=name)
@given(R=residuals, lam=lams)
def test_autograd_through_the_envelope_is_the_gradient(penalty, R, lam):
    R = np.where(np.abs(R) > 1e-6, R, 1.0)  # the norm of a group has no slope at 0
    r = torch.tensor(R, requires_grad=True)
    penalty.envelope(r, lam).sum().backward()
    close(r.grad, penalty.gradient(R, lam), math.sqrt(size(R)))


@pytest.mark.parametrize("penalty", CONVEX, ids=name)
@given(R=residuals)
def test_infinite_lam_is_the_plain_squared_error(penalty, R):
    assert np.sum(penalty.envelope(R, math.inf)) == pytest.approx(np.sum(R**2), rel=1e-12)
    np.testing.assert_array_equal(penalty.prox(R, math.inf), np.zeros_like(R))
    close(penalty.gradient(R, math.inf), 2 * R)
    assert float(penalty.value(np.zeros_like(R), math.inf)) == 0


@pytest.mark.parametrize("penalty", CONVEX, ids=name)
@given(A=arrays(float, (4, D), elements=cells), B=arrays(float, (4, D), elements=cells), lam=lams)
def test_prox_is_firmly_non_expansive(penalty, A, B, lam):
    moved = penalty.prox(A, lam) - penalty.prox(B, lam)
    assert np.sum(moved**2) <= np.sum(moved * (A - B)) + 1e-9 * max(size(A), size(B))


@given(R=residuals, lam=lams)
def test_groups_of_size_one_are_l1(R, lam):
    single = Groups(list(range(D)))
    close(single.prox(R, lam), L1().prox(R, lam), math.sqrt(size(R)))
    close(single.envelope(R, lam), L1().envelope(R, lam), size(R))
    close(single.value(R, lam), L1().value(R, lam), size(R))
    close(single.lam_max(R), L1().lam_max(R))


@given(R=residuals, lam=lams)
def test_rows_of_one_column_are_l1(R, lam):
    column = R[:, :1].copy()
    close(Rows().prox(column, lam), L1().prox(column, lam), math.sqrt(size(R)))


@pytest.mark.parametrize("kind", GROUPS)
@given(R=residuals)
def test_lam_max_is_the_smallest_lam_that_empties_n(kind, R):
    assume(np.max(np.abs(R)) > 1e-6)
    penalty = GROUPS[kind][0]
    border = float(penalty.lam_max(R))
    assert not np.any(penalty.prox(R, border * (1 + 1e-9)))
    assert np.any(penalty.prox(R, border * (1 - 1e-6)))


@pytest.mark.parametrize("penalty", EVERY, ids=name)
@given(R=residuals, lam=lams, seed=st.integers(0, 99))
def test_missing_cells_with_residual_0_stay_0(penalty, R, lam, seed):
    missing = np.random.default_rng(seed).random(R.shape) < 0.4
    R = np.where(missing, 0.0, R)
    assert not np.any(penalty.prox(R, lam)[missing])
    assert not np.any(penalty.gradient(R, lam)[missing])


@pytest.mark.parametrize("penalty", EVERY, ids=name)
def test_groups_of_zeros_give_zeros_in_silence(penalty):
    R = np.zeros((3, D))
    with np.errstate(all="raise"):
        assert not np.any(penalty.prox(R, 1.0)) and not np.any(penalty.envelope(R, 1.0))


@given(R=residuals, lam=arrays(float, D, elements=lams))
def test_l1_takes_one_lam_per_column(R, lam):
    for j in range(D):
        close(L1().prox(R, lam)[:, j : j + 1], L1().prox(R[:, j : j + 1], lam[j]), math.sqrt(size(R)))
        close(L1().envelope(R, lam)[:, j : j + 1], L1().envelope(R[:, j : j + 1], lam[j]), size(R))
    close(L1().value(R, lam), sum(lam[j] * np.abs(R[:, j]).sum() for j in range(D)), size(R))


# ---------------------------------------------------------------- numpy and torch


@pytest.mark.parametrize("penalty", EVERY, ids=name)
@given(R=residuals, lam=st.one_of(lams, st.just(math.inf)))
def test_numpy_and_torch_agree_and_keep_their_kind(penalty, R, lam):
    tensor = torch.tensor(R)
    for method in ("prox", "gradient", "envelope"):
        ours, theirs = getattr(penalty, method)(R, lam), getattr(penalty, method)(tensor, lam)
        assert isinstance(ours, np.ndarray) and isinstance(theirs, torch.Tensor)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-12 * size(R))
    N = penalty.prox(R, lam)
    theirs = float(penalty.value(torch.tensor(N), lam))
    assert float(penalty.value(N, lam)) == pytest.approx(theirs, rel=1e-12)
    assert float(penalty.lam_max(R)) == pytest.approx(float(penalty.lam_max(tensor)), rel=1e-12)


@pytest.mark.parametrize("penalty", EVERY, ids=name)
def test_float32_tensors_stay_float32_and_the_input_is_left_alone(penalty, rng):
    R = rng.standard_normal((5, D)).astype(np.float32)
    before = R.copy()
    assert penalty.prox(torch.from_numpy(R), 0.5).dtype == torch.float32
    assert penalty.gradient(torch.from_numpy(R), 0.5).dtype == torch.float32
    assert penalty.envelope(torch.from_numpy(R), 0.5).dtype == torch.float32
    np.testing.assert_array_equal(R, before)


# ---------------------------------------------------------------- patches, trimming


@pytest.mark.parametrize("image_shape", [(4, 4), (5, 7), (4, 6, 3), (5, 5, 2)])
def test_patches_tile_an_image_of_any_size(image_shape, rng):
    R = rng.standard_normal((3, math.prod(image_shape)))
    groups = naive.patch_groups(image_shape, 2, 3)
    penalty = Patches(2, 3, image_shape=image_shape)
    close(penalty.prox(R, 1.0), naive.group_prox(R, groups, 1.0))
    close(penalty.envelope(R, 1.0).sum(axis=1), naive.group_envelope(R, groups, 1.0).sum(axis=1))


@given(R=residuals, share=st.floats(0, 0.9))
def test_trimmed_drops_the_rows_of_largest_norm_and_no_more_than_its_share(R, share):
    norms = np.linalg.norm(R, axis=1)
    assume(len(set(np.round(norms / max(norms.max(), 1e-9), 6))) == len(R))
    N = Trimmed(share).prox(R, 1.0)
    dropped = naive.trimmed_rows(R, share)
    for i in range(len(R)):
        np.testing.assert_array_equal(N[i], R[i] if i in dropped else np.zeros(D))
    kept = [i for i in range(len(R)) if i not in dropped]
    assert np.sum(Trimmed(share).envelope(R, 1.0)) == pytest.approx(np.sum(R[kept] ** 2), rel=1e-12)


def test_trimmed_with_l1_inside_names_cells_of_the_rows_kept(rng):
    R = rng.standard_normal((10, D))
    R[0] *= 100
    R[1, 2] = 9.0
    N = Trimmed(0.1, inner=L1()).prox(R, 2.0)
    np.testing.assert_array_equal(N[0], R[0])
    close(N[1:], L1().prox(R[1:], 2.0))
    assert N[1, 2] == 8.0


@given(seed=st.integers(0, 30), share=st.floats(0.05, 0.5))
def test_concentration_steps_never_raise_the_objective(seed, share):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 3)) + (rng.random((40, 1)) < 0.2) * 8
    centre, values = np.mean(X, axis=0), []
    for _ in range(10):
        N = Trimmed(share).prox(X - centre, 1.0)
        centre = np.mean(X - N, axis=0) if share == 0 else X[~N.any(axis=1)].mean(axis=0)
        values.append(float(np.sum(Trimmed(share).envelope(X - centre, 1.0))))
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(values))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "penalty",
    [
        Channels(0),
        Channels(4),
        Patches(0, 2, image_shape=(2, 3)),
        Patches(2, 2, image_shape=(2, 2)),
        Patches(2, 2),
        Trimmed(-0.1),
        Trimmed(0.6),
        Groups([]),
        Groups([0, 1]),
        Groups([0.5] * D),
        "l7",
        7,
    ],
    ids=repr,
)
def test_a_penalty_that_cannot_be_used_is_refused_in_one_sentence(penalty, rng):
    model = RobustAutoencoder(predictor="constant", penalty=penalty, lam=1.0)
    with pytest.raises(InputError) as caught:
        model.fit(rng.standard_normal((20, D)))
    assert "penalty" in str(caught.value) and "\n" not in str(caught.value)


def test_a_misspelt_penalty_is_answered_with_a_suggestion(rng):
    with pytest.raises(InputError, match="did you mean 'rows'"):
        RobustAutoencoder(penalty="row").fit(rng.standard_normal((20, D)))
