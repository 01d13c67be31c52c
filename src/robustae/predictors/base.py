"""What every predictor shares: what it states of itself, how its weights are drawn, how it starts."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from robustae.stats.scales import Weight
from robustae.utils.checks import InputError

__all__ = ["USERS", "Predictor", "Traits", "code", "dense", "drawn", "redrawn", "set_weights", "valid_widths"]


@dataclass(frozen=True)
class Traits:
    """What a predictor can do and what it needs; other rooms ask this and never which class it is.

    Attributes
    ----------
    constant : bool
        Xhat is the same for every row, and each column of it has weights of its own.
    at_optimum : bool
        Starts so near the optimum that solvers of the whole batch finish the rest.
    bilinear : bool
        Two layers of weights U and V, whose curvature is known.
    takes_observed : bool
        `forward` takes which cells are observed beside the rows.
    conditional : bool
        `conditional` predicts cells from any others, and says how widely residuals then spread.
    random : bool
        Draws random numbers while it is trained.
    trims : float
        Share of the rows left out of training where the penalty is "auto": it learns whole rows by heart.
    noise_of_images : {"cells", "rows"}
        What the one noise scale of images is measured by.
    members : int
        Fits that are averaged where `n_estimators` is "auto": more for what differs from seed to seed.
    parallel : bool
        Gains from more threads than one.
    needs_image_shape : bool
    closed_form : bool
        Fitted without descent, whatever the solver, by the rows as they are: see `fit.closed`.
    whole_rows : bool
        Predicts a row from other rows: see `fit.whole_rows`.
    energy : str
        What ranks its rows where the energy is "auto"; by the kind of data where empty.
    clips : bool
        Its inputs are soft-clipped: what a wild cell does through the encoder is bounded.
    adam : mapping
        Parameters of `solvers.Adam` that suit it.
    """

    constant: bool = False
    at_optimum: bool = False
    bilinear: bool = False
    takes_observed: bool = False
    conditional: bool = False
    random: bool = False
    trims: float = 0.0
    noise_of_images: str = "cells"
    members: int = 1
    parallel: bool = False
    needs_image_shape: bool = False
    closed_form: bool = False
    whole_rows: bool = False
    energy: str = ""
    clips: bool = True
    adam: Mapping[str, Any] = field(default_factory=dict)


USERS = Traits(random=True, parallel=True)  # of a module that states nothing


class Predictor(nn.Module):
    """Xhat(theta), differentiable: rows (b, d) to their reconstruction (b, d).

    No predictor ties its weights and none normalises over the batch: either would let outlying rows act
    on others.
    """

    traits: ClassVar[Traits] = Traits()

    @classmethod
    def widths(cls, hidden: tuple[int, ...] | None, d: int, auto: Callable[[], int]) -> tuple[int, ...]:
        """Return the widths down to the code, () for none.

        Parameters
        ----------
        hidden : tuple of int or None
            As given; None for "auto".
        d : int
            Columns.
        auto : callable
            Gives the least width that predicts held-out cells well.
        """
        if hidden is not None and len(hidden) > 1:
            raise InputError(
                f"hidden={hidden!r}: predictor={cls.__name__.lower()!r} has one width, the code's."
            )
        return hidden or (max(auto(), 1),)

    @classmethod
    def build(
        cls, d: int, widths: tuple[int, ...], image_shape: Sequence[int] | None, generator: torch.Generator
    ) -> "Predictor":
        """Return one with weights drawn from `generator`."""
        raise NotImplementedError

    @classmethod
    def least_weights(cls, d: int, widths: tuple[int, ...], image_shape: Sequence[int] | None) -> int:
        """Return how many weights one of these widths has at least: checked before a saved one is built."""
        return d * sum(widths[-1:])

    def start(self, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
        """Set the weights from A, shape (n, d), what the encoder gets; networks keep those drawn."""

    def graph(self) -> nn.Module:
        """Return the same map made of operations that ONNX runtimes have in float64."""
        return self


def drawn(shape: Sequence[int], fan_in: int, generator: torch.Generator | None) -> nn.Parameter:
    """Uniform weights of variance 1 / fan_in."""
    bound = math.sqrt(3.0 / max(fan_in, 1))
    return nn.Parameter((2 * torch.rand(*shape, generator=generator) - 1) * bound)


def dense(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    """Return a dense layer with weights drawn, its bias 0."""
    return redrawn(nn.utils.skip_init(nn.Linear, inputs, outputs), inputs, generator)


def redrawn(layer: Any, fan_in: int, generator: torch.Generator | None) -> Any:
    """Draw a layer's weights, and set its bias to 0."""
    layer.weight = drawn(layer.weight.shape, fan_in, generator)
    layer.bias = nn.Parameter(torch.zeros_like(layer.bias))
    return layer


def code(X: Tensor, U: Tensor) -> Tensor:
    """X U, as (U' X')': many columns by few are up to eight times slower the other way round."""
    return (U.T @ X.T).T


def set_weights(parameter: Tensor | None, values: np.ndarray) -> None:
    """Copy values into a parameter, in its own precision."""
    assert parameter is not None
    parameter.data.copy_(torch.from_numpy(np.array(values, dtype=np.float64, order="C")))


def valid_widths(hidden: Any) -> tuple[int, ...] | None:
    """Return `hidden` as a tuple of widths, None for "auto".

    Raises
    ------
    InputError
        If it is neither "auto" nor whole numbers from 1 on.
    """
    if isinstance(hidden, str) and hidden == "auto":
        return None
    widths: Any = tuple(hidden) if isinstance(hidden, (tuple, list)) else (hidden,)
    if not widths or not all(hasattr(w, "__index__") and w >= 1 and not isinstance(w, bool) for w in widths):
        raise InputError(f"hidden={hidden!r} must be 'auto', a whole number from 1 on, or a tuple of such.")
    return tuple(int(w) for w in widths)
