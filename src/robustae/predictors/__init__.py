"""Xhat(theta): differentiable predictors that map rows (b, d) to their reconstruction (b, d).

One file each. `PREDICTORS` names them; what a predictor can do and needs stands in its `traits`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustae.predictors.base import USERS, Predictor, Traits, valid_widths
from robustae.predictors.constant import Constant
from robustae.predictors.conv import Conv
from robustae.predictors.deep import Deep
from robustae.predictors.kernel import Kernel
from robustae.predictors.linear import Linear
from robustae.predictors.shallow import Shallow
from robustae.predictors.sigmoid import Sigmoid
from robustae.predictors.users import Reshaped, users_module
from robustae.stats.scales import Weight
from robustae.utils.checks import one_of

__all__ = [
    "PREDICTORS",
    "Constant",
    "Conv",
    "Deep",
    "Kernel",
    "Linear",
    "Predictor",
    "Reshaped",
    "Shallow",
    "Sigmoid",
    "Traits",
    "build",
    "encoder_of",
    "named",
    "omega",
    "predicted",
    "start",
    "traits_of",
    "valid_widths",
]

PREDICTORS: dict[str, type[Predictor]] = {
    "constant": Constant,
    "linear": Linear,
    "sigmoid": Sigmoid,
    "deep": Deep,
    "conv": Conv,
    "shallow": Shallow,
    "kernel": Kernel,
}


def named(predictor: Any) -> type[Predictor] | None:
    """Return the class a name stands for, None for "auto" and for a module or callable of the user's.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    if not isinstance(predictor, str):
        return None
    return PREDICTORS.get(one_of("predictor", predictor, ["auto", *PREDICTORS]))


def traits_of(predictor: Any) -> Traits:
    """Return what a name, a class or a module states of itself."""
    if isinstance(predictor, str):
        predictor = named(predictor) or Linear
    return getattr(predictor, "traits", USERS)


def encoder_of(module: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """Return what computes the code, or None where there is none."""
    return getattr(module, "encode", None) or getattr(module, "encoder", None)


def start(module: nn.Module, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
    """Set a module's weights from A, shape (n, d), what its encoder gets; the user's keep theirs."""
    if isinstance(module, Predictor):
        module.start(A, weight, robust)


def omega(module: nn.Module) -> Tensor | float:
    """Sum of squared weights; biases (parameters of one dimension) are left out."""
    return sum(((p * p).sum() for p in module.parameters() if p.ndim > 1), start=0.0)


def predicted(module: nn.Module, X: Tensor, observed: Tensor | None) -> Tensor:
    """Xhat of rows; missing cells hold their column's location, and are named to what can leave them out."""
    return module(X, observed) if traits_of(module).takes_observed else module(X)


def build(
    predictor: Any,
    d: int,
    hidden: tuple[int, ...],
    image_shape: Sequence[int] | None,
    generator: torch.Generator,
) -> nn.Module:
    """Build the predictor a name, a module or a callable of d stands for, freshly initialised.

    Raises
    ------
    InputError
        If the name is unknown, an image shape is missing, or a user's module changes the shape.
    """
    kind = named(predictor)
    if kind is None:
        return users_module(predictor, d, image_shape)
    return kind.build(d, hidden, image_shape, generator)
