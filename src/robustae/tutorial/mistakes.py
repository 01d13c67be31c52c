"""Typical wrong answers, each a formula and the sentence that explains it.

A term of an objective has aspects (which reconstruction, how it is summed up ...); each aspect is a dict of
sentence to formula, whose "" is right. All combinations are computed, and the one met with fewest mistakes
selects the sentences.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from robustae.tutorial.equations import sigmoid, soft_threshold

__all__ = ["autoencoder_terms", "recognised_loss", "recognised_threshold", "robust_terms"]

Case = Mapping[str, Any]
Formulas = Mapping[str, Callable[..., Any]]  # by what is wrong about them
Values = dict[tuple[str, ...], float]  # what comes out, by the mistakes made

RECONSTRUCTIONS: Formulas = {
    "": lambda X, U, V: sigmoid(X @ U) @ V,
    "The sigmoid is forgotten: the code is f(XU), not XU.": lambda X, U, V: X @ U @ V,
    "The sigmoid is applied twice to the code: f(XU) once is enough.": lambda X, U, V: (
        sigmoid(sigmoid(X @ U)) @ V
    ),
    "The sigmoid is applied to the output, too: f belongs to the code, and the output f(XU)V is linear.": (
        lambda X, U, V: sigmoid(sigmoid(X @ U) @ V)
    ),
    "The sigmoid stands around the whole product: it is f(XU)V, not f(XUV).": lambda X, U, V: sigmoid(
        X @ U @ V
    ),
    "The sigmoid has the wrong sign in its exponent: f(a) = 1 / (1 + exp(-a)).": lambda X, U, V: (
        sigmoid(-X @ U) @ V
    ),
    "This f is tanh; in the exercise f is the sigmoid, 1 / (1 + exp(-a)).": lambda X, U, V: (
        np.tanh(X @ U) @ V
    ),
    "This f is the ReLU; in the exercise f is the sigmoid, 1 / (1 + exp(-a)).": (
        lambda X, U, V: np.maximum(X @ U, 0) @ V
    ),
}

MEAN = "It takes the mean of the squares; the squared Frobenius norm is their sum: .sum(), not .mean()."
ROOT = "It takes the root: the objective has the squared norm, that is the sum of the squares without a root."
SQUARE = "The square is missing: it adds up the absolute residuals, where the squared ones are wanted."
CANCEL = (
    "The square is missing: it adds up the residuals themselves, where positive and negative ones cancel."
)
SPECTRAL = (
    "np.linalg.norm(R, 2) is the largest singular value of a matrix; the Frobenius norm takes every entry: "
    "(R ** 2).sum()."
)
PAIRS = (
    "Shapes were broadcast by accident: a row against a column, such as (n,) against (n, 1), makes a table "
    "of all pairs{where}, and entries that do not belong together are subtracted. Give both the same shape."
)
# How the residual A - B becomes a number.
SUMS: Formulas = {
    "": lambda A, B: ((A - B) ** 2).sum(),
    MEAN: lambda A, B: ((A - B) ** 2).mean(),
    "It divides by the number of rows: (1) and (3) have the plain sum.": lambda A, B: (
        ((A - B) ** 2).sum() / len(A)
    ),
    "It divides by the number of columns: (1) and (3) have the plain sum.": (
        lambda A, B: ((A - B) ** 2).sum() / A.shape[1]
    ),
    "There is a factor 1/2 before the squared error; (1) and (3) have none.": lambda A, B: (
        ((A - B) ** 2).sum() / 2
    ),
    ROOT: lambda A, B: np.sqrt(((A - B) ** 2).sum()),
    f"{MEAN} {ROOT}": lambda A, B: np.sqrt(((A - B) ** 2).mean()),
    "It adds up the norms of the rows: the square inside the sum is missing.": (
        lambda A, B: np.sqrt(((A - B) ** 2).sum(axis=1)).sum()
    ),
    SQUARE: lambda A, B: abs(A - B).sum(),
    f"{SQUARE} {MEAN}": lambda A, B: abs(A - B).mean(),
    CANCEL: lambda A, B: (A - B).sum(),
    f"{CANCEL} {MEAN}": lambda A, B: (A - B).mean(),
    "It squares the sum: square each entry first, then add up.": lambda A, B: (A - B).sum() ** 2,
    "R.T @ R is a product of matrices: off its diagonal there are no squares. (R ** 2).sum() is meant.": (
        lambda A, B: ((A - B).T @ (A - B)).sum()
    ),
    SPECTRAL: lambda A, B: np.linalg.norm(A - B, 2) ** 2,
    f"{SPECTRAL} {ROOT}": lambda A, B: np.linalg.norm(A - B, 2),
    PAIRS.format(where=""): lambda A, B: ((A.reshape(-1, 1) - B.reshape(1, -1)) ** 2).sum(),
    PAIRS.format(where=" in each row"): lambda A, B: ((A[:, :, None] - B[:, None, :]) ** 2).sum(),
    PAIRS.format(where=" in each column"): lambda A, B: ((A[:, None, :] - B[None, :, :]) ** 2).sum(),
}

# What N does in the bracket: what is added to f(XU)V.
BRACKETS: Formulas = {
    "": lambda N: N,
    "The sign of N is the one printed on the slides, where a bracket is missing: (3) means X - (f(XU)V + N), "
    "so N is subtracted from X like the reconstruction.": lambda N: -N,
    "N is missing in the squared error: X - (f(XU)V + N).": lambda N: 0,
}

FROBENIUS: Formulas = {
    "": lambda U, V: (U**2).sum() + (V**2).sum(),
    "Only U is regularised: ||V||_F^2 belongs to the mu term, too.": lambda U, V: (U**2).sum(),
    "Only V is regularised: ||U||_F^2 belongs to the mu term, too.": lambda U, V: (V**2).sum(),
    "The norms of U and V are not squared in the mu term: (U ** 2).sum() has no root.": (
        lambda U, V: np.linalg.norm(U) + np.linalg.norm(V)
    ),
    "The mu term has a root around the squared norms: ||U||_F^2 + ||V||_F^2 has none.": (
        lambda U, V: np.sqrt((U**2).sum() + (V**2).sum())
    ),
    "The mu term takes means of squares; the norms are sums.": lambda U, V: (U**2).mean() + (V**2).mean(),
    "The mu term takes absolute values; these norms are sums of squares.": lambda U, V: (
        abs(U).sum() + abs(V).sum()
    ),
    "The mu term multiplies the two norms; they are added.": lambda U, V: (U**2).sum() * (V**2).sum(),
    "V's norm is subtracted in the mu term; it is added.": lambda U, V: (U**2).sum() - (V**2).sum(),
}
HALF_MU: Formulas = {
    "": lambda mu: mu / 2,
    "The half is forgotten: the term is mu/2 (||U||_F^2 + ||V||_F^2), not mu (...).": lambda mu: mu,
    "mu is missing before the squared norms: only the 1/2 is there.": lambda mu: 0.5,
    "The factor mu/2 is missing before the squared norms.": lambda mu: 1.0,
    "The mu term has mu/4; it is mu/2.": lambda mu: mu / 4,
    "The mu term is subtracted; it is added, since the objective is minimised.": lambda mu: -mu / 2,
}
MU_ALONE: Formulas = {
    "The mu term is missing: mu/2 (||U||_F^2 + ||V||_F^2).": lambda U, V, mu: 0.0,
    "Brackets are missing in the mu term: mu/2 multiplies both norms, not only the first.": (
        lambda U, V, mu: mu / 2 * (U**2).sum() + (V**2).sum()
    ),
}

ONE_NORM: Formulas = {
    "": lambda N: abs(N).sum(),
    "The absolute value is missing in ||N||_1: positive and negative entries cancel.": lambda N: N.sum(),
    "N's norm is squared: ||N||_1 is the sum of absolute values, not of squares (which would never set an "
    "entry of N to 0).": lambda N: (N**2).sum(),
    "||N||_1 is the sum of absolute values; this is the Frobenius norm.": np.linalg.norm,
    "np.linalg.norm(N, 1) is the largest column sum of a matrix; ||N||_1 goes by entries: abs(N).sum().": (
        lambda N: np.linalg.norm(N, 1)
    ),
    "It takes the mean of abs(N); ||N||_1 is the sum.": lambda N: abs(N).mean(),
    "It takes the largest entry of abs(N); ||N||_1 is the sum of all.": lambda N: abs(N).max(),
    "It counts the entries of N that are not 0; ||N||_1 adds up their sizes.": lambda N: float(
        np.count_nonzero(N)
    ),
    "It squares ||N||_1; the norm itself is wanted.": lambda N: abs(N).sum() ** 2,
}
LAMBDA: Formulas = {
    "": lambda lam: lam,
    "The objective has lambda ||N||_1; lambda/2 comes only in (6), as the threshold.": lambda lam: lam / 2,
    "lambda is missing before ||N||_1.": lambda lam: 1.0,
    "The lambda term is subtracted; it is added, since the objective is minimised.": lambda lam: -lam,
}
LAMBDA_TERM = "The lambda term is missing: lambda ||N||_1."

WHOLE: Formulas = {
    "": lambda J, n, d: J,
    "The whole objective is divided by the number of rows; (3) is a plain sum.": lambda J, n, d: J / n,
    "The whole objective is divided by the number of entries; (3) is a plain sum.": lambda J, n, d: (
        J / (n * d)
    ),
    "There is a root around the whole objective; (3) has none.": lambda J, n, d: np.sqrt(np.maximum(J, 0)),
}

SHRINKING: Formulas = {
    "": lambda r, t: soft_threshold(r, 2 * t),
    "This is hard thresholding: entries beyond the threshold stay as they are. Soft-thresholding also moves "
    "them towards 0 by the threshold.": lambda r, t: np.where(abs(r) > t, r, 0),
    "The sign is lost: negative residuals come out positive. Multiply by sign(r).": (
        lambda r, t: np.maximum(abs(r) - t, 0)
    ),
    "The absolute value is missing: negative residuals beyond the threshold come out as 0.": (
        lambda r, t: np.maximum(r - t, 0)
    ),
    "The absolute value is missing: sign(r) * max(abs(r) - t, 0) needs abs(r), not r.": (
        lambda r, t: np.sign(r) * (r - t)
    ),
    "The absolute value is missing: beyond the threshold, negative residuals must move up, towards 0.": (
        lambda r, t: np.where(abs(r) > t, r - t, 0)
    ),
    "The dead zone is missing: residuals smaller than the threshold become 0, max(abs(r) - t, 0); here they "
    "change their sign.": lambda r, t: np.sign(r) * (abs(r) - t),
    "The minus sign is missing in the second condition: r < -lambda/2, not r < lambda/2.": (
        lambda r, t: np.where(r > t, r - t, np.where(r < t, r + t, 0))
    ),
    "Entries move away from 0: subtract the threshold where r is positive, add it where r is negative.": (
        lambda r, t: np.where(abs(r) > t, r + np.sign(r) * t, 0)
    ),
    "This is the part of r that stays, r - N, clipped to the threshold; N is what exceeds it.": (
        lambda r, t: np.clip(r, -t, t)
    ),
    "The condition is the wrong way round: entries inside the threshold stay, those beyond become 0.": (
        lambda r, t: np.where(abs(r) <= t, r, 0)
    ),
    "N has the opposite sign, as it follows from the slides' missing bracket: N points where r points.": (
        lambda r, t: -soft_threshold(r, 2 * t)
    ),
    "All entries shrink together, by the norm of the whole: a penalty on groups; (6) goes entry by entry.": (
        lambda r, t: r * max(0.0, 1 - t / np.linalg.norm(r))
    ),
    "All entries shrink by the same factor: that answers a squared penalty on N, which sets nothing to 0.": (
        lambda r, t: r / (1 + 2 * t)
    ),
    "Nothing is changed: r comes back as it was.": lambda r, t: r,
    "Everything is set to 0.": lambda r, t: 0 * r,
    "The largest entry is used for all: the maximum goes entry by entry, np.maximum(a, 0), not a.max().": (
        lambda r, t: np.sign(r) * max(0.0, (abs(r) - t).max())
    ),
}
THRESHOLDS: Formulas = {
    "": lambda lam: lam / 2,
    "The threshold is lambda/2, not lambda: setting the derivative 2 (N - r) + lambda sign(N) to 0 gives "
    "N = r - lambda/2, because the squared term has no 1/2 before it.": lambda lam: lam,
    "The threshold is lambda/2, not 2 lambda.": lambda lam: 2 * lam,
    "The threshold is lambda/2, not lambda/4.": lambda lam: lam / 4,
}


def autoencoder_terms(case: Case) -> list[Values]:
    """What the terms of equation (1) come to, right and wrong: there is one."""
    return [_squares(case, {"": lambda N: 0}, 0)]


def robust_terms(case: Case) -> list[Values]:
    """What the three terms of equation (3) come to, right and wrong."""
    U, V, N, mu, lam = (case[name] for name in ("U", "V", "N", "mu", "lam"))
    weights = _products(HALF_MU, mu, FROBENIUS, U, V)
    weights |= {(message,): wrong(U, V, mu) for message, wrong in MU_ALONE.items()}
    sparse = _products(LAMBDA, lam, ONE_NORM, N) | {(LAMBDA_TERM,): 0.0}
    return [_squares(case, BRACKETS, N), weights, sparse]


def _products(factors: Formulas, factor: float, norms: Formulas, *matrices: np.ndarray) -> Values:
    pairs = product(factors.items(), norms.items())
    return {_key(a, b): f(factor) * norm(*matrices) for (a, f), (b, norm) in pairs}


def _squares(case: Case, brackets: Formulas, N: Any) -> Values:
    """The squared error by reconstruction, bracket and way to add up."""
    X, U, V = case["X"], case["U"], case["V"]
    fitted = {message: predict(X, U, V) for message, predict in RECONSTRUCTIONS.items()}
    fitted = {_key(a, b): B + f(N) for (a, B), (b, f) in product(fitted.items(), brackets.items())}
    return {(*key, *_key(c)): add(X, B) for (key, B), (c, add) in product(fitted.items(), SUMS.items())}


def _key(*message: str) -> tuple[str, ...]:
    return tuple(filter(None, message))


def recognised_loss(
    terms: Callable[[Case], list[Values]], cases: Sequence[Case], got: np.ndarray, rtol: float
) -> tuple[str, ...] | None:
    """The fewest mistakes with which all values of a loss come out as they did, () for none.

    Parameters
    ----------
    terms : callable
        `autoencoder_terms` or `robust_terms`.
    cases : sequence of mapping
    got : array, shape (cases,)
    rtol : float
        By how much of itself a value may differ.

    Returns
    -------
    tuple of str, or None where no combination gives these values.
    """
    by_case = [terms(case) for case in cases]
    keys = [list(term) for term in by_case[0]]
    found = []
    for message, whole in WHOLE.items():
        met = np.ones([len(key) for key in keys], dtype=bool)
        for case, values, value in zip(cases, by_case, got, strict=True):
            met &= np.isclose(whole(_outer_sum(values), *case["X"].shape), value, rtol=rtol, atol=rtol)
        for place in np.argwhere(met):
            found.append((*_key(message), *(s for key, k in zip(keys, place, strict=True) for s in key[k])))
    return min(found, key=len, default=None)


def _outer_sum(terms: list[Values]) -> np.ndarray:
    """The sums of every choice of one value from each term."""
    return reduce(np.add.outer, (np.array(list(term.values())) for term in terms))


def recognised_threshold(
    cases: Sequence[Case], got: Sequence[np.ndarray], rtol: float
) -> tuple[str, ...] | None:
    """The same for equation (6), where each case has an array for an answer."""
    found = []
    for (a, threshold), (b, shrunk) in product(THRESHOLDS.items(), SHRINKING.items()):
        wanted = (shrunk(case["r"], threshold(case["lam"])) for case in cases)
        if all(np.allclose(N, w, rtol=rtol, atol=rtol) for N, w in zip(got, wanted, strict=True)):
            found.append(_key(a, b))
    return min(found, key=len, default=None)
