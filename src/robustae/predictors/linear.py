"""The robust, inductive relative of PCA."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustae.predictors.base import Predictor, Traits, code, drawn, set_weights
from robustae.stats.scales import Weight
from robustae.stats.spectral import components

__all__ = ["Linear"]


class Linear(Predictor):
    """Xhat = (X U) V + b."""

    traits = Traits(at_optimum=True, bilinear=True)

    def __init__(self, d: int, K: int, generator: torch.Generator | None = None):
        super().__init__()
        self.U = drawn((d, K), d, generator)
        self.V = drawn((K, d), K, generator)
        self.b = nn.Parameter(torch.zeros(d))

    @classmethod
    def build(cls, d: int, widths: Any, image_shape: Any, generator: Any) -> "Linear":
        """Return one of width K = the last of `widths`."""
        return cls(d, widths[-1], generator)

    def start(self, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
        """U = V' = the leading components: PCA about the median (the mean, if not robust)."""
        found = components(A, self.U.shape[1], weight, robust).filled(self.U.shape[1])
        set_weights(self.U, found.loadings.T)
        set_weights(self.V, found.loadings)
        set_weights(self.b, found.location - found.location @ found.loadings.T @ found.loadings)

    def encode(self, X: Tensor) -> Tensor:
        return code(X, self.U)

    def slopes(self, codes: Tensor) -> Tensor:
        """Derivative of the activation at the codes."""
        return torch.ones_like(codes)

    def forward(self, X: Tensor) -> Tensor:
        return torch.addmm(self.b, self.encode(X), self.V)
