"""How near images in [0, 1] come to the clean ones: PSNR and SSIM, image by image."""

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from robustae.utils.checks import InputError

__all__ = ["psnr", "ssim"]

LEAST_ERROR = 1e-10  # mean squared error of a copy: 100 dB
WINDOW, RADIUS = 1.5, 5  # deviation of the Gaussian window, and where it is cut
C1, C2 = 0.01**2, 0.03**2


def psnr(images: Any, clean: Any) -> np.ndarray:
    """Peak signal to noise ratio, -10 log10 of the mean squared error, in dB; 100 dB at most.

    Parameters
    ----------
    images, clean : array-like, shape (n, d)
        In [0, 1].

    Returns
    -------
    array, shape (n,)
    """
    a, b = _alike(images, clean)
    return -10 * np.log10(np.maximum(np.square(a - b).mean(axis=1), LEAST_ERROR))


def ssim(images: Any, clean: Any, image_shape: tuple[int, ...]) -> np.ndarray:
    """Structural similarity of Wang, Bovik, Sheikh and Simoncelli (2004), averaged over all pixels.

    Means, variances and covariance are weighted by a Gaussian window of deviation 1.5 in 11 x 11
    pixels, mirrored at the borders, so that images smaller than the window have one, too.

    Parameters
    ----------
    images, clean : array-like, shape (n, d)
        In [0, 1].
    image_shape : (height, width) or (height, width, channels)
        Channels are treated each by itself.

    Returns
    -------
    array, shape (n,)
        1 for equal images, and at most 1.
    """
    shape = (-1, *(*image_shape, 1)[:3])
    a, b = (values.reshape(shape) for values in _alike(images, clean))
    mean_a, mean_b = _smooth(a), _smooth(b)
    covariance = _smooth(a * b) - mean_a * mean_b
    variances = _smooth(a * a) - mean_a**2 + _smooth(b * b) - mean_b**2
    alike = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return (alike / ((mean_a**2 + mean_b**2 + C1) * (variances + C2))).mean(axis=(1, 2, 3))


def _smooth(images: np.ndarray) -> np.ndarray:
    return gaussian_filter(images, WINDOW, radius=RADIUS, axes=(1, 2), mode="reflect")


def _alike(images: Any, clean: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(images, dtype=np.float64), np.asarray(clean, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise InputError(f"images {a.shape} and clean ones {b.shape}: both of one shape (n, d) would do.")
    return a, b
