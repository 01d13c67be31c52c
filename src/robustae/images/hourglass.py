"""A convolutional autoencoder with side paths: predicts cells of images from those that it is shown."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import elu

__all__ = ["Hourglass"]

LEAST_SCALE = 0.01  # of a cell, in units of the data's span
START = 0.2  # scale of every cell before training


class Hourglass(nn.Module):
    """Two strided convolutions, a code of width K, and back; each level also goes straight across.

    What must not be copied has to be hidden from it: see `forward`. The code carries what the whole
    image tells, the side paths what the neighbours do.

    Parameters
    ----------
    image_shape : (height, width, channels)
    K : int
        Width of the code.
    filters : (int, int, int)
        From the full size to a quarter of it.
    """

    def __init__(self, image_shape: Sequence[int], K: int, filters: tuple[int, int, int] = (16, 32, 48)):
        super().__init__()
        height, width, channels = image_shape
        fine, middle, coarse = filters
        halved = -(-height // 2), -(-width // 2)
        quarter = -(-halved[0] // 2), -(-halved[1] // 2)
        self.shown = nn.Conv2d(2 * channels, fine, 3, padding=1)
        self.down = nn.ModuleList([_down(fine, middle), _down(middle, coarse)])
        self.code = nn.Linear(coarse * math.prod(quarter), K)
        self.spread = nn.Linear(K, coarse * math.prod(quarter))
        self.meet = nn.Conv2d(2 * coarse, coarse, 1)
        self.up = nn.ModuleList([_up(coarse, middle), _up(2 * middle, fine)])
        self.last = nn.Conv2d(2 * fine, fine, 3, padding=1)
        self.out = nn.Conv2d(fine, 2 * channels, 1)
        with torch.no_grad():  # starts at the centre, everywhere as unsure
            self.out.weight *= 0.1
            bias = torch.zeros(2 * channels)
            bias[channels:] = math.log(START)
            self.out.bias = nn.Parameter(bias)

    def forward(self, images: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Predict every cell from the visible ones.

        Parameters
        ----------
        images, visible : Tensor, shape (batch, channels, height, width)
            Cells about their centre, and how far each is shown, from 0 (hidden) to 1.

        Returns
        -------
        Tensor, Tensor, both of that shape
            Xhat, and the logarithm of each cell's scale.
        """
        fine = elu(self.shown(torch.cat([images * visible, visible], dim=1)))
        middle = elu(self.down[0](fine))
        coarse = elu(self.down[1](middle))
        whole = self.spread(self.code(coarse.flatten(1))).view_as(coarse)
        up = elu(self.meet(torch.cat([coarse, whole], dim=1)))
        up = elu(self.up[0](up, output_size=middle.shape[2:]))
        up = elu(self.up[1](torch.cat([up, middle], dim=1), output_size=images.shape[2:]))
        Xhat, scale = self.out(elu(self.last(torch.cat([up, fine], dim=1)))).chunk(2, dim=1)
        return Xhat, torch.log(scale.clamp(-8, 3).exp() + LEAST_SCALE)


def _down(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)


def _up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1)
