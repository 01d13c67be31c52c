"""Every cell from all others: linear, with a zero diagonal, by the scatter of the rows kept."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustae.predictors.base import Predictor, Traits
from robustae.stats.conditional import given
from robustae.stats.groups import Groups
from robustae.stats.scales import Weight
from robustae.stats.scatter import Scatter
from robustae.stats.shallow import fit_shallow

__all__ = ["Shallow"]

POSITIVE, LARGEST = ("pivots", "variances", "ridge"), 1e30  # in squared deviations
BY_COLUMN = ("location", "pivots", "variances", "ridge")


class Shallow(Predictor):
    """Xhat = x - (P b)_j / P_jj, b = x - m: P the inverse of the shrunk scatter of the rows kept.

    This is the autoencoder EASE (Steck 2019) and the marginalised denoising autoencoder (Chen et al. 2012),
    made robust by leaving out rows. Fitted in closed form: it has no weights to descend on. P is held whole,
    or for more columns than rows as diag(1 / ridge) - factor' factor. Columns of one source (the levels of a
    category) are predicted together, from those of others: see `stats.groups`.
    """

    traits = Traits(closed_form=True, takes_observed=True, conditional=True, clips=False)

    location: Tensor
    pivots: Tensor
    variances: Tensor
    part: Tensor
    precision: Tensor
    ridge: Tensor
    factor: Tensor
    grouped: Tensor

    def __init__(self, d: int):
        super().__init__()
        self.register_buffer("grouped", torch.zeros((0, d), dtype=torch.float64))
        self.set(Scatter(np.zeros(d), np.ones(d), 0.0, np.ones(d), np.ones(d), np.zeros((0, d)), copies=2.0))

    def set(self, scatter: Scatter, groups: Groups | None = None) -> None:
        """Take over a scatter, and which columns belong together, where that is given."""
        d = len(scatter.location)
        whole = scatter.precision is not None
        parts = {
            "location": scatter.location,
            "pivots": scatter.pivots,
            "variances": scatter.variances,
            "part": np.array([scatter.part, scatter.copies]),
            "precision": scatter.precision if whole else np.zeros((0, d)),
            "ridge": scatter.ridge,
            "factor": np.zeros((0, d)) if whole else scatter.factor,
        }
        if groups is not None:
            parts["grouped"] = np.stack([groups.source, groups.levels, groups.zero, groups.one])
        for name, values in parts.items():
            self.register_buffer(name, torch.from_numpy(np.array(values, dtype=np.float64, order="C")))

    @property
    def scatter(self) -> Scatter:
        """What cells are predicted by."""
        arrays = {name: getattr(self, name).cpu().double().numpy() for name in BY_COLUMN}
        part, copies = self.part.tolist()
        if len(self.factor):
            return Scatter(**arrays, part=part, copies=copies, factor=self.factor.numpy())
        return Scatter(**arrays, part=part, copies=copies, precision=self.precision.numpy())

    def moved(self, Z: np.ndarray, weight: Weight, share: float) -> None:
        """Let rows Z, shape (n, d), take the place of a share of the scatter."""
        self.set(self.scatter.moved(Z, weight, share))

    @property
    def groups(self) -> Groups | None:
        """Which columns belong together; None where all stand alone."""
        if not len(self.grouped):
            return None
        source, levels, zero, one = self.grouped.cpu().double().numpy()
        return Groups(source.astype(int), levels > 0, zero, one)

    @classmethod
    def widths(cls, hidden: Any, d: int, auto: Any) -> tuple[int, ...]:
        """There is no code."""
        return ()

    @classmethod
    def build(cls, d: int, widths: Any, image_shape: Any, generator: Any) -> "Shallow":
        """Return one that is yet to be fitted."""
        return cls(d)

    @classmethod
    def least_weights(cls, d: int, widths: Any, image_shape: Any) -> int:
        """What is there by column."""
        return 4 * d

    def start(self, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
        """Fit to A, shape (n, d); not robust: to all rows."""
        A = np.asarray(A, dtype=np.float64)
        self.set(fit_shallow(A, np.ones(A.shape, bool), weight, clean=not robust).scatter)

    def forward(self, X: Tensor, observed: Tensor | None = None) -> Tensor:
        """Predict every cell from the others that are observed."""
        if observed is None and len(self.grouped):
            observed = torch.ones(X.shape, dtype=torch.bool)
        if observed is not None and (len(self.grouped) or not bool(observed.all())):
            return torch.from_numpy(self.conditional(X.numpy(), observed.numpy())[0]).to(X)
        B = X - self.location
        if len(self.factor):
            products = B / self.ridge - (B @ self.factor.T) @ self.factor
        else:
            products = B @ self.precision
        return X - products / self.pivots

    def conditional(self, Z: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Xhat from the cells that are `there`, and how many times wider residuals spread for it.

        Both of shape (n, d); where a cell is missing Xhat is its conditional expectation.
        """
        scatter = self.scatter
        found, groups = given(scatter, Z, there), self.groups
        full, R = found.B + scatter.location, found.residuals()
        if groups is not None:
            R = groups.residuals(R, found, scatter, there)
        return full - R, found.wider

    def graph(self) -> nn.Module:
        """Return what predicts the cells of whole rows."""
        return _WholeRows(self)

    def _load_from_state_dict(self, state: Any, prefix: str, *rest: Any) -> None:
        """The forms differ in shape."""
        for name in ("precision", "factor", "grouped"):
            if (values := state.get(prefix + name)) is not None:
                self.register_buffer(name, torch.empty_like(values, dtype=torch.float64))
        super()._load_from_state_dict(state, prefix, *rest)
        for name in POSITIVE:
            values = getattr(self, name)
            if not bool(((values > 1 / LARGEST) & (values < LARGEST)).all()):
                raise ValueError(f"{name} of the scatter are no variances")


class _WholeRows(nn.Module):
    """`Shallow` of rows without missing cells."""

    base: Tensor
    slope: Tensor
    zero: Tensor
    step: Tensor
    pairs: Tensor

    def __init__(self, shallow: Shallow):
        super().__init__()
        self.groups = shallow.groups
        if self.groups is not None:
            self._with_pairs(shallow.scatter, self.groups)
        self.location, self.pivots = shallow.location, shallow.pivots
        self.whole = not len(shallow.factor)
        self.precision, self.ridge, self.factor = shallow.precision, shallow.ridge, shallow.factor

    def forward(self, X: Tensor) -> Tensor:
        B = X - self.location
        products = B @ self.precision if self.whole else B / self.ridge - (B @ self.factor.T) @ self.factor
        Xhat = X - products / self.pivots
        if self.groups is None:
            return Xhat
        share = torch.sigmoid(self.base + self.slope * (Xhat - self.location))
        return torch.where(self.pairs, self.zero + share * self.step, Xhat)

    def _with_pairs(self, scatter: Scatter, groups: Groups) -> None:
        """`Groups` for columns of two values: the logarithm of the odds is linear in what is expected."""
        base, slope = groups.log_odds(scatter)
        for name, values in (("base", base), ("slope", slope), ("zero", groups.zero)):
            self.register_buffer(name, torch.from_numpy(values))
        self.register_buffer("step", torch.from_numpy(groups.one - groups.zero))
        self.register_buffer("pairs", torch.from_numpy(groups.levels))
