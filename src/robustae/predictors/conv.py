"""A convolutional ELU autoencoder for images."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robustae.predictors.base import Predictor, Traits, dense, redrawn
from robustae.predictors.deep import Elu
from robustae.utils.checks import InputError

__all__ = ["Conv"]

CODE = 16


class Conv(Predictor):
    """A convolutional ELU autoencoder: two strided convolutions, a linear code of width K, and back.

    Rows are flattened images, channels fastest; any height and width from 1 up, odd ones too: the
    transposed convolutions are given the size to reach.
    """

    traits = Traits(
        trims=0.1,
        noise_of_images="rows",
        members=2,
        parallel=True,
        needs_image_shape=True,
        adam={"lr": 1.6e-2, "steps": 300, "fall": 0.25, "rows": 16, "epochs": 4},
    )

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
        self.code = dense(flat, K, generator)
        self.spread = dense(K, flat, generator)
        self.up = nn.ModuleList(
            [self._rise(second, first, generator), self._rise(first, self.channels, generator)]
        )

    @classmethod
    def widths(cls, hidden: tuple[int, ...] | None, d: int, auto: Callable[[], int]) -> tuple[int, ...]:
        """16, or d / 8 if that is less: how well linear models predict held-out cells is no guide here."""
        return super().widths(hidden or (min(CODE, -(-d // 8)),), d, auto)

    @classmethod
    def build(cls, d: int, widths: Any, image_shape: Any, generator: Any) -> "Conv":
        """Return one for images of `image_shape`.

        Raises
        ------
        InputError
            If there is no image shape.
        """
        if image_shape is None:
            raise InputError("predictor='conv' needs image_shape=(height, width[, channels]).")
        return cls(image_shape, widths[-1], generator=generator)

    @classmethod
    def least_weights(cls, d: int, widths: tuple[int, ...], image_shape: Any) -> int:
        """At least height x width numbers enter the code."""
        return math.prod(image_shape[:2] if image_shape else (d,)) * widths[-1]

    @staticmethod
    def _conv(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Conv2d:
        layer = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, stride=2, padding=1)
        return redrawn(layer, 9 * inputs, generator)

    @staticmethod
    def _rise(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.ConvTranspose2d:
        layer = nn.utils.skip_init(nn.ConvTranspose2d, inputs, outputs, 3, stride=2, padding=1)
        return redrawn(layer, 9 * inputs // 4, generator)

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

    def graph(self) -> nn.Module:
        """Return the same map by matrix products, channels last throughout."""
        return _Graph(self)


class _Strided(nn.Module):
    """A 3 x 3 convolution as nine matrix products: runtimes convolve in float32 only."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: Any, weight: Tensor, stride: int):
        super().__init__()
        self.register_buffer("weight", weight.permute(2, 3, 1, 0).contiguous())  # (3, 3, in, out)
        self.register_buffer("bias", layer.bias)
        self.stride = stride

    def forward(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Images of shape (b, height, width, in) to (b, *size, out)."""
        padded = nn.functional.pad(images, (0, 0, 1, 1, 1, 1))
        step, (height, width) = self.stride, size
        total: Any = self.bias
        for i in range(3):
            for j in range(3):
                rows, columns = slice(i, i + step * height, step), slice(j, j + step * width, step)
                total = total + padded[:, rows, columns] @ self.weight[i, j]
        return total


class _Rise(nn.Module):
    """A transposed convolution of stride 2: zeros between the pixels, then a convolution of stride 1."""

    def __init__(self, layer: Any):
        super().__init__()
        self.inner = _Strided(layer, layer.weight.transpose(0, 1).flip(2, 3), 1)

    def forward(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        zeros = torch.zeros_like(images)
        wide = torch.stack([images, zeros], 3).flatten(2, 3)
        tall = torch.stack([wide, torch.zeros_like(wide)], 2).flatten(1, 2)
        return self.inner(tall[:, : size[0], : size[1]], size)


def _fall(layer: Any) -> _Strided:
    return _Strided(layer, layer.weight, 2)


class _Graph(nn.Module):
    """`Conv` by operations that runtimes have in float64."""

    def __init__(self, conv: Conv):
        super().__init__()
        self.sizes, self.channels = conv.sizes, conv.channels
        self.down = nn.ModuleList(map(_fall, conv.down))
        self.up = nn.ModuleList(map(_Rise, conv.up))
        self.code, self.spread, self.elu = conv.code, conv.spread, Elu()

    def forward(self, X: Tensor) -> Tensor:
        images = X.unflatten(1, (*self.sizes[0], self.channels))
        for layer, size in zip(self.down, self.sizes[1:], strict=True):
            images = self.elu(layer(images, size))
        flat = self.elu(self.spread(self.code(images.permute(0, 3, 1, 2).flatten(1))))
        images = flat.unflatten(1, (-1, *self.sizes[-1])).permute(0, 2, 3, 1)
        images = self.elu(self.up[0](images, self.sizes[1]))
        return self.up[1](images, self.sizes[0]).flatten(1)
