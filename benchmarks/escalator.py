"""The escalator, 200 x 20800: objective and seconds, against Adam from a random start."""

import torch

from benchmarks.measuring import in_turn, write
from robustae.datasets import fetch_escalator
from robustae.objective import Problem
from robustae.penalties import L1
from robustae.predictors import Linear, Sigmoid
from robustae.solvers import LBFGS, Adam, Budget
from robustae.starts import start

LAM = 0.2  # in deviations of all cells; the automatic lam lies between 0.05 and 0.25 here


def problem() -> Problem:
    """The clip on a global scale, as the estimator sees it."""
    X = torch.from_numpy(fetch_escalator().X.reshape(200, -1).astype("float64"))
    Z = ((X - X.mean()) / X.std()).float()
    return Problem(Z, Z, None, None, L1(), LAM, 1e-4)


def spectral(clip: Problem, maker, K: int) -> float:
    """Spectral start, then L-BFGS to the default tolerance; returns J."""
    module = maker(clip.shape[1], K, generator=torch.Generator().manual_seed(0))
    start(module, clip.inputs.numpy())
    return LBFGS().solve(clip, module, Budget()).history[-1]


def adam(clip: Problem, maker, K: int) -> float:
    """100 epochs of Adam from random weights; returns J."""
    module = maker(clip.shape[1], K, generator=torch.Generator().manual_seed(0))
    Adam().solve(clip, module, Budget(max_iter=100, tol=0.0))
    return clip.value(module)


def run(runs: int) -> None:
    """Write escalator.csv; `ratio` is L-BFGS's time to Adam's."""
    torch.set_num_threads(1)
    clip = problem()
    rows = []
    for maker in (Linear, Sigmoid):
        for K in (3, 8):
            methods = {
                "spectral start, L-BFGS": lambda maker=maker, K=K: spectral(clip, maker, K),
                "random start, Adam, 100 epochs": lambda maker=maker, K=K: adam(clip, maker, K),
            }
            seconds, J = in_turn(methods, runs)
            slow = seconds["random start, Adam, 100 epochs"]
            for name in methods:
                rows.append(
                    {
                        "predictor": maker.__name__.lower(),
                        "K": K,
                        "method": name,
                        "objective": f"{J[name]:.1f}",
                        "seconds": f"{seconds[name]:.3f}",
                        "ratio": f"{seconds[name] / slow:.3f}",
                        "runs": runs,
                    }
                )
    write("escalator", rows)
