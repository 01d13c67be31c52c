"""The data of the experiments on detection; a set is drawn anew for each draw, nothing is kept on disk."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from robustae import datasets
from robustae.datasets import Dataset
from robustae.datasets.synthetic import moving_scene

__all__ = ["CIFAR", "PAIRS", "DataSet", "drawn_data", "few_rows", "labelled", "pairs_of_halves", "scenes"]

DRAWS = 20
QUICK_DRAWS = 2
SEED_DRAWS = 3  # of sets that are one draw: only the methods' seeds differ
CIFAR, FOURS, DIGITS = "CIFAR-10 dogs/cats", "MNIST fours", "digits 1v7"
PAIRS = {f"USPS {a}v{(a + 3) % 10}": (a, (a + 3) % 10) for a in range(10)}
USPS = {"USPS 1v7": (1, 7), **PAIRS}
COUNTS = (4859, 265)  # Zhou and Paffenroth (2017)
FEW_ROWS, FEW_DRAWS = 1000, 5  # of grids of fits
UNSEEN_COUNTS = (982, 54)  # all fours of the test half, and the same share of others


@dataclass(frozen=True)
class DataSet:
    """A set, and how draws of it are made.

    Attributes
    ----------
    name : str
        As in tables.
    draw : callable
        ``draw(seed)``: a Dataset of rows in [0, 1], or two of them: to fit, and unseen ones to score.
    draws : int
        How many.
    """

    name: str
    draw: Callable[[int], Any]
    draws: int = DRAWS


@lru_cache(maxsize=2)
def drawn_data(draw: Callable[[int], Any], seed: int) -> Any:
    """Return a draw, kept for the methods that come next."""
    return draw(seed)


def labelled(quick: bool) -> list[DataSet]:
    """Return the sets whose anomalies are known."""
    if quick:
        return [DataSet(DIGITS, _few_digits, QUICK_DRAWS)]
    usps = [DataSet(name, partial(_usps, *pair)) for name, pair in USPS.items()]
    fours = DataSet(FOURS, partial(_fours, "train", COUNTS), 5)
    dogs = DataSet(CIFAR, partial(_dogs, "train"), SEED_DRAWS)
    return [*usps, fours, dogs, DataSet(DIGITS, _digits)]


def few_rows(quick: bool) -> list[DataSet]:
    """Return the labelled sets with few draws of at most 1000 rows, for grids of fits."""
    return [_thinned(data) for data in labelled(quick)]


def _thinned(data: DataSet) -> DataSet:
    large = data.name in (CIFAR, FOURS)
    draws = 1 if large else min(data.draws, FEW_DRAWS)
    return DataSet(data.name, partial(_at_most, data.draw), draws)


def _at_most(draw: Callable[[int], Dataset], seed: int) -> Dataset:
    data = draw(seed)
    rows = np.random.default_rng(seed).permutation(len(data.X))[:FEW_ROWS]
    return data if len(data.X) <= FEW_ROWS else _rows(data, rows)


def scenes(quick: bool) -> list[DataSet]:
    """Return films whose background is known or estimated: `clean` of their Dataset."""
    if quick:
        return [DataSet("moving scene", partial(_moving, 24, 12, 16), QUICK_DRAWS)]
    moving = DataSet("moving scene", partial(_moving, 100, 48, 64), SEED_DRAWS)
    return [DataSet("restaurant", _restaurant, 1), moving]


def pairs_of_halves(quick: bool) -> list[DataSet]:
    """Return sets in two: rows to fit, with anomalies, and unseen ones of the same kinds to score."""
    if quick:
        return [DataSet(DIGITS, _both(partial(_few_digits, size=2)), QUICK_DRAWS)]
    digits = DataSet(DIGITS, _both(partial(_digits, n_anomalies=18)))
    usps = [DataSet(name, _both(partial(_usps, *pair, size=2))) for name, pair in USPS.items()]
    fours = DataSet(
        FOURS, _in_turn(partial(_fours, "train", COUNTS), partial(_fours, "test", UNSEEN_COUNTS)), 5
    )
    dogs = DataSet(CIFAR, _in_turn(partial(_dogs, "train"), partial(_dogs, "test")), SEED_DRAWS)
    return [*usps, fours, dogs, digits]


def _usps(normal: int, anomaly: int, seed: int, size: int = 1) -> Dataset:
    return datasets.fetch_usps(normal, anomaly, 220 * size, 11 * size, random_state=seed)


def _digits(seed: int, n_anomalies: int = 9) -> Dataset:
    return datasets.load_digits_anomalies(n_anomalies=n_anomalies, random_state=seed)


def _few_digits(seed: int, size: int = 1) -> Dataset:
    data = _digits(seed, n_anomalies=4 * size)
    assert data.y is not None
    normal = np.flatnonzero(data.y == 0)[: 44 * size]
    return _rows(data, np.sort(np.append(normal, np.flatnonzero(data.y == 1))))


def _dogs(subset: str, seed: int) -> Dataset:
    data = datasets.fetch_cifar10_dogs_cats(subset)
    return replace(data, X=data.X / np.float32(255))


def _fours(subset: str, counts: tuple[int, int], seed: int) -> Dataset:
    data = datasets.fetch_mnist(subset)
    rng = np.random.default_rng(seed)
    pools = (np.flatnonzero((data.y != 4) == other) for other in (False, True))
    rows = np.concatenate(
        [rng.choice(pool, count, replace=False) for pool, count in zip(pools, counts, strict=True)]
    )
    y = np.repeat([0, 1], counts)
    order = rng.permutation(len(rows))
    return replace(
        data, X=data.X[rows[order]] / np.float32(255), y=y[order], description="MNIST: fours, others"
    )


def _restaurant(seed: int) -> Dataset:
    data = datasets.fetch_restaurant()
    background = datasets.fetch_restaurant_background().X / np.float32(255)
    return replace(data, X=data.X / np.float32(255), clean=np.broadcast_to(background, data.X.shape))


def _moving(n: int, height: int, width: int, seed: int) -> Dataset:
    scene = moving_scene(n, height, width, seed)
    behind = scene.light[:, None] * scene.background
    return Dataset(scene.frames, None, scene.shape, "a composed film", clean=behind)


def _both(draw: Callable[[int], Dataset]) -> Callable[[int], tuple[Dataset, ...]]:
    return partial(_halved, draw)


def _halved(draw: Callable[[int], Dataset], seed: int) -> tuple[Dataset, ...]:
    """Halve a draw, half of its normal rows and half of its anomalies in each part."""
    data = draw(seed)
    assert data.y is not None
    kinds = [np.flatnonzero(data.y == label) for label in (0, 1)]
    first = np.sort(np.concatenate([rows[: len(rows) // 2] for rows in kinds]))
    return _rows(data, first), _rows(data, np.setdiff1d(np.arange(len(data.y)), first))


def _rows(data: Dataset, rows: np.ndarray) -> Dataset:
    assert data.y is not None
    return replace(data, X=data.X[rows], y=data.y[rows])


def _in_turn(*draws: Callable[[int], Dataset]) -> Callable[[int], tuple[Dataset, ...]]:
    return partial(_each, draws)


def _each(draws: Iterable[Callable[[int], Dataset]], seed: int) -> tuple[Dataset, ...]:
    return tuple(draw(seed) for draw in draws)
