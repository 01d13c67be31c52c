"""A robust centre: the same reconstruction for every row."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustae.predictors.base import Predictor, Traits, set_weights
from robustae.stats.scales import Weight, median

__all__ = ["Constant"]


class Constant(Predictor):
    """Xhat = b (K = 0)."""

    traits = Traits(constant=True, at_optimum=True)

    def __init__(self, d: int):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(d))

    @classmethod
    def widths(cls, hidden: Any, d: int, auto: Any) -> tuple[int, ...]:
        """There is no code to size."""
        return ()

    @classmethod
    def build(cls, d: int, widths: Any, image_shape: Any, generator: Any) -> "Constant":
        """Return b = 0."""
        return cls(d)

    def start(self, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
        """The median (the mean, if not robust)."""
        set_weights(self.b, median(A, weight) if robust else np.average(A, axis=0, weights=weight))

    def forward(self, X: Tensor) -> Tensor:
        return self.b.expand_as(X)
