"""Data to try things on: `load_*` needs no download, `fetch_*` is public data searched on this machine."""

from typing import Any

from robustae.datasets.adbench import STEMS, fetch_adbench, place_of
from robustae.datasets.bundled import load_breast_cancer_cells, load_digits_anomalies, load_walkway
from robustae.datasets.kinds import Dataset
from robustae.datasets.places import PathLike, find
from robustae.datasets.public import (
    FILES,
    fetch_cifar10_dogs_cats,
    fetch_escalator,
    fetch_mnist,
    fetch_restaurant,
    fetch_restaurant_background,
    fetch_usps,
)
from robustae.datasets.sequences import VideoSequence, fetch_video_sequence, video_sequences
from robustae.datasets.synthetic import (
    MovingScene,
    Planted,
    moving_scene,
    planted,
    planted_rows,
    subspace_error,
    with_missing,
    with_wrong_cells,
)

__all__ = [
    "with_wrong_cells",
    "with_missing",
    "subspace_error",
    "planted_rows",
    "planted",
    "moving_scene",
    "MovingScene",
    "Planted",
    "Dataset",
    "VideoSequence",
    "fetch_adbench",
    "fetch_cifar10_dogs_cats",
    "fetch_escalator",
    "fetch_mnist",
    "fetch_restaurant",
    "fetch_restaurant_background",
    "fetch_usps",
    "fetch_video_sequence",
    "listing",
    "load_breast_cancer_cells",
    "load_digits_anomalies",
    "load_walkway",
    "video_sequences",
]


_BUNDLED = {
    "digits": "load_digits_anomalies()",
    "breast cancer, wrong cells planted": "load_breast_cancer_cells()",
    "walkway": "load_walkway()",
}


def listing(data_home: PathLike | None = None) -> list[dict[str, Any]]:
    """Say of every data set whether it is there, and where.

    Parameters
    ----------
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.

    Returns
    -------
    list of dict
        name, call (how to get it), found (bool), path (str; None where not found or not a file of
        its own), advice (what to put where).
    """
    with_packages = [_entry(name, call, True, None, "") for name, call in _BUNDLED.items()]
    public = []
    for name, file in FILES.items():
        path = find(file.place, data_home)
        public.append(_entry(name, _call(name), path is not None, path, file.advice))
    return [*with_packages, *public, _tables(data_home)]


def _tables(data_home: PathLike | None) -> dict[str, Any]:
    paths = [path for name in STEMS if (path := find(place_of(name), data_home))]
    title = f"adbench ({len(paths)} of {len(STEMS)} tables)"
    home = paths[0].parents[1] if paths else None
    return _entry(title, "fetch_adbench(name)", bool(paths), home, "each is got by download=True")


def _entry(name: str, call: str, found: bool, path: PathLike | None, advice: str) -> dict[str, Any]:
    where = None if path is None else str(path)
    return {"name": name, "call": call, "found": found, "path": where, "advice": advice}


def _call(name: str) -> str:
    base, _, subset = name.partition(" (")
    return f"fetch_{base}({f'subset={subset[:-1]!r}' if subset else ''})"
