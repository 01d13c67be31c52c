"""Columns of two values in an ONNX graph: how far off cells are, by operations that runtimes have."""

import numpy as np
import torch
from torch import Tensor, nn

from robustae.fit.cells import SourceCells
from robustae.fit.sources import LEAST, SAME, TIE, Sources
from robustae.stats.scaling import ColumnScaling

__all__ = ["Pairs"]

# The normal quantile by rational functions (Wichura 1988, AS 241), numerators and denominators from x^7 down.
MIDDLE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4)
    + (1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4)
    + (5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)
TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1)
    + (1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550)
    + (4.63033784615654529590, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2)
    + (1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940)
    + (2.05319162663775882187, 1.0),
)


class Pairs(nn.Module):
    """`Sources.cells` on tensors, of whole rows of numbers."""

    zero: Tensor
    step: Tensor
    trust: Tensor
    share: Tensor
    pairs: Tensor

    def __init__(self, sources: Sources, scaling: ColumnScaling):
        super().__init__()
        groups, found = sources.groups(scaling), sources.categories
        columns = {
            "zero": groups.zero,
            "step": np.where(groups.levels, groups.one - groups.zero, 1.0),
            "trust": [0.0 if c is None else c.trust for c in found],
            "share": [0.0 if c is None else c.shares[1] for c in found],
            "pairs": groups.levels,
        }
        for name, values in columns.items():
            self.register_buffer(name, torch.as_tensor(np.asarray(values)))

    def forward(self, Z: Tensor, R: Tensor, noise: Tensor) -> SourceCells:
        steps, expected = (Z - self.zero) / self.step, (Z - R - self.zero) / self.step
        second = self.trust * expected.clamp(0.0, 1.0) + (1 - self.trust) * self.share
        p = torch.where(steps > 0.5, second, 1 - second)
        tail = torch.where(1 - p <= p * _constant(1 + TIE), torch.ones_like(p), p)
        off = torch.sign(R) * distance(torch.maximum(tail, _constant(LEAST)) / 2)
        other = (steps - steps.clamp(0.0, 1.0).round()).abs() > SAME
        plain = R / noise
        found = torch.where(self.pairs & ~other, off, plain)
        return SourceCells(found, torch.ones_like(found, dtype=torch.bool), np.arange(found.shape[1]))


def distance(p: Tensor) -> Tensor:
    """Deviations beyond which a Gaussian lies with probability p, 5e-10 <= p <= 1/2, on one side."""
    q = 0.5 - p
    middle = q * _ratio(_constant(0.180625) - q * q, MIDDLE)
    tail = _ratio(torch.sqrt(-torch.log(p)) - _constant(1.6), TAIL)
    return torch.where(q <= 0.425, middle, tail)


def _ratio(x: Tensor, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    above, below = (_polynomial(x, values) for values in coefficients)
    return above / below


def _polynomial(x: Tensor, values: tuple[float, ...]) -> Tensor:
    found = torch.zeros_like(x)
    for value in values:
        found = found * x + _constant(value)
    return found


def _constant(value: float) -> Tensor:
    """A number by itself would be one of 32 bits in the graph."""
    return torch.tensor(value, dtype=torch.float64)
