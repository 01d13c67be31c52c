"""What a fit is told: the estimator's parameters, checked, with automatic choices made by kind of data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from robustae.fit.lambdas import valid_lam
from robustae.fit.model import ENERGIES
from robustae.penalties import L1, NoPenalty, Penalty, Trimmed, resolve
from robustae.solvers import Alternating, Budget
from robustae.solvers.base import check_budget
from robustae.solvers.objective import CLIP, FAR
from robustae.stats.distances import WIDEST
from robustae.stats.thresholds import valid_contamination
from robustae.utils.checks import InputError, one_of

__all__ = ["Settings", "settings_of", "valid_members"]

DROPPED = 0.1  # of the rows, from a convolutional network's training
TRIMMED = 0.25  # and from a masked one's, by the distances of whole rows
CONV_MEMBERS = 2  # they differ more than others from seed to seed


@dataclass(frozen=True)
class Settings:
    """A fit's settings, all automatic choices made but lam and the widths."""

    predictor: Any
    hidden: Any
    image_shape: tuple[int, ...] | None
    penalty: Penalty
    lam: Any
    mu: float
    scaling: Any
    solver: Any
    budget: Budget
    energy: str
    noise_by: str
    clean: bool
    dtype: torch.dtype
    device: str
    groups: np.ndarray | None = None  # source column of each encoded one, where columns are encoded

    @property
    def clip(self) -> float | None:
        """Soft-clipping is part of the robustness: none for the plain autoencoder or on raw units."""
        plain = (
            isinstance(self.penalty, NoPenalty)
            or self.lam == np.inf
            and not isinstance(self.penalty, Trimmed)
        )
        return None if plain or self.scaling is None else CLIP

    @property
    def far(self) -> float:
        """Deviations at which cells are brought in for the fit: only l1 has a straight envelope there."""
        if self.clip is None or type(self.penalty) is not L1:
            return np.inf
        return FAR if self.auto_lam else FAR + self.lam / 2

    @property
    def by_column(self) -> bool:
        """True for tables, whose columns have scales of their own."""
        return self.noise_by == "columns"

    @property
    def auto_lam(self) -> bool:
        """True where lam follows the noise."""
        return isinstance(self.lam, str)


def settings_of(params: dict[str, Any], X: np.ndarray, image_shape: tuple[int, ...] | None) -> Settings:
    """Resolve the parameters for the rows of X.

    Images and video share one unit, told by an image shape or by bytes; all else is a table.

    Raises
    ------
    InputError
        Names the first parameter that cannot be used, what it is and what would do.
    """
    lam = valid_lam(params["lam"])
    images = image_shape is not None or X.dtype == np.uint8
    check_budget(params["max_iter"], params["tol"], params["batch_size"])
    clean = valid_contamination(params["contamination"]) == 0
    return Settings(
        predictor=params["predictor"],
        hidden=params["hidden"],
        image_shape=image_shape,
        penalty=_penalty(params, image_shape),
        lam=lam,
        mu=_valid_mu(params["mu"]),
        scaling=_by_kind(params["scaling"], "global" if images else "robust"),
        solver=params["solver"],
        budget=Budget(params["max_iter"], params["tol"], None, params["batch_size"]),
        energy=one_of(
            "energy",
            _by_kind(params["energy"], "squared" if images else _for_table(params["predictor"], X.shape[1])),
            ["auto", *ENERGIES],
        ),
        noise_by=_noise_by(params["predictor"], images),
        clean=clean,
        dtype=_dtype(params["dtype"], params["solver"]),
        device=_device(params["device"]),
    )


def _for_table(predictor: Any, columns: int) -> str:
    """A predictor named is what ranks; else what ranks tables best."""
    if columns > WIDEST:
        return "log"
    return "distances" if _is(predictor, "auto") else "combined"


def _noise_by(predictor: Any, images: bool) -> str:
    if not images:
        return "columns"
    return "rows" if _is(predictor, "conv") else "cells"


def _by_kind(value: Any, automatic: str) -> Any:
    return automatic if _is(value, "auto") else value


def _penalty(params: dict[str, Any], image_shape: tuple[int, ...] | None) -> Penalty:
    """Nothing is trimmed where the rows are said to be clean."""
    penalty = resolve(params["penalty"], image_shape)
    if _is(params["penalty"], "auto") and _is(params["predictor"], "conv") and params["lam"] != np.inf:
        penalty = Trimmed(DROPPED, L1())  # it learns whole rows by heart, which l1 only slows down
    if _is(params["penalty"], "auto") and _is(params["predictor"], "masked") and params["lam"] != np.inf:
        penalty = Trimmed(TRIMMED, L1())
    if valid_contamination(params["contamination"]) == 0 and isinstance(penalty, Trimmed):
        return penalty.kept
    return penalty


def _is(value: Any, name: str) -> bool:
    return isinstance(value, str) and value == name


def _valid_mu(mu: Any) -> float:
    if not isinstance(mu, (int, float, np.number)) or not 0 <= mu < np.inf:
        raise InputError(f"mu={mu!r} must be a number from 0 on.")
    return float(mu)


def valid_members(n_estimators: Any, predictor: Any) -> int:
    """Return the number of members, at least 1."""
    if _is(n_estimators, "auto"):
        return CONV_MEMBERS if _is(predictor, "conv") else 1
    if not hasattr(n_estimators, "__index__") or isinstance(n_estimators, bool) or n_estimators < 1:
        raise InputError(f"n_estimators={n_estimators!r} must be 'auto' or a whole number from 1 on.")
    return int(n_estimators)


def _dtype(dtype: Any, solver: Any) -> torch.dtype:
    """The alternating solver is the reference, in float64 always."""
    name = one_of("dtype", dtype, ["float32", "float64"])
    exact = isinstance(solver, Alternating) or isinstance(solver, str) and solver == "alternating"
    return torch.float64 if exact else getattr(torch, name)


def _device(device: Any) -> str:
    if isinstance(device, str) and device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InputError(f"device={device!r} cannot be used here; 'auto' or 'cpu' would do.") from error
    return str(device)
