"""Who restores spoilt images, without a clean example?

Each method is fitted to the spoilt images and gives up to three outputs: its reconstruction; X - N; and
"keep", X where a cell is inlying and the reconstruction elsewhere. One output of each method is
`declared` beforehand, by kind of method (as it did best on scikit-learn's digits, MNIST's test half and
a composed film): the summary has that one only, the CSV has all.

PSNR is that of all images together: one that was hardly hit would otherwise count for more than all
others. Outputs are clipped to [0, 1].
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from robustae import datasets
from robustae.datasets import Dataset
from robustae.lab.corruptions import KINDS, corrupted
from robustae.lab.jobs import Cannot, Job, Plan, Row
from robustae.lab.ledger import read_csv
from robustae.lab.lines import lines
from robustae.lab.methods import Method, autoencoder, fitted, methods, quick_settings
from robustae.lab.quality import psnr, ssim
from robustae.lab.sets import DataSet, drawn_data
from robustae.lab.summaries import summarised

__all__ = ["KEY", "MASKED", "NAME", "NOTE", "denoisers", "image_sets", "jobs", "pictures", "summary"]

NAME = "denoising"
KEY = ("set", "draw", "kind", "share", "method", "output")
NOTE = (
    "The declared output of each method. `share` is of the pixels hit, and the deviation of Gaussian noise. "
    "PSNR in dB, over all images together."
)
MASKED = "masked RCAE"
REFERENCE = MASKED
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4)
QUICK_SHARES = (0.2,)
QUICK_STEPS = 100
RECONSTRUCTION, REST, KEEP = "reconstruction", "X - N", "keep"
PLAIN = ("TSVD", "PCA", "RPCA", "DRMF", "AE", "CAE")
ROBUST = ("RAE", "deep RAE", "RCAE")

Outputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Denoiser:
    """A method, and which of its outputs counts.

    Attributes
    ----------
    name : str
    restore : callable
        ``restore(X, image_shape, seed)`` gives the outputs by name, shape (n, d) as X, which has NaN
        where cells are missing.
    declared : {"reconstruction", "X - N", "keep"}
        Where cells are known to be missing, it is "keep" for all.
    """

    name: str
    restore: Callable[[np.ndarray, tuple[int, ...], int], Outputs]
    declared: str = RECONSTRUCTION

    def counts(self, output: str, kind: str) -> bool:
        """Whether this output is the declared one."""
        return output == (KEEP if kind == "missing" else self.declared)


def denoisers(quick: bool = False) -> dict[str, Denoiser]:
    """Return what is compared, by name, in the order of tables."""
    return {one.name: one for one in _all(quick)}


def _all(quick: bool) -> Iterator[Denoiser]:
    known, settings = methods(quick), quick_settings(quick)
    yield Denoiser("nothing", partial(_filtered, lambda image: image))
    yield Denoiser("median 3x3", partial(_filtered, partial(_median, side=3)))
    yield Denoiser("median 5x5", partial(_filtered, partial(_median, side=5)))
    yield Denoiser("total variation", _total_variation)
    yield from (Denoiser(name, partial(_modelled, known[name])) for name in PLAIN)
    yield from (Denoiser(name, partial(_modelled, known[name]), REST) for name in ROBUST)
    linear = Method("linear RAE", partial(autoencoder, predictor="linear", **settings))
    yield Denoiser(linear.name, partial(_modelled, linear), REST)
    yield Denoiser(MASKED, partial(_masked, {"max_iter": QUICK_STEPS} if quick else {}), KEEP)


def _filled(X: np.ndarray) -> np.ndarray:
    """Missing cells as the mean of their column, for methods that have no place for them."""
    observed = ~np.isnan(X)
    mean = np.where(observed, X, 0.0).sum(axis=0) / np.maximum(observed.sum(axis=0), 1)
    return np.where(observed, X, mean)


def _filtered(function: Callable[[np.ndarray], Any], X: np.ndarray, shape: Any, seed: int) -> Outputs:
    images = _filled(X).reshape(-1, *shape)
    return _outputs(X, np.stack([function(image) for image in images]).reshape(X.shape))


def _median(image: np.ndarray, side: int) -> np.ndarray:
    from scipy.ndimage import median_filter

    return median_filter(image, (side, side, 1)[: image.ndim])


def _total_variation(X: np.ndarray, shape: tuple[int, ...], seed: int) -> Outputs:
    """Chambolle (2004), with the weight as scikit-image has it."""
    if find_spec("skimage") is None:
        raise Cannot("needs scikit-image: pip install 'robustae[benchmarks]'")
    from skimage.restoration import denoise_tv_chambolle

    axis = -1 if len(shape) == 3 else None
    return _filtered(partial(denoise_tv_chambolle, channel_axis=axis), X, shape, seed)


def _modelled(method: Method, X: np.ndarray, shape: tuple[int, ...], seed: int) -> Outputs:
    rows = _filled(X) if method.name in ("TSVD", "PCA") else X
    model = fitted(method, rows, shape, seed)
    Xhat = np.asarray(model.reconstruct(rows))
    if not hasattr(model, "outliers"):
        return _outputs(X, Xhat)
    N = np.asarray(model.outliers(rows))
    kept = model.repaired(rows) if hasattr(model, "repaired") else np.where((N == 0) & ~np.isnan(X), X, Xhat)
    return {RECONSTRUCTION: Xhat, REST: np.where(np.isnan(X), Xhat, X - N), KEEP: kept}


def _masked(settings: dict[str, Any], X: np.ndarray, shape: tuple[int, ...], seed: int) -> Outputs:
    from robustae.images.repair import MaskedAutoencoder

    model = MaskedAutoencoder(image_shape=shape, random_state=seed, **settings).fit(X)
    return {RECONSTRUCTION: model.reconstruct(X), KEEP: model.denoised(X)}


def _outputs(X: np.ndarray, Xhat: np.ndarray) -> Outputs:
    """Of a method that calls no cell wrong: it keeps all that is not missing."""
    missing = np.isnan(X)
    kept = {KEEP: np.where(missing, Xhat, X)} if missing.any() else {}
    return {RECONSTRUCTION: Xhat, **kept}


# Data ----------------------------------------------------------------------------------------------


def image_sets(quick: bool) -> list[DataSet]:
    """Return sets of clean images in [0, 1]."""
    if quick:
        return [DataSet("digits", partial(_digits, 120), 1)]
    return [
        DataSet("USPS", partial(_usps, 50), 3),
        DataSet("MNIST", partial(_some, datasets.fetch_mnist, 1000, None), 1),
        DataSet("CIFAR-10 dogs", partial(_some, datasets.fetch_cifar10_dogs_cats, 1000, 0), 1),
        DataSet("restaurant", partial(_some, datasets.fetch_restaurant, 200, None), 1),
    ]


def _digits(count: int, seed: int) -> Dataset:
    from sklearn.datasets import load_digits

    source: Any = load_digits()
    return _drawn(source.data / 16.0, count, (8, 8), "scikit-learn's digits", seed)


def _usps(of_each: int, seed: int) -> Dataset:
    draws = [datasets.fetch_usps(digit, digit, of_each, 0, seed) for digit in range(10)]
    return Dataset(np.concatenate([draw.X for draw in draws]), None, (16, 16), "USPS, all digits")


def _some(fetch: Callable[[], Dataset], count: int, label: int | None, seed: int) -> Dataset:
    data = fetch()
    X = data.X if label is None or data.y is None else data.X[data.y == label]
    assert data.image_shape is not None
    return _drawn(X, count, data.image_shape, data.description, seed, 255)


def _drawn(X: np.ndarray, count: int, shape: Any, about: str, seed: int, white: int = 1) -> Dataset:
    rows = np.sort(np.random.default_rng(seed).permutation(len(X))[:count])
    return Dataset(X[rows] / white, None, shape, about)


# The experiment ------------------------------------------------------------------------------------


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set, draw, kind and share of corruption, and method."""
    shares = QUICK_SHARES if plan.quick else SHARES
    for source in image_sets(plan.quick):
        for draw in plan.numbers(source.draws):
            cases = ((kind, share) for kind in KINDS for share in shares)
            for kind, share in cases:
                for one in denoisers(plan.quick).values():
                    key = {
                        "set": source.name,
                        "draw": draw,
                        "kind": kind,
                        "share": share,
                        "method": one.name,
                    }
                    yield Job(key, partial(_measured, source, kind, share, one, plan.seed_of(draw)))


@lru_cache(maxsize=1)
def _spoilt(source: DataSet, kind: str, share: float, seed: int) -> np.ndarray:
    """Kept for the methods that come next."""
    data = drawn_data(source.draw, seed)
    return corrupted(data.X, data.image_shape, kind, share, seed)[0]


def _measured(source: DataSet, kind: str, share: float, one: Denoiser, seed: int) -> list[Row]:
    data, X = drawn_data(source.draw, seed), _spoilt(source, kind, share, seed)
    begin = time.perf_counter()
    outputs = one.restore(X, data.image_shape, seed)
    seconds = round(time.perf_counter() - begin, 4)
    return [
        {
            "output": output,
            "declared": int(one.counts(output, kind)),
            **_quality(np.clip(images, 0, 1), data),
            "seconds": seconds,
        }
        for output, images in outputs.items()
    ]


def _quality(images: np.ndarray, data: Dataset) -> Row:
    together = psnr(images.reshape(1, -1), data.X.reshape(1, -1))[0]
    assert data.image_shape is not None
    return {"psnr": float(together), "ssim": float(ssim(images, data.X, data.image_shape).mean())}


def summary(rows: list[Row]) -> list[Row]:
    """Mean and deviation of the declared outputs, and the paired difference of the masked autoencoder."""
    declared = [row for row in rows if row.get("declared") == 1]
    return summarised(declared, ("set", "kind", "share"), ("psnr", "ssim"), reference=REFERENCE)


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """PSNR over the share of pixels hit: a picture for each set, a panel for each kind."""
    from robustae.lab.figures import place

    rows = [row for row in read_csv(folder / f"{NAME}_summary.csv") if row["measure"] == "psnr"]
    labels = "share of pixels, or deviation of the noise", "PSNR (dB)"
    return [
        lines(place(folder, NAME, name), of, "kind", "share", labels, MASKED)
        for name in dict.fromkeys(row["set"] for row in rows)
        if (of := [row for row in rows if row["set"] == name])
    ]
