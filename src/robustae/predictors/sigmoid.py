"""The slides' network: one hidden layer of sigmoids."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustae.predictors.base import Predictor, Traits, code, drawn, set_weights
from robustae.stats.scales import Weight
from robustae.stats.spectral import components

__all__ = ["Sigmoid"]

LINEAR_RANGE = 0.4  # activations up to here: the sigmoid is within 1.4 % of its tangent


class Sigmoid(Predictor):
    """Equation (1): Xhat = f(X U) V with f(a) = 1 / (1 + exp(-a)); with biases f(X U + a) V + b.

    Parameters
    ----------
    d, K : int
        Columns of X and hidden units.
    bias : bool
        True by default, for the better fit: without, f(0) = 1/2 puts an offset of sum(V) / 2 into
        every row that the other weights must cancel. False is the slides' equation to the letter.
    """

    traits = Traits(at_optimum=True, bilinear=True)

    def __init__(self, d: int, K: int, bias: bool = True, generator: torch.Generator | None = None):
        super().__init__()
        self.U = drawn((d, K), d, generator)
        self.V = drawn((K, d), K, generator)
        self.a = nn.Parameter(torch.zeros(K)) if bias else None
        self.b = nn.Parameter(torch.zeros(d)) if bias else None

    @classmethod
    def build(cls, d: int, widths: Any, image_shape: Any, generator: Any) -> "Sigmoid":
        """Return one of width K = the last of `widths`."""
        return cls(d, widths[-1], generator=generator)

    def start(self, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
        """The components' scores shrunk into the sigmoid's linear range, f(a) = 1/2 + a/4 nearly.

        Without biases the 1/2 cannot be taken off, so units come in pairs: f(a) - f(-a) = a/2 nearly,
        and the location is left to the solver.
        """
        paired = self.b is None
        K = self.U.shape[1] // 2 if paired else self.U.shape[1]
        found = components(A, K, weight, robust and not paired).filled(K)
        scores = (A - found.location) @ found.loadings.T
        shrink = LINEAR_RANGE / np.maximum(np.quantile(np.abs(scores), 0.99, axis=0), 1e-12)
        U, V = found.loadings.T * shrink, 4 * found.loadings / shrink[:, None]
        if paired:
            U, V = np.hstack([U, -U]), np.vstack([V, -V]) / 2
            set_weights(self.U.data[:, : U.shape[1]], U)
            set_weights(self.V.data[: V.shape[0]], V)
            return
        set_weights(self.U, U)
        set_weights(self.V, V)
        set_weights(self.a, -(found.location @ U))
        set_weights(self.b, found.location - V.sum(0) / 2)

    def encode(self, X: Tensor) -> Tensor:
        activation = code(X, self.U)
        return torch.sigmoid(activation if self.a is None else activation + self.a)

    def slopes(self, codes: Tensor) -> Tensor:
        """Derivative of the activation at the codes: f' = f (1 - f)."""
        return codes * (1 - codes)

    def forward(self, X: Tensor) -> Tensor:
        if self.b is None:
            return self.encode(X) @ self.V
        return torch.addmm(self.b, self.encode(X), self.V)
