"""The path over lam, from the plain autoencoder down."""

import numpy as np
from torch import nn

from robustae.fit.auto import Settings
from robustae.fit.lambdas import geometric
from robustae.fit.members import prepared
from robustae.predictors import traits_of
from robustae.solvers.objective import Problem
from robustae.stats.scales import scale_of_cells
from robustae.utils.checks import InputError

__all__ = ["path_over_lam"]


def path_over_lam(
    X: np.ndarray, settings: Settings, seed: int, n_lams: int, ratio: float
) -> dict[str, np.ndarray]:
    """Fit for lam = inf, then from lam_max (the least with N = 0 there) down, warm-started.

    A predictor in closed form is the same at every lam.
    """
    if not settings.penalty.uses_lam:
        raise InputError(
            "lam_path needs a penalty that lam acts on: 'l1', 'rows', 'channels', 'patches' or Groups."
        )
    if n_lams < 1 or not 0 < ratio < 1:
        raise InputError(f"lam_path needs n_lams >= 1 and 0 < ratio < 1, not {n_lams} and {ratio}.")
    problem, module, solver = prepared(X, settings, seed)
    points = []
    lams = [np.inf]
    while lams:
        problem = problem.having(lam=lams.pop(0))
        if not traits_of(settings.predictor).closed_form:
            solver.solve(problem, module, settings.budget, seed)
        points.append(_point(problem, module))
        if len(points) == 1:
            R = np.nan_to_num(problem.residuals(module)[0])
            lams = list(geometric(problem.penalty.lam_max(R), n_lams, ratio))
    return {name: np.array([point[name] for point in points]) for name in points[0]}


def _point(problem: Problem, module: nn.Module) -> dict[str, float]:
    R = problem.residuals(module)[0]
    N = problem.penalty.prox(np.nan_to_num(R), problem.lam)
    return {
        "lam": float(problem.lam),
        "objective": problem.value(module),
        "share_nonzero": float((N[~np.isnan(R)] != 0).mean()),
        "residual_scale": scale_of_cells(R),
    }
