"""Predictors of the user's own: any module, or a callable that makes one."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from robustae.predictors.base import USERS
from robustae.utils.checks import InputError

__all__ = ["Reshaped", "users_module"]


class Reshaped(nn.Module):
    """The user's module, which wants images of `image_shape` and gives them back."""

    traits = USERS

    def __init__(self, module: nn.Module, image_shape: Sequence[int]):
        super().__init__()
        self.module = module
        self.image_shape = tuple(image_shape)

    def forward(self, X: Tensor) -> Tensor:
        return self.module(X.view(-1, *self.image_shape)).flatten(1)

    @property
    def encode(self) -> Any:
        """The module's encoder for rows, None where it has none."""
        inner = getattr(self.module, "encode", None) or getattr(self.module, "encoder", None)
        return None if inner is None else lambda X: inner(X.view(-1, *self.image_shape))


def users_module(predictor: Any, d: int, image_shape: Sequence[int] | None) -> nn.Module:
    made = (
        deepcopy(predictor)
        if isinstance(predictor, nn.Module)
        else predictor(d)
        if callable(predictor)
        else None
    )
    if not isinstance(made, nn.Module):
        raise InputError(
            f"predictor={predictor!r} must be a name, an nn.Module, or a callable of d that returns one."
        )
    if _maps(made, (2, d)):
        return made
    if image_shape is not None and _maps(made, (2, *image_shape)):
        return Reshaped(made, image_shape)
    wanted = f"(batch, {d})" + (f" or (batch, *{tuple(image_shape)})" if image_shape is not None else "")
    raise InputError(f"predictor: the module given does not map {wanted} to the same shape.")


def _maps(module: nn.Module, shape: Sequence[int]) -> bool:
    """Try zeros of `shape` through a copy, so that running statistics stay as they were."""
    dtype = next((p.dtype for p in module.parameters()), torch.float32)
    try:
        with torch.no_grad():
            return tuple(deepcopy(module).eval()(torch.zeros(*shape, dtype=dtype)).shape) == tuple(shape)
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False
