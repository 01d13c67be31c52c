"""Data that needs no download."""

from importlib.resources import files
from typing import Any

import numpy as np

from robustae.datasets.kinds import Dataset, drawn, film


def load_digits_anomalies(
    normal: int = 1, anomaly: int = 7, n_anomalies: int = 9, random_state: int | None = 0
) -> Dataset:
    """Return scikit-learn's digits as the paper uses USPS: all of one digit, and a few of another.

    Parameters
    ----------
    normal, anomaly : int
        The digits, 0 to 9.
    n_anomalies : int
        How many of the second; 9 make about the paper's 5 %.
    random_state : int or None
        Which ones, and the order of the rows.

    Returns
    -------
    Dataset
        X in [0, 1], 8 x 8 pixels, about 190 rows.

    Raises
    ------
    InputError
        If there are no such digits, or fewer than `n_anomalies`.
    """
    from sklearn.datasets import load_digits

    source: Any = load_digits()
    pools = [source.data[source.target == which] / 16.0 for which in (normal, anomaly)]
    about = f"scikit-learn's digits: all {normal}, and {n_anomalies} of the {anomaly} as anomalies"
    return drawn(pools, (len(pools[0]), n_anomalies), random_state, (8, 8), about)


def load_breast_cancer_cells(
    wrong: float = 0.03, missing: float = 0.03, size: float = 6.0, random_state: int = 0
) -> Dataset:
    """Return scikit-learn's breast cancer measurements with wrong and missing cells planted.

    Parameters
    ----------
    wrong, missing : float
        Share of the cells made wrong, and share emptied.
    size : float
        How far off the wrong ones are, in standard deviations of their column.
    random_state : int
        Which cells.

    Returns
    -------
    Dataset
        569 x 30; `cells` marks the wrong ones, `clean` is the table before.
    """
    from sklearn.datasets import load_breast_cancer

    from robustae.datasets.synthetic import with_missing, with_wrong_cells

    source: Any = load_breast_cancer()
    X, cells = with_wrong_cells(source.data, share=wrong, size=size, random_state=random_state)
    X, gone = with_missing(X, share=missing, random_state=random_state + 1)
    about = (
        f"scikit-learn's breast cancer measurements: {wrong:.0%} of the cells wrong, {missing:.0%} missing"
    )
    return Dataset(X, None, None, about, list(map(str, source.feature_names)), cells & ~gone, source.data)


def load_walkway() -> Dataset:
    """Return a film of people on a walkway, seen by a fixed camera.

    Returns
    -------
    Dataset
        200 grey frames of 120 x 160, uint8, 5 a second. Made from OpenCV's vtest.avi (Apache
        License 2.0; see NOTICE).
    """
    with files("robustae").joinpath("datasets/data/walkway.npz").open("rb") as file, np.load(file) as stored:
        frames = np.cumsum(stored["changes"], axis=0, dtype=np.uint8)
    return film(frames, "people on a walkway, from OpenCV's vtest.avi (Apache License 2.0)")
