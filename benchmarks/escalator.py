"""The escalator, 200 x 20800: objective and seconds, against Adam from a random start."""

from functools import partial

import torch

from benchmarks.measuring import in_turn, write
from robustae.datasets import fetch_escalator
from robustae.penalties import L1
from robustae.predictors import Linear, Sigmoid, start
from robustae.solvers import LBFGS, Adam, Budget
from robustae.solvers.objective import Problem

LAM = 0.2  # in deviations of all cells; the automatic lam lies between 0.05 and 0.25 here


def problem() -> Problem:
    """The clip on a global scale, as the estimator sees it."""
    X = torch.from_numpy(fetch_escalator().X.reshape(200, -1).astype("float64"))
    Z = ((X - X.mean()) / X.std()).float()
    return Problem(Z, Z, None, None, L1(), LAM, 1e-4)


def fresh(clip: Problem, maker, K: int):
    """Random weights, the same for every method."""
    return maker(clip.shape[1], K, generator=torch.Generator().manual_seed(0))


def adam(clip: Problem, maker, K: int) -> float:
    """100 epochs of Adam from random weights; returns J."""
    module = fresh(clip, maker, K)
    Adam().solve(clip, module, Budget(max_iter=100, tol=0.0))
    return clip.value(module)


def converged(clip: Problem, maker, K: int) -> float:
    """Spectral start, then L-BFGS to the default tolerance; returns J."""
    module = fresh(clip, maker, K)
    start(module, clip.inputs.numpy())
    return LBFGS().solve(clip, module, Budget()).history[-1]


def below(clip: Problem, maker, K: int, bound: float) -> float:
    """Spectral start, then single L-BFGS steps until J is below `bound`; returns J."""
    module = fresh(clip, maker, K)
    start(module, clip.inputs.numpy())
    J = clip.value(module)
    while bound <= J:
        J = LBFGS().solve(clip, module, Budget(max_iter=1)).history[-1]
    return J


def run(runs: int) -> None:
    """Write escalator.csv; `ratio` is a method's time to Adam's."""
    torch.set_num_threads(1)
    clip = problem()
    write(
        "escalator",
        [row for maker in (Linear, Sigmoid) for K in (3, 8) for row in _rows(clip, maker, K, runs)],
    )


def _rows(clip: Problem, maker, K: int, runs: int) -> list[dict]:
    bound = adam(clip, maker, K)
    methods = {
        "random start, Adam, 100 epochs": partial(adam, clip, maker, K),
        "spectral start, L-BFGS, until below Adam": partial(below, clip, maker, K, bound),
        "spectral start, L-BFGS, converged": partial(converged, clip, maker, K),
    }
    seconds, J = in_turn(methods, runs)
    slow = seconds["random start, Adam, 100 epochs"]
    return [
        {
            "predictor": maker.__name__.lower(),
            "K": K,
            "method": name,
            "objective": f"{J[name]:.1f}",
            "seconds": f"{seconds[name]:.3f}",
            "ratio": f"{seconds[name] / slow:.3f}",
            "runs": runs,
        }
        for name in methods
    ]
