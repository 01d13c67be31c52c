"""The three checks: a learner's function against hidden random cases, answered in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from robustae.tutorial import equations
from robustae.tutorial.feedback import Feedback
from robustae.tutorial.gradients import gradient_trouble, trainable
from robustae.tutorial.learner import Blank, LearnersFunction, Wrong, dimensions, values_of
from robustae.tutorial.mistakes import (
    autoencoder_terms,
    recognised_loss,
    recognised_threshold,
    robust_terms,
)

__all__ = ["check_autoencoder_loss", "check_robust_autoencoder_loss", "check_soft_threshold"]

Case = dict[str, Any]

RTOL = 2e-5  # the learner may compute in float32
# (rows, columns, width of the code), mu, lam: no two alike, so that no mistake hides behind another.
SIZES = (((7, 5, 3), 1.7, 0.8), ((6, 4, 2), 0.6, 2.3), ((9, 6, 4), 2.9, 1.4))
NARROW = (((1, 5, 3), 1.7, 0.8), ((6, 5, 1), 0.6, 2.3))
NUMPY_ONLY = (
    "Yours takes NumPy arrays; the lesson trains with torch, and uses ours. With torch.sigmoid in place "
    "of np.exp yours could be trained."
)


@dataclass(frozen=True)
class Exercise:
    """What is asked for, and what is known about it.

    `by_hand` is a case so small that the terms of the answer, `steps`, can be followed on paper.
    """

    title: str
    arguments: tuple[str, ...]
    ours: Callable[..., Any]
    terms: Callable[[Mapping[str, Any]], list[Any]]
    by_hand: Case
    steps: str

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """What the loss is differentiated by."""
        return tuple(name for name in self.arguments if name in "UVN")

    def cases(self, sizes: Sequence[Any]) -> list[Case]:
        """Random cases of these sizes, the same in every run."""
        rng = np.random.default_rng(2017)
        return [_case(rng, *size, names=self.arguments) for size in sizes]


def _case(rng: np.random.Generator, shape: tuple[int, int, int], mu: float, lam: float, names: Any) -> Case:
    n, d, k = shape
    made = {"X": rng.normal(1, 1, (n, d)), "U": rng.normal(0, 1, (d, k)), "V": rng.normal(0, 1, (k, d))}
    made["N"] = rng.normal(0.3, 1.5, (n, d)) * (rng.random((n, d)) < 0.7)
    # Representable in float32 too: both libraries are given the very same numbers.
    exact = {name: value.astype(np.float32).astype(float) for name, value in made.items()}
    return {name: ({"mu": mu, "lam": lam} | exact)[name] for name in names}


ONE = {"X": np.array([[2.0]]), "U": np.array([[0.0]]), "V": np.array([[1.0]])}
AUTOENCODER = Exercise(
    "Autoencoder loss, equation (1)",
    ("X", "U", "V"),
    equations.autoencoder_loss,
    autoencoder_terms,
    ONE,
    "f(0) = 0.5, the residual is 2 - 0.5 = 1.5, its square 2.25",
)
ROBUST = Exercise(
    "Robust autoencoder loss, equation (3)",
    ("X", "U", "V", "N", "mu", "lam"),
    equations.robust_autoencoder_loss,
    robust_terms,
    ONE | {"N": np.array([[1.0]]), "mu": 2.0, "lam": 3.0},  # mu and lambda swapped give 3.75
    "2 - (0.5 + 1) = 0.5, its square 0.25; mu/2 (0 + 1) = 1; lambda 1 = 3: together 4.25",
)
THRESHOLD = "Soft-thresholding, equation (6)"


def check_autoencoder_loss(fn: Any) -> Feedback:
    """Check a learner's autoencoder loss, equation (1): the squared Frobenius norm of X - f(XU)V.

    Parameters
    ----------
    fn : callable
        `fn(X, U, V)` with X (n, d), U (d, K), V (K, d): one number, from NumPy arrays or from torch
        tensors, which it must leave differentiable.

    Returns
    -------
    Feedback
        `.ok`, and words that a notebook displays.

    Examples
    --------
    >>> import numpy as np
    >>> from robustae.tutorial import check_autoencoder_loss
    >>> def loss(X, U, V):
    ...     return np.mean((X - 1 / (1 + np.exp(-X @ U)) @ V) ** 2)
    >>> print(check_autoencoder_loss(loss).messages[0])
    It takes the mean of the squares; the squared Frobenius norm is their sum: .sum(), not .mean().
    """
    return _answered(AUTOENCODER.title, equations.autoencoder_loss, lambda: _loss(fn, AUTOENCODER))


def check_robust_autoencoder_loss(fn: Any) -> Feedback:
    """Check a learner's robust autoencoder loss, equation (3), with the bracket the slides lack.

    That is ||X - (f(XU)V + N)||_F^2 + mu/2 (||U||_F^2 + ||V||_F^2) + lam ||N||_1, the last norm entry by
    entry.

    Parameters
    ----------
    fn : callable
        `fn(X, U, V, N, mu, lam)`: one number, from NumPy arrays or torch tensors.

    Returns
    -------
    Feedback
    """
    return _answered(ROBUST.title, equations.robust_autoencoder_loss, lambda: _loss(fn, ROBUST))


def check_soft_threshold(fn: Any) -> Feedback:
    """Check a learner's soft-thresholding, equation (6): what exceeds lam/2, entry by entry.

    Parameters
    ----------
    fn : callable
        `fn(r, lam)`, which returns N of r's shape for an array (or tensor) r of residuals.

    Returns
    -------
    Feedback
    """
    return _answered(THRESHOLD, equations.soft_threshold, lambda: _threshold(fn))


def _answered(title: str, ours: Callable[..., Any], check: Callable[[], tuple[Any, list[str]]]) -> Feedback:
    try:
        function, remarks = check()
    except Blank:
        return Feedback(title, "still blank", (), ours)
    except Wrong as wrong:
        messages = wrong.args[0]
        return Feedback(title, "not yet", messages if isinstance(messages, tuple) else (messages,), ours)
    return Feedback(title, "right", tuple(remarks), function or ours)


# Losses --------------------------------------------------------------------------------------------


def _loss(fn: Any, exercise: Exercise) -> tuple[Any, list[str]]:
    """The function, if it can be trained, and remarks; Wrong if it is not right."""
    cases = exercise.cases(SIZES)
    learner = LearnersFunction(fn, exercise.arguments, exercise.weights, cases[0])
    got = np.array([_number(learner(case), case) for case in cases])
    messages = recognised_loss(exercise.terms, cases, got, RTOL)
    if messages is None:
        raise Wrong(_unknown(learner, exercise))
    messages += gradient_trouble(learner, exercise.ours, cases[0], right=not messages)
    if messages:
        raise Wrong(messages)
    _check_narrow(learner, exercise)
    checked = f"Checked with {learner.library_name} on {len(SIZES) + len(NARROW)} random cases."
    if trainable(learner, exercise.ours, cases[0]):
        return fn, [checked, "Its gradient is right, too: the lesson trains with your function."]
    return None, [checked, NUMPY_ONLY]


def _number(raw: Any, case: Case) -> float:
    values = values_of(raw)
    if values.size != 1:
        raise Wrong(_not_summed(values.shape, case))
    if not np.isfinite(values).all():
        raise Wrong(
            f"It gives {values.item()}: a division by 0, or the root or logarithm of a negative number?"
        )
    return values.item()


def _not_summed(shape: tuple[int, ...], case: Case) -> str:
    n, d = case["X"].shape
    sums = {
        (n, d): "no sum is taken",
        (n,): "each row is summed by itself",
        (d,): "each column is summed by itself",
    }
    why = f": {sums[shape]}" if shape in sums else ""
    return (
        f"It returns an array {dimensions(shape)} and not one number{why}. "
        "The norms add up all entries: .sum() without an axis."
    )


def _check_narrow(learner: LearnersFunction, exercise: Exercise) -> None:
    for case in exercise.cases(NARROW):
        where = "a single row" if len(case["X"]) == 1 else "a code of width 1"
        value, right = _number(learner(case), case), exercise.ours(**case)
        if not np.isclose(value, right, rtol=RTOL):
            raise Wrong(
                f"It is right on most cases but not with {where}: shapes are broadcast by accident there. Is "
                "a dimension dropped (squeeze, [0], a sum over an axis) that should stay?"
            )


def _unknown(learner: LearnersFunction, exercise: Exercise) -> tuple[str, ...]:
    """What can be reported of a value that no known mistake explains."""
    value = _number(learner(exercise.by_hand), exercise.by_hand)
    given = ", ".join(f"{name} = {np.asarray(v).item():g}" for name, v in exercise.by_hand.items())
    return (
        *_terms_apart(learner, exercise),
        "The value is not right, and the mistake none of the usual ones. Follow it on paper with one entry "
        f"in each matrix: for {given}, {exercise.steps}; yours gives {value:g}.",
    )


def _terms_apart(learner: LearnersFunction, exercise: Exercise) -> tuple[str, ...]:
    """Which terms of (3) are right, where the others are switched off."""
    if "mu" not in exercise.arguments:
        return ()
    off = {"squared error": {"mu": 0.0, "lam": 0.0}, "mu term": {"lam": 0.0}, "lambda term": {"mu": 0.0}}
    for name, zeros in off.items():
        case = exercise.cases(SIZES)[0] | zeros
        if not np.isclose(_number(learner(case), case), exercise.ours(**case), rtol=RTOL):
            return (f"Look at the {name} first: with {' and '.join(f'{z} = 0' for z in zeros)} it differs.",)
    return ()


# Soft-thresholding ----------------------------------------------------------------------------------


def _residuals(*shapes: tuple[int, ...]) -> list[Case]:
    rng = np.random.default_rng(2017)
    cases = []
    for shape, lam in zip(shapes, (0.8, 3.0, 2.2), strict=False):
        r = rng.normal(0, 1.5 * lam, shape).astype(np.float32).astype(float)
        r.flat[:4] = 0, lam / 4, -lam / 4, -2.5 * lam
        cases.append({"r": r, "lam": lam})
    return cases


# Learners loop over one index or over two; either is enough.
FORMS = {"a vector": _residuals((10,), (13,), (7,)), "a matrix": _residuals((6, 4), (3, 5), (4, 2))}


def _threshold(fn: Any) -> tuple[Any, list[str]]:
    answers, failed = {}, {}
    for form, cases in FORMS.items():
        try:
            learner = LearnersFunction(fn, ("r", "lam"), (), cases[0])
            answers[form] = [_like_r(learner(case), case["r"]) for case in cases]
        except _Unfit:
            raise
        except Wrong as wrong:
            failed[form] = wrong
    if not answers:
        raise _one_number_only(fn) or failed["a vector"]
    for form, got in answers.items():
        _check_thresholded(FORMS[form], got)
    return fn, _remarks(failed)


class _Unfit(Wrong):
    """An answer that came, of a wrong form."""


def _like_r(raw: Any, r: np.ndarray) -> np.ndarray:
    N = values_of(raw)
    if N.shape != r.shape:
        raise _Unfit(_shape_trouble(N.shape, r.shape))
    if np.isnan(N).any():
        raise _Unfit(
            "It gives nan for some residuals: is there a division by r or by abs(r), which may be 0?"
        )
    return N


def _shape_trouble(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    came = f"r is an array {dimensions(wanted)}, and the answer "
    if not shape:
        return f"{came}one number: N has an entry for each entry of r."
    if np.prod(shape) > np.prod(wanted) or len(shape) > len(wanted):
        return (
            f"{came}{dimensions(shape)}: shapes were broadcast by accident, such as (n,) against (n, 1). "
            "Keep r as it came, without reshape or [:, None]."
        )
    return f"{came}an array {dimensions(shape)}: N has r's shape."


def _check_thresholded(cases: list[Case], got: list[np.ndarray]) -> None:
    messages = recognised_threshold(cases, got, RTOL)
    if messages is None:
        raise Wrong(_example(cases[0], got[0]))
    if messages:
        raise Wrong(messages)


def _example(case: Case, N: np.ndarray) -> str:
    right = equations.soft_threshold(case["r"], case["lam"])
    worst = np.unravel_index(abs(N - right).argmax(), N.shape)
    return (
        f"For instance, with lam = {case['lam']:g} and r = {case['r'][worst]:.3g} it gives {N[worst]:.3g}; "
        f"(6) gives {right[worst]:.3g}: subtract lambda/2 = {case['lam'] / 2:g} from the size of r, keep its "
        "sign, and take 0 where nothing is left."
    )


def _one_number_only(fn: Any) -> Wrong | None:
    """For a function that is right for one number and cannot take several."""
    try:
        got = [float(fn(r, 0.8)) for r in (-2.0, -0.1, 0.3, 1.4)]
    except Exception:
        return None
    if not np.allclose(got, equations.soft_threshold(np.array([-2.0, -0.1, 0.3, 1.4]), 0.8)):
        return None
    return Wrong(
        "It is right for one number, but r is an array, and `if` cannot decide for all entries at once: use "
        "np.where (torch.where), or a loop over the entries."
    )


def _remarks(failed: Mapping[str, Wrong]) -> list[str]:
    return [f"It cannot take {form} yet: residuals come as both. {wrong}" for form, wrong in failed.items()]
