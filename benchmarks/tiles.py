"""Odd magnetic tiles among sound ones: image and pixel AUROC, beside Gaussian, kNN, conv and PCA."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from benchmarks.measuring import write
from robustae import RobustAutoencoder
from robustae.images import inspect
from robustae.images.features import named
from robustae.images.reading import in_colour, pictures_of, resized

KINDS = ("blowhole", "break", "crack", "fray", "uneven")
SPREAD = ("image AUROC", "lost", "pixel AUROC")
SHARES = (0.0, 0.05, 0.16)  # of defective images among those learnt from, against the sound ones
TRAINED = 0.8  # share of the sound images
DRAWN = 96  # pixels a side of masks and heat maps when compared
SMALL = (32, 32)  # of the images that are taken as pixels
REFERENCES = 4000  # patches that kNN compares with
NEAREST = 5

Scores = tuple[np.ndarray, np.ndarray | None]
Method = Callable[[list[Path], list[Path]], Scores]


def run(runs: int) -> None:
    """Write tiles.csv: over `runs` draws; the test images of a draw are the same for all shares."""
    folder = Path(os.environ["ROBUSTAE_DATA"]) / "magnetic_tiles"
    rows = []
    for name, method in METHODS.items():
        clean: list[dict[str, float]] = []
        for share in SHARES:
            found = [_measured(method, *_drawn(folder, share, seed)) for seed in range(runs)]
            clean = clean or found
            for one, without in zip(found, clean, strict=True):
                one["lost"] = without["image AUROC"] - one["image AUROC"]
            rows.append({"method": name, "share of defective": share, **_means(found), "draws": runs})
        write("tiles", rows)  # after each method: a run that is stopped leaves what it measured


def _drawn(folder: Path, share: float, seed: int) -> tuple[list[Path], list[Path]]:
    rng = np.random.default_rng(seed)
    sound = _shuffled(rng, (folder / "free").glob("*.jpg"))
    bad = _shuffled(rng, (path for kind in KINDS for path in (folder / kind).glob("*.jpg")))
    count = int(TRAINED * len(sound))
    most = int(count * max(SHARES))
    return sound[:count] + bad[: int(count * share)], sound[count:] + bad[most:]


def _shuffled(rng: np.random.Generator, paths: Iterable[Path]) -> list[Path]:
    ordered = sorted(paths)
    return [ordered[place] for place in rng.permutation(len(ordered))]


def _measured(method: Method, train: list[Path], test: list[Path]) -> dict[str, float]:
    begin = time.process_time()
    scores, heat = method(train, test)
    seconds = time.process_time() - begin
    y = np.array([path.parent.name != "free" for path in test])
    found = {"image AUROC": roc_auc_score(y, scores), "seconds": seconds}
    for kind in KINDS:
        some = np.array([path.parent.name in ("free", kind) for path in test])
        found[kind] = roc_auc_score(y[some], scores[some])
    if heat is not None:
        masks = np.stack([_mask(path) for path in test])
        drawn = np.stack([resized(one[:, :, None], (DRAWN, DRAWN))[:, :, 0] for one in heat])
        found["pixel AUROC"] = roc_auc_score(masks.ravel(), drawn.ravel())
    return found


def _mask(path: Path) -> np.ndarray:
    mask = path.with_name(f"{path.stem}_mask.png")
    if not mask.exists():
        return np.zeros((DRAWN, DRAWN), bool)
    return resized(pictures_of(mask).read(0)[:, :, :1], (DRAWN, DRAWN))[:, :, 0] > 0.5


def _means(found: list[dict[str, float]]) -> dict[str, str]:
    """Return the means, of the first columns with the standard deviation over draws."""
    values = {name: [one[name] for one in found if name in one] for name in (*SPREAD, *KINDS, "seconds")}
    means = {name: f"{np.mean(part):.3f}" if part else "" for name, part in values.items()}
    if len(found) > 1:
        means |= {name: f"{means[name]} ± {np.std(values[name], ddof=1):.3f}" for name in SPREAD}
    return means | {"seconds": f"{np.mean(values['seconds']):.1f}"}


def _inspected(features: str) -> Method:
    def method(train: list[Path], test: list[Path]) -> Scores:
        found = inspect(test, train=train, features=features)
        return found.scores, found.heatmaps

    return method


def _maps(paths: list[Path]) -> np.ndarray:
    network = named("efficientnet")
    pictures = pictures_of(paths)
    shape = network.shape(1, 1)
    return np.concatenate(
        [
            network(in_colour(resized(pictures.read(number), shape), False)[None])
            for number in range(len(pictures))
        ]
    )


def _gaussian(train: list[Path], test: list[Path]) -> Scores:
    """Mahalanobis distance of each patch, the mean over an image."""
    maps, new = _maps(train), _maps(test)
    rows = maps.reshape(-1, maps.shape[3])
    mean, inverse = rows.mean(axis=0), np.linalg.inv(np.cov(rows.T) + 1e-6 * np.eye(rows.shape[1]))
    heat = np.einsum("...i,ij,...j->...", new - mean, inverse, new - mean, optimize=True)
    return heat.mean(axis=(1, 2)), heat


def _knn(train: list[Path], test: list[Path]) -> Scores:
    """Distance of each patch to the nearest ones learnt from, the largest of an image (as PatchCore)."""
    from sklearn.neighbors import NearestNeighbors

    maps, new = _maps(train), _maps(test)
    rows = maps.reshape(-1, maps.shape[3])
    some = np.random.default_rng(0).permutation(len(rows))[:REFERENCES]
    near = NearestNeighbors(n_neighbors=NEAREST, algorithm="brute").fit(rows[some])
    heat = near.kneighbors(new.reshape(-1, rows.shape[1]))[0].mean(axis=1).reshape(new.shape[:3])
    return heat.max(axis=(1, 2)), heat


def _pixels(make: Callable[[], Any]) -> Method:
    def method(train: list[Path], test: list[Path]) -> Scores:
        X, new = (
            np.stack([in_colour(resized(pictures_of(path).read(0), SMALL), False).ravel() for path in paths])
            for paths in (train, test)
        )
        model = make().fit(X)
        if isinstance(model, PCA):
            left = (new - model.inverse_transform(model.transform(new))) ** 2
            return left.sum(1), left.reshape(len(new), *SMALL)
        left = ((new - model.reconstruct(new)) ** 2).reshape(len(new), *SMALL)
        return -model.score_samples(new), left

    return method


METHODS: dict[str, Method] = {
    "inspect, efficientnet": _inspected("efficientnet"),
    "inspect, patches": _inspected("patches"),
    "inspect, strokes": _inspected("strokes"),
    "Gaussian on patches of efficientnet": _gaussian,
    "kNN on patches of efficientnet": _knn,
    "conv": _pixels(lambda: RobustAutoencoder(predictor="conv", image_shape=SMALL, random_state=0)),
    "PCA, 20 components": _pixels(lambda: PCA(20)),
}
