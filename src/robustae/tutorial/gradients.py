"""Whether a loss written with torch lets its gradient through to every weight."""

import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from robustae.tutorial.learner import BLOCKED, Blank, LearnersFunction, Wrong, values_of

__all__ = ["gradient_trouble", "trainable"]


def gradient_trouble(
    learner: LearnersFunction, ours: Callable[..., Any], case: Mapping[str, Any], right: bool
) -> tuple[str, ...]:
    """What is wrong with the gradient, in a sentence; nothing for NumPy, which has none.

    Parameters
    ----------
    learner : LearnersFunction
    ours : callable
        The same loss, to compare with where the learner's values are `right`.
    case : mapping
    right : bool
    """
    if learner.library != "torch":
        return ()
    tensors = learner.tensors(case)
    loss = learner.on(tensors)
    if not getattr(loss, "requires_grad", False):
        return (BLOCKED,)
    if not right:
        return ()
    wrong = _differing(
        learner.weights, _gradients(loss, tensors, learner), _gradients(ours(**tensors), tensors, learner)
    )
    if not wrong:
        return ()
    return (
        f"The value is right but the gradient by {' and '.join(wrong)} is not: a part of the way is cut off, "
        "by .detach(), .item() or a new torch.tensor(...).",
    )


def trainable(learner: LearnersFunction, ours: Callable[..., Any], case: Mapping[str, Any]) -> bool:
    """Whether a right loss can be trained: with torch, if that is loaded, and gradients that are right."""
    if "torch" not in sys.modules:
        return False
    learner.library = "torch"
    with warnings.catch_warnings(action="ignore"):  # NumPy's functions warn of tensors
        try:
            return not gradient_trouble(learner, ours, case, right=True)
        except (Blank, Wrong):
            return False


def _gradients(loss: Any, tensors: Mapping[str, Any], learner: LearnersFunction) -> list[Any]:
    weights = [tensors[name] for name in learner.weights]
    return import_module("torch").autograd.grad(loss.sum(), weights, allow_unused=True)


def _differing(names: tuple[str, ...], theirs: list[Any], ours: list[Any]) -> list[str]:
    return [name for name, a, b in zip(names, theirs, ours, strict=True) if a is None or not _alike(a, b)]


def _alike(a: Any, b: Any) -> bool:
    b = values_of(b)
    return np.allclose(values_of(a), b, rtol=1e-3, atol=1e-4 * abs(b).max())
