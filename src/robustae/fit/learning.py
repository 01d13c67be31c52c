"""Going on from a fit, batch by batch."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch

from robustae.fit.auto import Settings
from robustae.fit.lambdas import NoiseRule, lam_of_noise
from robustae.fit.members import own_seed, problem_of
from robustae.fit.model import Model
from robustae.fit.training import cutoff_of, trimmed_rows
from robustae.penalties import Trimmed
from robustae.solvers.adam import one_epoch, rows_of_step
from robustae.solvers.objective import Preprocessing, Problem
from robustae.stats.scales import MAD_TO_SD, Weight, quantile
from robustae.stats.thresholds import clean_part
from robustae.utils.checks import InputError

__all__ = ["Learner", "continued", "fading", "valid_forget"]

RATE = 5e-3
KEPT = 0.75  # of a batch at least
LEAST = 1e-3  # of the noise before: a batch in which a column stands still
FEW = 10  # rows that determine the noise half as well as many do
REMEMBERED = 10_000  # energies of recent rows that are kept for the threshold
FADED = 1000  # rows after which those before count `forget` less


class Learner:
    """One member while batches come: its module in training precision, and Adam's moments."""

    def __init__(self, model: Model, settings: Settings):
        self.module = deepcopy(model.predictor).to(settings.device, settings.dtype).requires_grad_(True)
        self.optimiser = torch.optim.Adam(self.module.parameters(), lr=RATE, fused=True)

    def learn(
        self, model: Model, X: np.ndarray, weight: Weight, settings: Settings, seed: int, forget: float
    ) -> tuple[Model, list[float]]:
        """Give the batch one epoch; return the model after it, and J of the batch before and after.

        Scaling stays. Noise, and with it an automatic lam, moves `forget` of the way to the batch's, less
        for few rows; rows are trimmed by their share of the batch.
        """
        preprocessing = Preprocessing(model.scaling, model.fill, model.clip, settings.far)
        problem = problem_of(X, weight, preprocessing, settings).having(
            lam=model.lam, penalty=model.penalty.kept
        )
        if problem.target.dtype != settings.dtype:
            raise InputError(
                "X holds cells whose squares do not fit dtype='float32': fit with dtype='float64'."
            )
        problem, penalty = self._trimmed(problem, model)
        before = problem.value(self.module)
        batch = settings.budget.batch(rows_of_step(len(X)), len(X))
        with own_seed(seed):
            generator = torch.Generator().manual_seed(seed)
            rates = [RATE] * -(-len(X) // batch)
            one_epoch(problem, self.module, self.optimiser, batch, rates, generator)
        J = [before + problem.beyond, problem.value(self.module) + problem.beyond]
        noise = self._noise(problem, model, settings, forget)
        lam = (
            lam_of_noise(noise, problem)
            if settings.auto_lam and np.all(np.isfinite(model.lam))
            else model.lam
        )
        predictor = deepcopy(self.module).double().eval().requires_grad_(False)
        changed = model.having(
            predictor=predictor, noise=noise, lam=lam, penalty=penalty, known=None, alone=None
        )
        kept = np.ones(len(X), bool) if problem.weight is None else (problem.weight > 0).cpu().numpy()
        share = forget * len(X) / (len(X) + FEW)
        return changed.having(energy=model.energy.continued(model.all_cells(X).Z[kept], share)), J

    def _trimmed(self, problem: Problem, model: Model) -> tuple[Problem, object]:
        """Give weight 0 to the batch's rows farthest off, where rows are trimmed."""
        if not model.penalty.drops_rows:
            return problem, model.penalty
        energies = problem.energies(self.module)
        problem = trimmed_rows(problem, Trimmed(model.penalty.share), energies)
        return problem, model.penalty.at(cutoff_of(problem, energies))

    def _noise(self, problem: Problem, model: Model, settings: Settings, forget: float) -> np.ndarray:
        rule = NoiseRule(settings.noise_by, 1e-3 * model.noise, 0)
        forget *= len(problem.target) / (len(problem.target) + FEW)
        return model.noise ** (1 - forget) * rule(problem, self.module) ** forget


def continued(model: Model, X: np.ndarray, weight: Weight, forget: float) -> Model:
    """Return a model in closed form that has moved `forget` of the way to a batch, less for few rows.

    Its nearest three quarters, and the rows like them, take the place of a share of what the predictor holds,
    of the noise and of the references. Rows of the fit are no longer recognised.
    """
    if weight is not None:
        X, weight = X[weight > 0], weight[weight > 0]
    count = len(X) if weight is None else float(weight.sum())
    share = forget * count / (count + FEW)
    cells = model.all_cells(X)
    energies = model.energy.rows(cells)
    kept = energies <= max(quantile(energies, KEPT, weight), clean_part(energies, weight).limit)
    weights = None if weight is None else weight[kept]
    module: Any = deepcopy(model.predictor)
    module.moved(cells.Z[kept], weights, share)
    sizes = np.where(cells.observed, np.abs(cells.R), np.nan)[kept]
    scale = np.nan_to_num(MAD_TO_SD * quantile(sizes, 0.5, weights))
    noise = model.noise ** (1 - share) * np.maximum(scale, LEAST * model.noise) ** share
    energy = model.energy.continued(cells.Z[kept], share)
    return model.having(predictor=module, noise=noise, energy=energy, known=None, alone=None)


def valid_forget(forget: Any) -> float:
    """Return a share in [0, 1]."""
    number = isinstance(forget, (int, float, np.number)) and not isinstance(forget, bool)
    if number and 0 <= forget <= 1:
        return float(forget)
    raise InputError(f"forget={forget!r} must be a number in [0, 1].")


def fading(
    before: tuple[np.ndarray, Weight], latest: np.ndarray, weight: Weight, forget: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the energies of recent rows with the latest among them, and what each counts."""
    energies, counted = before
    counted, new = (
        np.ones(len(part)) if own is None else own for part, own in ((energies, counted), (latest, weight))
    )
    faded = counted * (1 - forget) ** (new.sum() / FADED)
    energies, counted = np.append(energies, latest), np.append(faded, new)
    there = np.flatnonzero(counted > 0)[-REMEMBERED:]
    return energies[there], counted[there]
