"""Xhat(theta): differentiable predictors that map rows (b, d) to their reconstruction (b, d).

None ties its weights and none normalises over the batch: either would let outlying rows act on
others. Weights are drawn from a local generator; Omega, the sum of squared weights, leaves biases out.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from robustae.utils.checks import InputError, one_of

__all__ = [
    "Constant",
    "Conv",
    "Deep",
    "Linear",
    "Masked",
    "Reshaped",
    "Sigmoid",
    "build",
    "encoder_of",
    "omega",
    "predicted",
]

HALVINGS, SEEN = 4, 0.5  # of the columns, to predict from; and the share of cells seen in training
NAMES = ("constant", "linear", "sigmoid", "deep", "masked", "conv")


def _drawn(shape: Sequence[int], fan_in: int, generator: torch.Generator | None) -> nn.Parameter:
    """Uniform weights of variance 1 / fan_in."""
    bound = math.sqrt(3.0 / max(fan_in, 1))
    return nn.Parameter((2 * torch.rand(*shape, generator=generator) - 1) * bound)


def _codes(X: Tensor, U: Tensor) -> Tensor:
    """X U, as (U' X')': many columns by few are up to eight times slower the other way round."""
    return (U.T @ X.T).T


class Constant(nn.Module):
    """Xhat = b: a robust centre (K = 0)."""

    def __init__(self, d: int):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(d))

    def forward(self, X: Tensor) -> Tensor:
        return self.b.expand_as(X)


class Linear(nn.Module):
    """Xhat = (X U) V + b: the robust, inductive relative of PCA."""

    def __init__(self, d: int, K: int, generator: torch.Generator | None = None):
        super().__init__()
        self.U = _drawn((d, K), d, generator)
        self.V = _drawn((K, d), K, generator)
        self.b = nn.Parameter(torch.zeros(d))

    def encode(self, X: Tensor) -> Tensor:
        return _codes(X, self.U)

    def forward(self, X: Tensor) -> Tensor:
        return torch.addmm(self.b, self.encode(X), self.V)


class Sigmoid(nn.Module):
    """Equation (1): Xhat = f(X U) V with f(a) = 1 / (1 + exp(-a)); with biases f(X U + a) V + b.

    Parameters
    ----------
    d, K : int
        Columns of X and hidden units.
    bias : bool
        True by default, for the better fit: without, f(0) = 1/2 puts an offset of sum(V) / 2 into
        every row that the other weights must cancel. False is the slides' equation to the letter.
    """

    def __init__(self, d: int, K: int, bias: bool = True, generator: torch.Generator | None = None):
        super().__init__()
        self.U = _drawn((d, K), d, generator)
        self.V = _drawn((K, d), K, generator)
        self.a = nn.Parameter(torch.zeros(K)) if bias else None
        self.b = nn.Parameter(torch.zeros(d)) if bias else None

    def encode(self, X: Tensor) -> Tensor:
        activation = _codes(X, self.U)
        return torch.sigmoid(activation if self.a is None else activation + self.a)

    def forward(self, X: Tensor) -> Tensor:
        if self.b is None:
            return self.encode(X) @ self.V
        return torch.addmm(self.b, self.encode(X), self.V)


def _dense(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    return _redrawn(nn.utils.skip_init(nn.Linear, inputs, outputs), inputs, generator)


def _redrawn(layer: Any, fan_in: int, generator: torch.Generator | None) -> Any:
    layer.weight = _drawn(layer.weight.shape, fan_in, generator)
    layer.bias = nn.Parameter(torch.zeros_like(layer.bias))
    return layer


def _stack(widths: Sequence[int], generator: torch.Generator | None) -> nn.Sequential:
    """Dense layers with ELU between them, none after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [_dense(inputs, outputs, generator), nn.ELU()]
    return nn.Sequential(*layers[:-1])


class Deep(nn.Module):
    """A deep ELU autoencoder (Clevert et al. 2015), `widths` down to the code and back."""

    def __init__(self, d: int, widths: Sequence[int], generator: torch.Generator | None = None):
        super().__init__()
        down = [d, *widths]
        self.encoder = _stack(down, generator)
        self.decoder = _stack(down[::-1], generator)

    def encode(self, X: Tensor) -> Tensor:
        return self.encoder(X)

    def forward(self, X: Tensor) -> Tensor:
        return self.decoder(self.encode(X))


class Masked(nn.Module):
    """Each cell predicted from others: a masked autoencoder for tables (ELU, a linear part beside it).

    In training a random half of the cells is hidden, anew in every step, and told as hidden beside the
    values; cells that are seen are handed through, so they teach nothing. Afterwards each cell is predicted
    from halves of the columns that it is not in, four of them, and the predictions are averaged. No cell
    speaks for itself, so the code needs no bottleneck. Missing cells are hidden always. Columns of one group
    (the one-hot columns of a category) are hidden together.

    Parameters
    ----------
    d : int
        Columns of X.
    widths : sequence of int
        Of the hidden layers.
    """

    halves: Tensor
    groups: Tensor

    def __init__(self, d: int, widths: Sequence[int], generator: torch.Generator | None = None):
        super().__init__()
        self.network = _stack([2 * d, *widths, d], generator)
        self.beside = _dense(2 * d, d, generator)
        self.register_buffer("groups", torch.arange(d))
        self.register_buffer("halves", self._halvings(generator))

    def hide_together(self, groups: Any, generator: torch.Generator | None = None) -> None:
        """Hide columns of one group together: one-hot columns of a category give each other away.

        Parameters
        ----------
        groups : array of int, shape (d,)
            Group of each column, numbered from 0 on.
        """
        self.groups = torch.as_tensor(groups, device=self.groups.device)
        self.halves = self._halvings(generator).to(self.halves.device)

    def _halvings(self, generator: torch.Generator | None) -> Tensor:
        count = int(self.groups.max()) + 1
        orders = torch.stack([torch.randperm(count, generator=generator) for _ in range(HALVINGS)])
        return (orders < count / 2)[:, self.groups.cpu()]

    def _seeing(self, X: Tensor, seen: Tensor) -> Tensor:
        seen = seen.to(X.dtype)
        inputs = torch.cat([X * seen, seen], 1)
        return self.network(inputs) + self.beside(inputs)

    def forward(self, X: Tensor, observed: Tensor | None = None) -> Tensor:
        if not self.training:
            return self._from_halves(X, observed)
        seen = torch.rand_like(X[:, : int(self.groups.max()) + 1]) < SEEN
        seen = seen[:, self.groups]
        if observed is not None:
            seen = seen & observed
        return torch.where(seen, X, self._seeing(X, seen))

    def _from_halves(self, X: Tensor, observed: Tensor | None) -> Tensor:
        total = torch.zeros_like(X)
        for half in self.halves:
            first, second = (self._seeing(X, _both(side.expand_as(X), observed)) for side in (half, ~half))
            total = total + torch.where(half, second, first)
        return total / len(self.halves)


def _both(seen: Tensor, observed: Tensor | None) -> Tensor:
    return seen if observed is None else seen & observed


def predicted(module: nn.Module, X: Tensor, observed: Tensor | None) -> Tensor:
    """Xhat of rows; a masked predictor is told which cells are missing, others see their location there."""
    return module(X, observed) if isinstance(module, Masked) else module(X)


class Conv(nn.Module):
    """A convolutional ELU autoencoder: two strided convolutions, a linear code of width K, and back.

    Rows are flattened images, channels fastest; any height and width from 1 up, odd ones too: the
    transposed convolutions are told the size to reach.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        K: int,
        filters: tuple[int, int] = (8, 16),
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.height, self.width, self.channels = (*image_shape, 1)[:3]
        sizes = [(self.height, self.width)]
        for _ in filters:
            height, width = sizes[-1]
            sizes.append((-(-height // 2), -(-width // 2)))
        self.sizes = sizes
        first, second = filters
        flat = second * math.prod(sizes[-1])
        self.down = nn.ModuleList(
            [self._conv(self.channels, first, generator), self._conv(first, second, generator)]
        )
        self.code = _dense(flat, K, generator)
        self.spread = _dense(K, flat, generator)
        self.up = nn.ModuleList(
            [self._rise(second, first, generator), self._rise(first, self.channels, generator)]
        )

    @staticmethod
    def _conv(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Conv2d:
        layer = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, stride=2, padding=1)
        return _redrawn(layer, 9 * inputs, generator)

    @staticmethod
    def _rise(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.ConvTranspose2d:
        layer = nn.utils.skip_init(nn.ConvTranspose2d, inputs, outputs, 3, stride=2, padding=1)
        return _redrawn(layer, 9 * inputs // 4, generator)

    def encode(self, X: Tensor) -> Tensor:
        images = X.view(-1, self.height, self.width, self.channels).permute(0, 3, 1, 2)
        for layer in self.down:
            images = nn.functional.elu(layer(images))
        return self.code(images.flatten(1))

    def decode(self, Z: Tensor) -> Tensor:
        images = nn.functional.elu(self.spread(Z)).unflatten(1, (-1, *self.sizes[-1]))
        images = nn.functional.elu(self.up[0](images, output_size=self.sizes[1]))
        images = self.up[1](images, output_size=self.sizes[0])
        return images.permute(0, 2, 3, 1).flatten(1)

    def forward(self, X: Tensor) -> Tensor:
        return self.decode(self.encode(X))


class Reshaped(nn.Module):
    """The user's module, which wants images of `image_shape` and gives them back."""

    def __init__(self, module: nn.Module, image_shape: Sequence[int]):
        super().__init__()
        self.module = module
        self.image_shape = tuple(image_shape)

    def forward(self, X: Tensor) -> Tensor:
        return self.module(X.view(-1, *self.image_shape)).flatten(1)


def encoder_of(module: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """Return what computes the code, or None where there is none."""
    if isinstance(module, Reshaped):
        inner = encoder_of(module.module)
        return None if inner is None else lambda X: inner(X.view(-1, *module.image_shape))
    return getattr(module, "encode", None) or getattr(module, "encoder", None)


def omega(module: nn.Module) -> Tensor | float:
    """Sum of squared weights; biases (parameters of one dimension) are left out."""
    return sum(((p * p).sum() for p in module.parameters() if p.ndim > 1), start=0.0)


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
    if not isinstance(predictor, str):
        return _users(predictor, d, image_shape)
    name = one_of("predictor", predictor, ["auto", *NAMES])
    if name == "conv" and image_shape is None:
        raise InputError("predictor='conv' needs image_shape=(height, width[, channels]).")
    makers = {
        "constant": lambda: Constant(d),
        "linear": lambda: Linear(d, hidden[-1], generator),
        "sigmoid": lambda: Sigmoid(d, hidden[-1], generator=generator),
        "deep": lambda: Deep(d, hidden, generator),
        "masked": lambda: Masked(d, hidden, generator),
        "conv": lambda: Conv(image_shape or (), hidden[-1], generator=generator),
    }
    return makers[name]()


def _users(predictor: Any, d: int, image_shape: Sequence[int] | None) -> nn.Module:
    from copy import deepcopy

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
    from copy import deepcopy

    dtype = next((p.dtype for p in module.parameters()), torch.float32)
    try:
        with torch.no_grad():
            return tuple(deepcopy(module).eval()(torch.zeros(*shape, dtype=dtype)).shape) == tuple(shape)
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False
