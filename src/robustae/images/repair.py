"""A robust autoencoder for spoilt images: every cell is predicted from the others, and judged by that.

A network that is shown the cell it has to predict copies wild cells and noise alike. Here it never is:
in each step cells are hidden at random (Batson and Royer 2019; Krull, Buchholz and Jug 2019), and
those that some other image has missing or wild, so that holes of the same form are learnt. The loss on
the hidden cells is the l1 penalty's envelope, so that wild cells among them pull with bounded force.

A second output says how far off the prediction of each cell usually is. Then a cell x with prediction
p and scale b is sound or wild with the densities

    (1 - share) exp(-|x - p| / b) / (2 b)    and    share / range

and what a sound cell should be lies between x and p: the part (c / b)^2 of the way, where c is the mean
size of the noise. `share` is learnt from the half of the cells that can be predicted best: where nothing
can be predicted, wild and sound cells look alike. The noise comes from the best tenth.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn.functional import huber_loss

from robustae.data.rows import NumberRows, read_rows, valid_image_shape
from robustae.fit.members import one_thread_for, own_seed
from robustae.images.hourglass import Hourglass
from robustae.stats.scales import MAD_TO_SD, median, quantile, thinned
from robustae.utils.checks import InputError

__all__ = ["MaskedAutoencoder"]

LAM = 0.6  # in units of the data's span
ROUNDS = 2  # in the second the cells found wild in the first are hidden
PASSES = 4  # each with fewer wild cells in view
PARTS = 4  # to judge all cells, a quarter of them is hidden at a time
RAW = 0.25  # share of images shown with their wild cells in the second round
HIDE = (0.05, 0.45)  # least and most share of the pixels hidden in a step
STEP_PIXELS = 8192  # in a step of Adam
BLOCK_PIXELS = 2**16  # predicted at a time
RATE = 3e-3
PULL = 33.0  # weight of the Huber loss beside the likelihood that trains the scales
FOLLOW = 0.05  # how fast the share of wild cells follows
LEAST_SHARE, MOST_SHARE = 1e-4, 0.9
BEST_TENTH = 0.1
MOST_VALUES = 2**20  # of an image: the network has about 200 weights for each
MEAN_SIZE = math.sqrt(2 / math.pi)  # mean size of Gaussian noise of deviation 1


@dataclass(frozen=True)
class _Judged:
    """Prediction of each cell from others, its log scale, and its probability to be sound (0 if missing)."""

    Xhat: Tensor
    log_scale: Tensor
    sound: Tensor


class MaskedAutoencoder(BaseEstimator):
    """Predicts every pixel from the others: repairs images and film frames without a clean example.

    Parameters
    ----------
    image_shape : tuple of int, optional
        (height, width) or (height, width, channels), channels fastest; told by X where X is
        (n, height, width[, channels]).
    hidden : int
        Width of the code.
    lam : float
        Weight of the l1 penalty, in units of the data's span (from its 1st to its 99th percentile).
    max_iter : int
        Steps of Adam, half of them in each of two rounds, at least one.
    random_state : int, RandomState or None

    Attributes
    ----------
    share_ : float
        Of wild cells, as far as they can be told.
    noise_ : float
        Deviation of the noise in sound cells, in X's units.
    network_ : Hourglass
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from robustae.images.repair import MaskedAutoencoder
    >>> waves = np.sin(np.arange(64) / 9 + np.arange(60)[:, None])
    >>> spoilt = waves.copy()
    >>> spoilt[:, 20] = 1.0
    >>> model = MaskedAutoencoder(image_shape=(8, 8), max_iter=30, random_state=0).fit(spoilt)
    >>> model.denoised(spoilt).shape
    (60, 64)
    """

    def __init__(self, *, image_shape=None, hidden=32, lam=LAM, max_iter=800, random_state=None):
        self.image_shape = image_shape
        self.hidden = hidden
        self.lam = lam
        self.max_iter = max_iter
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> "MaskedAutoencoder":
        """Fit to images, spoilt as they are.

        Parameters
        ----------
        X : array, shape (n, d) or (n, height, width[, channels])
            NaN for missing cells.
        y : ignored

        Returns
        -------
        MaskedAutoencoder
            This object; where the fit fails or is ended by Ctrl-C, it stays as it was.

        Raises
        ------
        InputError
            If a parameter, a row or the image shape cannot be used.
        """
        before = dict(vars(self))
        try:
            self._fit(X)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def _fit(self, X: Any) -> None:
        shape = valid_image_shape(self.image_shape, X)
        if shape is None:
            raise InputError("MaskedAutoencoder needs image_shape=(height, width[, channels]).")
        _check_size(shape)
        _positive(self, "hidden", "lam", "max_iter")
        self.image_shape_ = shape
        values = read_rows(self, X, shape, reset=True).values.astype(np.float64)
        self.location_ = np.nan_to_num(median(values))
        self._set_units(values)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with one_thread_for("conv"), own_seed(seed):
            self._train(*self._tensors(values))

    def _set_units(self, X: np.ndarray) -> None:
        cells = thinned(X)
        low, least, most, high = quantile(cells[~np.isnan(cells)], (0.0, 0.01, 0.99, 1.0))
        self.span_ = float(most - least) or float(high - low) or 1.0
        self.range_ = max(float(high - low), self.span_) / self.span_

    def _tensors(self, X: np.ndarray) -> tuple[Tensor, Tensor]:
        """Cells about their centre in units of the span, 0 where missing, and 1 where observed."""
        observed = ~np.isnan(X)
        Z = np.where(observed, (X - self.location_) / self.span_, 0.0)
        return self._images(Z), self._images(observed)

    def _images(self, rows: np.ndarray) -> Tensor:
        images = rows.reshape(-1, *(*self.image_shape_, 1)[:3]).transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))

    def _rows(self, images: Tensor) -> np.ndarray:
        return images.permute(0, 2, 3, 1).flatten(1).numpy().astype(np.float64)

    def _train(self, images: Tensor, observed: Tensor) -> None:
        channels, *size = images.shape[1:]
        # The same for all images, so that a row's result does not depend on the others.
        self.parts_ = torch.randperm(math.prod(size)).view(size) % PARTS
        self.network_ = Hourglass((*size, channels), self.hidden)
        self.share_ = 0.1
        steps = max(1, self.max_iter // ROUNDS)
        optimiser = torch.optim.Adam(self.network_.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, ROUNDS * steps)
        visible = observed
        for _ in range(ROUNDS):
            for _ in range(steps):
                optimiser.zero_grad()
                self._loss(images, observed, visible).backward()
                optimiser.step()
                schedule.step()
            judged = self._judged(images, observed, visible)
            visible = judged.sound
        self.noise_ = self.span_ * _noise(images, judged)

    def _loss(self, images: Tensor, observed: Tensor, visible: Tensor) -> Tensor:
        """Of a few images: envelope of the hidden cells' residuals, and likelihood of their scales."""
        rows = torch.randperm(len(images))[: max(1, STEP_PIXELS // self.parts_.numel())]
        shown = _shown(visible, rows)
        asked = observed[rows] * (1 - shown)
        # New rows come as they are, and only then without their wild cells: it has to know both.
        view = torch.where(torch.rand(len(rows), 1, 1, 1) < RAW, observed[rows], visible[rows])
        Xhat, log_scale = self.network_(images[rows], view * shown)
        sound, wild = self._log_densities(images[rows], Xhat.detach(), log_scale)
        self._follow(torch.sigmoid(wild - sound).detach(), log_scale, asked)
        pull = huber_loss(Xhat, images[rows], reduction="none", delta=self.lam / 2)
        return ((PULL * pull - torch.logaddexp(sound, wild)) * asked).sum() / asked.sum().clamp(min=1)

    def _follow(self, wild: Tensor, log_scale: Tensor, asked: Tensor) -> None:
        at = asked > 0.5
        if at.any():
            best = log_scale[at] <= log_scale[at].median()
            share = (1 - FOLLOW) * self.share_ + FOLLOW * float(wild[at][best].mean())
            self.share_ = min(max(share, LEAST_SHARE), MOST_SHARE)

    def _log_densities(self, images: Tensor, Xhat: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
        """Of sound and of wild cells, their shares included."""
        laplace = -(images - Xhat).abs() / log_scale.exp() - log_scale - math.log(2)
        wild = torch.full_like(laplace, math.log(self.share_ / self.range_))
        return math.log1p(-self.share_) + laplace, wild

    @torch.no_grad()
    def _judged(self, images: Tensor, observed: Tensor, visible: Tensor) -> _Judged:
        """Predict every cell while it is hidden, from what is visible."""
        Xhat, log_scale = torch.empty_like(images), torch.empty_like(images)
        for rows in self._blocks(images):
            for part in range(PARTS):
                hidden = (self.parts_ == part).expand_as(images[rows])
                found = self.network_(images[rows], visible[rows] * ~hidden)
                for out, values in zip((Xhat, log_scale), found, strict=True):
                    out[rows] = torch.where(hidden, values, out[rows])
        sound, wild = self._log_densities(images, Xhat, log_scale)
        return _Judged(Xhat, log_scale, torch.sigmoid(sound - wild) * observed)

    def _blocks(self, images: Tensor) -> list[slice]:
        step = max(1, BLOCK_PIXELS // self.parts_.numel())
        return [slice(start, start + step) for start in range(0, len(images), step)]

    # Rows ------------------------------------------------------------------------------------------

    def _judged_rows(self, X: Any) -> tuple[NumberRows, Tensor, _Judged]:
        """Judge the cells of X with all shown, and again and again without those found wild."""
        check_is_fitted(self)
        rows = read_rows(self, X, self.image_shape_)
        images, observed = self._tensors(rows.values.astype(np.float64))
        with one_thread_for("conv"):
            judged = self._judged(images, observed, observed)
            for _ in range(PASSES - 1):
                judged = self._judged(images, observed, judged.sound)
        return rows, images, judged

    def _units(self, rows: NumberRows, images: Tensor) -> np.ndarray:
        return rows.like(self._rows(images) * self.span_ + self.location_)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the mean squared residual of each row's observed cells, shape (n,)."""
        rows, images, judged = self._judged_rows(X)
        observed = ~np.isnan(rows.values.astype(np.float64))
        squares = observed * self._rows((images - judged.Xhat) ** 2)
        return -(self.span_**2) * squares.sum(axis=1) / observed.sum(axis=1)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return Xhat, each cell predicted from others, in X's shape and units."""
        rows, _, judged = self._judged_rows(X)
        return self._units(rows, judged.Xhat)

    def flags(self, X: Any) -> np.ndarray:
        """Return the cells more likely wild than sound, of X's shape, bool; never missing ones."""
        rows, _, judged = self._judged_rows(X)
        missing = np.isnan(rows.values.astype(np.float64))
        return ((self._rows(judged.sound) < 0.5) & ~missing).reshape(rows.shape)

    def denoised(self, X: Any) -> np.ndarray:
        """Return the expected sound value of every cell, in X's shape and units.

        That is about X itself in sound cells without noise, and the prediction from all sound cells
        in wild and missing ones.
        """
        rows, images, judged = self._judged_rows(X)
        size = MEAN_SIZE * self.noise_ / self.span_
        smooth = torch.lerp(images, judged.Xhat, (size / judged.log_scale.exp()).clamp(max=1) ** 2)
        with torch.no_grad(), one_thread_for("conv"):
            filled = [self.network_(images[part], judged.sound[part])[0] for part in self._blocks(images)]
        return self._units(rows, torch.lerp(torch.cat(filled), smooth, judged.sound))


def _shown(visible: Tensor, rows: Tensor) -> Tensor:
    """What is shown of some images, all but a random share and, half of the time, another's holes."""
    count, _, *size = visible[rows].shape
    low, high = HIDE
    hidden = torch.rand(count, 1, *size) < low + (high - low) * torch.rand(count, 1, 1, 1)
    others = visible[torch.randint(len(visible), (count,))]
    borrowed = (torch.rand(count, 1, 1, 1) < 0.5) * (1 - others)
    return ~hidden * (1 - borrowed)


def _noise(images: Tensor, judged: _Judged) -> float:
    """Robust deviation of the noise: from the differences of sound neighbours where prediction is best.

    Residuals would not do: they hold the prediction's own error, and too little of the noise that a
    long training has learnt. Where no part of the images is smooth, texture counts as noise.
    """
    sound = torch.minimum(judged.sound[..., 1:], judged.sound[..., :-1]) > 0.5
    scale = torch.maximum(judged.log_scale[..., 1:], judged.log_scale[..., :-1])[sound]
    change = (images[..., 1:] - images[..., :-1]).abs()[sound]
    if not len(change):
        return 0.0
    scale, change = thinned(scale.numpy()), thinned(change.numpy())
    return MAD_TO_SD * float(median(change[scale <= quantile(scale, BEST_TENTH)])) / math.sqrt(2)


def _check_size(shape: tuple[int, ...]) -> None:
    if math.prod(shape) > MOST_VALUES:
        raise InputError(
            f"MaskedAutoencoder repairs images of at most {MOST_VALUES} values, and these have "
            f"{' x '.join(map(str, shape))}: cut them into tiles, or reduce them."
        )


def _positive(estimator: MaskedAutoencoder, *names: str) -> None:
    for name in names:
        value = getattr(estimator, name)
        whole = name == "lam" or hasattr(value, "__index__")
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float, np.number))
            or not (whole and value > 0)
        ):
            kind = "positive number" if name == "lam" else "whole number from 1 on"
            raise InputError(f"{name}={value!r} must be a {kind}.")
