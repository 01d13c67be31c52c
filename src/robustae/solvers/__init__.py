"""Solvers: ways to make J small. Each states which predictors and penalties it suits."""

from typing import Any

from robustae.predictors import traits_of
from robustae.solvers.adam import Adam
from robustae.solvers.alternating import Alternating
from robustae.solvers.base import Budget, Callback, Result, Solver
from robustae.solvers.lbfgs import LBFGS
from robustae.solvers.newton import Newton
from robustae.solvers.objective import Problem
from robustae.utils.checks import InputError, one_of

__all__ = [
    "LBFGS",
    "SOLVERS",
    "Adam",
    "Alternating",
    "Budget",
    "Callback",
    "Newton",
    "Result",
    "Solver",
    "choose",
]

SOLVERS: dict[str, Any] = {"alternating": Alternating, "lbfgs": LBFGS, "adam": Adam}


def choose(solver: Any, module: Any, problem: Problem) -> Solver:
    """Return the solver a name or an object stands for.

    "auto" is the first that suits: Newton, then L-BFGS, else Adam with what the predictor asks for.
    """
    if not isinstance(solver, str):
        if not hasattr(solver, "solve"):
            raise InputError(f"solver={solver!r} must be a name or an object of robustae.solvers.")
        return solver
    name = one_of("solver", solver, ["auto", *SOLVERS])
    if name != "auto":
        return SOLVERS[name]()
    traits = traits_of(module)
    for kind in (Newton, LBFGS):
        if kind.suits(traits, problem):
            return kind()
    return Adam(**traits.adam)
