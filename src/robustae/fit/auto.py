"""Every automatic choice of a fit, on one page: from the parameters, the kind of data and its shape.

What is chosen is a fitted attribute (`choices`). The width of the code and lam follow from the data while
they are fitted: `stats.widths` and `fit.lambdas`.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch

from robustae.data.kinds import WIDEST, Kind
from robustae.fit.energies import ENERGIES
from robustae.fit.lambdas import valid_lam
from robustae.fit.sources import Sources
from robustae.penalties import L1, Penalty, Trimmed, resolve
from robustae.predictors import named, traits_of, valid_widths
from robustae.solvers import SOLVERS, Budget
from robustae.solvers.base import check_budget
from robustae.solvers.objective import CLIP, FAR
from robustae.stats.thresholds import valid_contamination
from robustae.stats.widths import auto_width
from robustae.utils.checks import InputError, one_of

__all__ = ["Settings", "choices", "closed_choices", "settings_of", "sized", "valid_members"]


# Predictors by kind, "kernel" for wide rows of one unit, and others of one unit whose cells err together
# (`fit.whole_rows`); for images a linear one, as wide as predicts best.
AUTOMATIC = {"numbers": "shallow", "one unit": "shallow", "mixed": "shallow"}
BY_KIND = {"images": "squared", "mixed": "log"}  # energies, "combined" for others
CLOSED = "closed form"


@dataclass(frozen=True)
class Settings:
    """A fit's settings, all automatic choices made but lam and the widths."""

    kind: Kind
    predictor: Any
    hidden: tuple[int, ...] | None
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
    sources: Sources | None = None  # of a mixed table
    undecided: bool = False  # the rows tell whether they are ranked as wholes

    def of_whole_rows(self) -> "Settings":
        """Return the settings for rows that are ranked as wholes."""
        traits = traits_of("kernel")
        return replace(self, predictor="kernel", energy=traits.energy, noise_by=traits.noise_of_images)

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """(height, width[, channels]) of images."""
        return self.kind.image_shape

    @property
    def clip(self) -> float | None:
        """Soft-clipping is part of the robustness: none for the plain autoencoder or on raw units."""
        robust = self.penalty.drops_rows or self.penalty.kept.uses_lam and self.lam != np.inf
        return CLIP if robust and self.scaling is not None and traits_of(self.predictor).clips else None

    @property
    def far(self) -> float:
        """Deviations at which cells are brought in for the fit, where the envelope is straight there."""
        if self.clip is None or not self.penalty.linear_beyond:
            return np.inf
        return FAR if self.auto_lam else FAR + self.lam / 2

    @property
    def by_column(self) -> bool:
        """True where columns have scales of their own."""
        return self.noise_by == "columns"

    @property
    def auto_lam(self) -> bool:
        """True where lam follows the noise."""
        return isinstance(self.lam, str)

    def of_sources(self, sources: Sources) -> "Settings":
        """Return the settings for encoded columns."""
        return replace(self, penalty=self.penalty.by_source(sources.index), sources=sources)


def settings_of(params: dict[str, Any], kind: Kind) -> Settings:
    """Resolve the parameters for rows of a kind.

    Raises
    ------
    InputError
        Names the first parameter that cannot be used, what it is and what would do.
    """
    predictor = _or(params["predictor"], "kernel" if kind.wide else AUTOMATIC.get(kind.name, "auto"))
    traits = traits_of(predictor)
    lam = valid_lam(params["lam"])
    check_budget(params["max_iter"], params["tol"], params["batch_size"])
    return Settings(
        kind=kind,
        predictor=predictor,
        hidden=valid_widths(params["hidden"]),
        penalty=_penalty(params, kind, traits.trims),
        lam=lam,
        mu=_valid_mu(params["mu"]),
        scaling=_or(params["scaling"], "robust" if kind.by_column else "global"),
        solver=params["solver"],
        budget=Budget(params["max_iter"], params["tol"], None, params["batch_size"]),
        energy=_energy(params, kind, traits.energy),
        noise_by="columns" if kind.by_column else traits.noise_of_images,
        clean=_clean(params),
        dtype=_dtype(params["dtype"], params["solver"]),
        device=_device(params["device"]),
        undecided=kind.name == "one unit" and _is_auto(params["predictor"]) and _is_auto(params["energy"]),
    )


def sized(settings: Settings, A: np.ndarray) -> tuple[Settings, tuple[int, ...]]:
    """Return the settings with the predictor named, and the widths down to its code.

    Parameters
    ----------
    A : array, shape (n, d)
        The data as the encoder gets it.
    """
    hidden = settings.hidden
    if _is_auto(settings.predictor):
        width = hidden[-1] if hidden else auto_width(A)
        settings = replace(settings, predictor="linear" if width else "constant")
        hidden = (width,) if hidden is None and width else hidden
    kind = named(settings.predictor)
    return settings, () if kind is None else kind.widths(hidden, A.shape[1], lambda: auto_width(A))


def choices(settings: Settings, solver: Any, n: int, members: int) -> dict[str, Any]:
    """Return what was chosen, by the fitted attribute that holds it; a fit ends with the predictor named."""
    names = {kind: name for name, kind in SOLVERS.items()}
    return {
        "kind_": settings.kind,
        "predictor_name_": settings.predictor if isinstance(settings.predictor, str) else None,
        "penalty_": settings.penalty,
        "energy_": settings.energy,
        "scaling_": settings.scaling,
        "solver_": names.get(type(solver), type(solver).__name__.lower()),
        "max_iter_": solver.most(settings.budget, n),
        "batch_size_": solver.batch(settings.budget, n),
        "n_estimators_": members,
        "device_": settings.device,
    }


def closed_choices(settings: Settings) -> dict[str, Any]:
    """Return the same for a fit in closed form, which takes no steps."""
    return {
        "kind_": settings.kind,
        "predictor_name_": settings.predictor,
        "penalty_": settings.penalty,
        "energy_": settings.energy,
        "scaling_": settings.scaling,
        "solver_": CLOSED,
        "max_iter_": 0,
        "batch_size_": 0,
        "n_estimators_": 1,
        "device_": "cpu",
    }


def _energy(params: dict[str, Any], kind: Kind, of_predictor: str) -> str:
    automatic = of_predictor or BY_KIND.get(kind.name, "combined")
    if _is_auto(params["predictor"]) and kind.name == "images" and prod(kind.image_shape or ()) <= WIDEST:
        automatic = "kernel"  # the predictor may end as a constant, whose residuals rank by light alone
    return one_of("energy", _or(params["energy"], automatic), ["auto", *ENERGIES])


def _penalty(params: dict[str, Any], kind: Kind, trims: float) -> Penalty:
    """What learns whole rows by heart trims some; where all rows are clean nothing is trimmed."""
    penalty = resolve(params["penalty"], kind.image_shape)
    if _is_auto(params["penalty"]) and trims and params["lam"] != np.inf:
        penalty = Trimmed(trims, L1())
    return penalty.kept if _clean(params) else penalty


def _clean(params: dict[str, Any]) -> bool:
    return valid_contamination(params["contamination"]) == 0


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _or(value: Any, automatic: Any) -> Any:
    return automatic if _is_auto(value) else value


def _valid_mu(mu: Any) -> float:
    if not isinstance(mu, (int, float, np.number)) or not 0 <= mu < np.inf:
        raise InputError(f"mu={mu!r} must be a number from 0 on.")
    return float(mu)


def valid_members(n_estimators: Any, predictor: Any) -> int:
    """Return the number of members, at least 1."""
    if _is_auto(n_estimators):
        return traits_of(predictor).members
    if not hasattr(n_estimators, "__index__") or isinstance(n_estimators, bool) or n_estimators < 1:
        raise InputError(f"n_estimators={n_estimators!r} must be 'auto' or a whole number from 1 on.")
    return int(n_estimators)


def _dtype(dtype: Any, solver: Any) -> torch.dtype:
    name = one_of("dtype", dtype, ["float32", "float64"])
    chosen = SOLVERS.get(solver) if isinstance(solver, str) else solver
    return torch.float64 if getattr(chosen, "float64", False) else getattr(torch, name)


def _device(device: Any) -> str:
    if _is_auto(device):
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InputError(f"device={device!r} cannot be used here; 'auto' or 'cpu' would do.") from error
    return str(device)
