"""The methods compared, all with label-free settings that are the same for every data set."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from robustae.baselines import ReconstructionPCA
from robustae.images.features import PatchDictionary
from robustae.images.inspection import inspect
from robustae.lab.jobs import Cannot
from robustae.stats.widths import auto_width

__all__ = [
    "OURS",
    "STROKES",
    "Method",
    "Inspected",
    "PrincipalComponents",
    "autoencoder",
    "fitted",
    "methods",
    "quick_settings",
]

OURS = "RCAE"  # what the others are compared with
ALL_ROWS = "RCAE all rows"
STROKES = "RAE on strokes"
PATCHES = "RAE on patches"
INSPECT = "inspect, patches"
INF = float("inf")
QUICK_ITERATIONS = 15

Shape = tuple[int, ...] | None


@dataclass(frozen=True)
class Method:
    """A method to compare.

    Attributes
    ----------
    name : str
        As in tables.
    make : callable
        ``make(image_shape or None for tables, seed)``: an unfitted estimator of flat rows (n, d) with `fit`
        and `score_samples` (higher = more normal).
    inductive : bool
        Whether it scores rows that it was not fitted to.
    most_rows : int or None
        Above, it takes too long.
    """

    name: str
    make: Callable[[Shape, int], Any]
    inductive: bool = True
    most_rows: int | None = None


def fitted(method: Method, X: np.ndarray, image_shape: Shape, seed: int) -> Any:
    """Fit a method to rows, shape (n, d): it is given nothing else.

    Raises
    ------
    Cannot
        If there are more rows than it can take.
    """
    if method.most_rows is not None and len(X) > method.most_rows:
        raise Cannot(f"{len(X)} rows: over its limit of {method.most_rows}")
    return method.make(image_shape, seed).fit(X)


class PrincipalComponents(BaseEstimator):
    """Principal components (TSVD where not centred), as many as the automatic width of the centred rows.

    The rule was chosen against "95 % of the energy" on data that no table reports: USPS digits a against
    (a + 1) % 10 and (a + 5) % 10, scikit-learn's digits and MNIST's 0, 2 and 8. It was better on all, but
    for TSVD on MNIST.

    Parameters
    ----------
    center : bool
    """

    def __init__(self, *, center: bool = True) -> None:
        self.center = center

    def fit(self, X: Any, y: Any = None) -> "PrincipalComponents":
        """Find rank and components of X, shape (n, d)."""
        X = np.asarray(X, dtype=np.float64)
        rank = max(1, auto_width(X - X.mean(axis=0)))
        self.pca_ = ReconstructionPCA(rank=rank, center=self.center).fit(X)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the squared residual of each row; shape (n,)."""
        return self.pca_.score_samples(X)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return the projections, shape (n, d)."""
        mean, basis = self.pca_.mean_, self.pca_.components_
        return (np.asarray(X, dtype=np.float64) - mean) @ basis.T @ basis + mean


def methods(quick: bool = False) -> dict[str, Method]:
    """Return the methods by name, in the order of tables.

    Parameters
    ----------
    quick : bool
        Whether autoencoders stop after a few iterations: shows that they run.
    """
    return {method.name: method for method in _all(quick_settings(quick))}


def quick_settings(quick: bool) -> dict[str, Any]:
    """Return what keeps an autoencoder short in a quick run."""
    return {"max_iter": QUICK_ITERATIONS} if quick else {}


def _all(settings: dict[str, Any]) -> Iterator[Method]:
    yield Method("TSVD", partial(_components, center=False))
    yield Method("PCA", partial(_components, center=True))
    yield Method("RPCA", partial(_baseline, "RobustPCA"))
    yield Method("DRMF", partial(_baseline, "DRMF"))
    yield Method("RKPCA", partial(_baseline, "RKPCA"), inductive=False, most_rows=1000)
    yield Method("AE", partial(autoencoder, predictor="sigmoid", lam=INF, **settings))
    yield Method("deep AE", partial(autoencoder, predictor="deep", lam=INF, **settings))
    yield Method("CAE", partial(autoencoder, predictor="conv", lam=INF, **settings))
    yield Method("RAE", partial(autoencoder, predictor="sigmoid", **settings))
    yield Method("deep RAE", partial(autoencoder, predictor="deep", **settings))
    yield Method(OURS, partial(autoencoder, predictor="conv", **settings))
    yield Method(ALL_ROWS, partial(_all_rows, **settings))
    yield Method(STROKES, partial(_on_features, partial(Inspected, features="strokes")))
    yield Method(PATCHES, partial(_on_features, OnPatches))
    yield Method(INSPECT, partial(_on_features, partial(Inspected, features="patches")))
    yield Method("RAE rows", partial(autoencoder, predictor="sigmoid", penalty="rows", **settings))
    yield Method("isolation forest", _isolation_forest)
    yield Method("OC-SVM", partial(_baseline, "one_class_svm"))
    yield Method("kNN", partial(_baseline, "KNNDistance"))


def autoencoder(image_shape: Shape, seed: int, *, predictor: str, **settings: Any) -> Any:
    """Return an unfitted RobustAutoencoder, all but `settings` at its defaults.

    Raises
    ------
    Cannot
        If it is convolutional and rows are no images.
    """
    from robustae.estimators.autoencoder import RobustAutoencoder

    if predictor == "conv" and image_shape is None:
        raise Cannot("needs images")
    return RobustAutoencoder(predictor=predictor, image_shape=image_shape, random_state=seed, **settings)


def _all_rows(image_shape: Shape, seed: int, **settings: Any) -> Any:
    """RCAE that leaves no row out: what keeps it from learning anomalies is a narrow code and small steps."""
    from robustae.solvers import Adam

    small_steps = Adam(lr=2e-3, steps=900, fall=0.25, rows=32)
    changed = {"hidden": 8, "penalty": "l1", "solver": small_steps} | settings
    return autoencoder(image_shape, seed, predictor="conv", **changed)


class Quarters(PatchDictionary):
    """Mean answers of a dictionary of patches in each quarter of an image."""

    GRID: ClassVar[int] = 2


class OnPatches(BaseEstimator):
    """The robust autoencoder for tables, of what a dictionary of the images' patches answers in each quarter.

    Parameters
    ----------
    image_shape : tuple of int
    """

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        self.image_shape = image_shape

    def fit(self, X: Any, y: Any = None) -> "OnPatches":
        """Fit to flattened images, shape (n, d), with values 0 to 1."""
        from robustae.estimators.autoencoder import RobustAutoencoder

        self.patches_ = Quarters().fit(self._images(X))
        self.model_ = RobustAutoencoder(random_state=0).fit(self._rows(X))
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the scores of each row, shape (n,); of rows of the fit as of unseen ones."""
        return self.model_.score_samples(self._rows(X))

    def _images(self, X: Any) -> np.ndarray:
        return np.asarray(X, dtype=np.float32).reshape(len(X), *self.image_shape[:2], -1)

    def _rows(self, X: Any) -> np.ndarray:
        return self.patches_(self._images(X)).reshape(len(X), -1)


class Inspected(BaseEstimator):
    """`robustae.images.inspect` of images.

    Parameters
    ----------
    image_shape : tuple of int
    features : str
    """

    def __init__(self, image_shape: tuple[int, ...], features: str = "auto") -> None:
        self.image_shape = image_shape
        self.features = features

    def fit(self, X: Any, y: Any = None) -> "Inspected":
        """Fit to flattened images, shape (n, d)."""
        self.fitted_, self.found_ = X, inspect(self._images(X), features=self.features)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the anomaly score of each row, shape (n,)."""
        if X is self.fitted_:  # has its scores already
            return -self.found_.scores
        return -self.found_.score(self._images(X))

    def _images(self, X: Any) -> np.ndarray:
        return np.asarray(X, dtype=np.float32).reshape(len(X), *self.image_shape)


def _on_features(kind: Callable[..., Any], image_shape: Shape, seed: int) -> Any:
    if image_shape is None:
        raise Cannot("needs images")
    return kind(image_shape)


def _components(image_shape: Shape, seed: int, *, center: bool) -> PrincipalComponents:
    return PrincipalComponents(center=center)


def _baseline(name: str, image_shape: Shape, seed: int) -> Any:
    from robustae import baselines

    return getattr(baselines, name)()


def _isolation_forest(image_shape: Shape, seed: int) -> Any:
    from sklearn.ensemble import IsolationForest

    return IsolationForest(random_state=seed)
