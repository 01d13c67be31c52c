"""A deep ELU autoencoder."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from robustae.predictors.base import Predictor, Traits, dense

__all__ = ["Deep", "Elu"]


class Elu(nn.Module):
    """ELU from operations that runtimes have in float64, too."""

    def forward(self, X: Tensor) -> Tensor:
        return torch.where(X > 0, X, torch.exp(X.clamp_max(0)) - 1)


def _stack(widths: Sequence[int], generator: torch.Generator | None) -> nn.Sequential:
    """Dense layers with ELU between them, none after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [dense(inputs, outputs, generator), nn.ELU()]
    return nn.Sequential(*layers[:-1])


class Deep(Predictor):
    """`widths` down to the code and back (Clevert et al. 2015)."""

    traits = Traits()

    def __init__(self, d: int, widths: Sequence[int], generator: torch.Generator | None = None):
        super().__init__()
        down = [d, *widths]
        self.encoder = _stack(down, generator)
        self.decoder = _stack(down[::-1], generator)

    @classmethod
    def widths(cls, hidden: tuple[int, ...] | None, d: int, auto: Callable[[], int]) -> tuple[int, ...]:
        """A single width K becomes two layers: the geometric mean of d and K, then K."""
        if hidden is not None and len(hidden) > 1:
            return hidden
        K = hidden[0] if hidden else max(auto(), 1)
        return (max(round((d * K) ** 0.5), 2 * K), K)

    @classmethod
    def build(cls, d: int, widths: Any, image_shape: Any, generator: Any) -> "Deep":
        """Return one of these widths."""
        return cls(d, widths, generator)

    @classmethod
    def least_weights(cls, d: int, widths: tuple[int, ...], image_shape: Any) -> int:
        """Those of the layers down."""
        return sum(wide * narrow for wide, narrow in pairwise([d, *widths]))

    def encode(self, X: Tensor) -> Tensor:
        return self.encoder(X)

    def forward(self, X: Tensor) -> Tensor:
        return self.decoder(self.encode(X))

    def graph(self) -> nn.Module:
        """Return a copy with ELU made of simpler operations."""
        module = deepcopy(self)
        for stack in (module.encoder, module.decoder):
            for name, child in stack.named_children():
                if isinstance(child, nn.ELU):
                    setattr(stack, name, Elu())
        return module
