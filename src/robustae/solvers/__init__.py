"""Solvers: ways to make J small. Each takes any predictor and any penalty."""

from typing import Any

from robustae.penalties import L1, NoPenalty
from robustae.predictors import Constant, Conv, Linear, Masked, Sigmoid
from robustae.solvers.adam import Adam
from robustae.solvers.alternating import Alternating
from robustae.solvers.base import Budget, Callback, Result, Solver
from robustae.solvers.lbfgs import LBFGS
from robustae.solvers.newton import Newton
from robustae.solvers.objective import Problem
from robustae.utils.checks import InputError, one_of

__all__ = ["LBFGS", "Adam", "Alternating", "Budget", "Callback", "Newton", "Result", "Solver", "choose"]

# Convolutions are dear: few small steps, as wide as they may be, and hardly more of them for more rows.
FOR_IMAGES = Adam(lr=1.6e-2, steps=300, fall=0.25, rows=16, epochs=4)
FOR_CELLS = Adam(lr=3e-3, steps=400, rows=256, epochs=4)  # of masked tables
FULL_BATCH_CELLS = 20_000_000  # beyond, mini-batches are quicker
_BY_NAME: dict[str, Any] = {"alternating": Alternating, "lbfgs": LBFGS, "adam": Adam}


def choose(solver: Any, module: Any, problem: Problem) -> Solver:
    """Return the solver a name or an object stands for.

    "auto": Newton for the constant predictor under a penalty by cells; L-BFGS for the constant, the
    linear and the sigmoid one, which start from a spectral solution, up to 20 million cells; else Adam.
    """
    if not isinstance(solver, str):
        if not hasattr(solver, "solve"):
            raise InputError(f"solver={solver!r} must be a name or an object of robustae.solvers.")
        return solver
    name = one_of("solver", solver, ["auto", *_BY_NAME])
    if name != "auto":
        return _BY_NAME[name]()
    if isinstance(module, Constant) and type(problem.penalty) in (L1, NoPenalty):
        return Newton()
    if isinstance(module, (Constant, Linear, Sigmoid)) and problem.target.numel() <= FULL_BATCH_CELLS:
        return LBFGS()
    if isinstance(module, Masked):
        return FOR_CELLS
    return FOR_IMAGES if isinstance(module, Conv) else Adam()
