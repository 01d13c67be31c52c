"""Which images are unlike the others, and where? One call for a folder, a list or an array."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from robustae.images.features import features_of
from robustae.images.model import FEWEST, HIGH, LOW, MOST, ImageModel, fit_model, stretched, threshold_of
from robustae.images.reading import BadImage, Pictures, in_colour, pictures_of, reduced
from robustae.utils.checks import InputError

__all__ = ["Inspection", "Progress", "inspect", "judged"]

BLOCK = 32  # pictures in memory at a time
SHARPER = 2  # JPEGs are decoded to no less than so many times the size needed
SPARE = 7  # one value in so many is measured to find what becomes 0 and 1

Progress = Callable[[str, int, int], None]
"""Called with what is done ("read", "score"), the images so far, and the images in all."""


@dataclass
class Inspection:
    """What was found.

    Attributes
    ----------
    names : list of str
        Files as paths below the folder, or as they were listed; numbers for arrays.
    scores : array, shape (n,)
        Higher = more anomalous, in robust deviations of the images of the fit.
    flagged : array of bool, shape (n,)
    heatmaps : array, shape (n, rows, columns), float32
        The energy by place, at grid size; comparable between images.
    places : array of int, shape (n, 2)
        Row and column, in pixels of the image itself, of the middle of the worst place.
    sizes : array of int, shape (n, 2)
        Height and width of each image.
    model : ImageModel
    damaged : dict
        Why, by name: files that could not be read.
    notes : list of str
        What was done to the images beyond reading them.
    pictures : Files or Arrays
        Where the images are read from again.
    numbers : list of int
        Place of each image among `pictures`.
    """

    names: list[str]
    scores: np.ndarray
    flagged: np.ndarray
    heatmaps: np.ndarray
    places: np.ndarray
    sizes: np.ndarray
    model: ImageModel
    damaged: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    pictures: Any = None
    numbers: list[int] = field(default_factory=list)

    @property
    def threshold(self) -> float:
        """The score above which an image is flagged."""
        return self.model.threshold

    def score(self, more: Any) -> np.ndarray:
        """Return the scores of other images by the same model, shape (n,), higher = more anomalous.

        An image equal to one of the fit gets that one's score, which is by a model without it.
        """
        return judged(more, self.model).scores

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to `path`: `robustae.images.load` and `robustae images --model` read it."""
        from robustae.images.stored import save

        save(self.model, path)

    def write(self, out: str | os.PathLike[str], progress: Progress | None = None) -> dict[str, Any]:
        """Write the folder that `robustae images` writes; return what its summary.json holds."""
        from robustae.images.output import write_folder

        return write_folder(self, out, progress)


def inspect(
    source: Any,
    *,
    train: Any = None,
    features: Any = "auto",
    contamination: Any = "auto",
    model: Any = None,
    progress: Progress | None = None,
) -> Inspection:
    """Find the images that are unlike the others; none has to be clean.

    Parameters
    ----------
    source : path, list or array
        A folder (and those below it), an image file, .npy or .npz; a list of those or of arrays; an array
        (n, height, width) or (n, height, width, channels). Sizes may differ.
    train : like `source`, optional
        Images to learn from instead; those of `source` are then all new to the model.
    features : {"auto", "patches", "strokes", "efficientnet"}, Module or callable
        What is compared. "patches": a dictionary learnt from the images; "strokes": directions of lines;
        "efficientnet": a pretrained network (extra `features`). "auto": strokes where a side is below 48
        pixels, else the pretrained network where installed, else patches. A module gets tensors
        (1, 3, 192, 192) and a function arrays (n, 192, 192, 3), with values 0 to 1.
    contamination : "auto", float in [0, 0.5] or callable
        What is flagged: "auto" about 1 % of clean images and what lies above; a share: so many of the images
        learnt from; else a function that makes a threshold of their scores. A model has its own for "auto".
    model : ImageModel, Inspection or path, optional
        A fitted model; then nothing is learnt.
    progress : callable, optional

    Returns
    -------
    Inspection

    Raises
    ------
    InputError
        If there are no images, too few to learn from, or an argument cannot be used.
    """
    pictures = pictures_of(source)
    if model is not None:
        if train is not None:
            raise InputError("train and model cannot both be given: a model has learnt already.")
        return judged(pictures, _fitted(model, features, contamination), progress)
    learnt = pictures if train is None else pictures_of(train, "train")
    fit, rows, damaged = _learn(learnt, features, contamination, progress)
    if train is None:
        return judged(pictures, fit, progress, rows, damaged)
    found = judged(pictures, fit, progress)
    found.damaged = {f"train/{name}": why for name, why in damaged.items()} | found.damaged
    return found


def judged(
    source: Any,
    model: ImageModel,
    progress: Progress | None = None,
    known: dict[int, np.ndarray] | None = None,
    damaged: dict[str, str] | None = None,
) -> Inspection:
    """Score images by a fitted model.

    Parameters
    ----------
    source : as for `inspect`
    model : ImageModel
    progress : callable, optional
    known : dict of arrays, shape (d,)
        Rows that were made before, by place.
    damaged : dict
        Files that could not be read before.
    """
    pictures = pictures_of(source)
    known, damaged = known or {}, dict(damaged or {})
    left = [number for number in range(len(pictures)) if pictures.names[number] not in damaged]
    report = progress or (lambda what, done, of: None)
    numbers, sizes, scores, heat = [], [], [], []
    for part in (left[start : start + BLOCK] for start in range(0, len(left), BLOCK)):
        rows, kept, shapes = _rows_of(pictures, part, model, known, damaged)
        if kept:
            found = model.judged(rows)
            scores.append(found[0])
            heat.append(found[1])
        numbers += kept
        sizes += shapes
        report("score", part[-1] + 1, len(pictures))
    if not numbers:
        raise _none_read(damaged)
    return _inspection(pictures, model, numbers, np.array(sizes), scores, heat, damaged)


def _inspection(
    pictures: Pictures,
    model: ImageModel,
    numbers: list[int],
    sizes: np.ndarray,
    scores: Any,
    heat: Any,
    damaged: Any,
) -> Inspection:
    values, maps = np.concatenate(scores), np.concatenate(heat)
    places = np.stack(np.unravel_index(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[1:]), axis=1)
    return Inspection(
        [pictures.names[number] for number in numbers],
        values,
        values > model.threshold,
        maps,
        ((places + 0.5) / maps.shape[1:] * sizes).astype(int),
        sizes,
        model,
        damaged,
        list(_notes(sizes, model)),
        pictures,
        numbers,
    )


def _rows_of(
    pictures: Pictures,
    numbers: list[int],
    model: ImageModel,
    known: dict[int, np.ndarray],
    damaged: dict[str, str],
) -> tuple[np.ndarray, list[int], list[tuple[int, int]]]:
    """Return the rows of those that can be read, their numbers and sizes; the others go to `damaged`."""
    kept, shapes, prepared = [], [], {}
    for number in numbers:
        try:
            if number in known:
                shapes.append(pictures.size(number))
            else:
                picture = pictures.read(number, SHARPER * max(model.shape))
                shapes.append(pictures.size(number))
                prepared[number] = model.prepared(picture)
            kept.append(number)
        except BadImage as error:
            damaged[pictures.names[number]] = str(error)
    made = dict(zip(prepared, model.rows(prepared.values()), strict=True)) if prepared else {}
    return np.array([known.get(number, made.get(number)) for number in kept]), kept, shapes


def _learn(
    pictures: Pictures, features: Any, contamination: Any, progress: Progress | None
) -> tuple[ImageModel, dict[int, np.ndarray], dict[str, str]]:
    """Fit to at most MOST of the pictures; return the model, rows by place, and damaged files."""
    damaged: dict[str, str] = {}
    chosen, sizes = _sized(pictures, _chosen(pictures), damaged)
    _check_enough(chosen, damaged)
    proportions, area = np.median(sizes[:, 0] / sizes[:, 1]), np.median(sizes.prod(axis=1))
    height, width = np.sqrt(area * proportions), np.sqrt(area / proportions)
    kind = features_of(features, height, width)
    chosen, small = _small(pictures, chosen, kind.shape(height, width), damaged, progress)
    _check_enough(chosen, damaged)
    values = _extremes(small)
    colour = any(picture.shape[2] == 3 for picture in small)
    for place, picture in enumerate(small):  # in place: there may be many
        small[place] = stretched(in_colour(picture, colour), values)
    model, rows = fit_model(np.stack(small), kind, values, contamination)
    return model, dict(zip(chosen, rows, strict=True)), damaged


def _chosen(pictures: Pictures) -> list[int]:
    """Return all places, or of many those with the least fingerprints: chosen by content, not by order."""
    if len(pictures) <= MOST:
        return list(range(len(pictures)))
    return sorted(sorted(range(len(pictures)), key=pictures.digest)[:MOST])


def _sized(pictures: Pictures, numbers: list[int], damaged: dict[str, str]) -> tuple[list[int], np.ndarray]:
    kept, sizes = [], []
    for number in numbers:
        try:
            sizes.append(pictures.size(number))
            kept.append(number)
        except BadImage as error:
            damaged[pictures.names[number]] = str(error)
    return kept, np.array(sizes, dtype=float)


def _small(
    pictures: Pictures, numbers: list[int], shape: tuple[int, int], damaged: dict[str, str], progress: Any
) -> tuple[list[int], list[np.ndarray]]:
    """Return those that can be read, and the pictures at one size."""
    kept, small = [], []
    for number in numbers:
        try:
            small.append(reduced(pictures.read(number, SHARPER * max(shape)), shape))
            kept.append(number)
        except BadImage as error:
            damaged[pictures.names[number]] = str(error)
        if progress is not None:
            progress("read", len(kept), len(numbers))
    return kept, small


def _extremes(small: list[np.ndarray]) -> np.ndarray:
    """Return the values that become 0 and 1."""
    values = np.concatenate([picture.ravel()[::SPARE] for picture in small])
    low, high = np.quantile(values, (LOW, HIGH))
    if high > low:
        return np.array([low, high])
    return np.array([values.min(), max(values.max(), values.min() + 1)])


def _check_enough(numbers: list[int], damaged: dict[str, str]) -> None:
    if len(numbers) >= FEWEST:
        return
    if not numbers:
        raise _none_read(damaged)
    why = f" ({len(damaged)} could not be read: {_first(damaged)})" if damaged else ""
    counted = "1 image does" if len(numbers) == 1 else f"{len(numbers)} images do"
    raise InputError(
        f"{counted} not show what is usual{why}: at least {FEWEST} are needed, "
        "unless a fitted model scores them."
    )


def _none_read(damaged: dict[str, str]) -> InputError:
    others = f" (and {len(damaged) - 1} more like it)" if len(damaged) > 1 else ""
    return InputError(f"no image could be read: {_first(damaged)}{others}.")


def _first(damaged: dict[str, str]) -> str:
    name = next(iter(damaged))
    return f"{name!r} is {damaged[name]}"


def _fitted(model: Any, features: Any, contamination: Any) -> ImageModel:
    fitted = _model_of(model, features)
    if isinstance(features, str) and features not in ("auto", fitted.features.name):
        raise InputError(f"features={features!r} does not fit: the model compares by {fitted.features.name}.")
    if isinstance(contamination, str) and contamination == "auto":
        return fitted
    return replace(fitted, threshold=threshold_of(fitted.scores, contamination))


def _model_of(model: Any, features: Any) -> ImageModel:
    if isinstance(model, ImageModel):
        return model
    if isinstance(model, Inspection):
        return model.model
    from robustae.images.stored import load

    return load(model, features=None if isinstance(features, str) else features).model


def _notes(sizes: np.ndarray, model: ImageModel) -> Iterator[str]:
    height, width = model.shape
    distinct = np.unique(sizes, axis=0)
    if len(distinct) > 1:
        least, most = sizes[sizes.prod(axis=1).argmin()], sizes[sizes.prod(axis=1).argmax()]
        yield (
            f"Sizes differ, from {least[1]} × {least[0]} to {most[1]} × {most[0]} pixels: "
            f"all are compared at {width} × {height}."
        )
    elif tuple(distinct[0]) != model.shape:
        yield f"Images of {distinct[0][1]} × {distinct[0][0]} pixels are compared at {width} × {height}."
    if len(model.scores) == MOST:
        yield f"The model is fitted to {MOST} images, the most it takes: of more, chosen by their content."
