"""Short films by fixed cameras, with the true foreground of every frame."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustae.datasets.places import PathLike, find, homes, where
from robustae.utils.checks import InputError, NotFound, need, one_of

__all__ = ["SEQUENCES", "VideoSequence", "fetch_video_sequence", "video_sequences"]

_FGSEGNET = "https://github.com/lim-anggun/FgSegNet"
_SBI = f"the SBI data set (Maddalena and Petrosino 2015) with masks by Z. Luo, {_FGSEGNET}"
_SBI_NAMES = ("Board", "CAVIAR1", "Candela", "HallAndMonitor", "HumanBody2", "IBMtest2", "Snellen")
# Where those come from that are known by name; others may lie beside them.
SEQUENCES = {
    **dict.fromkeys(_SBI_NAMES, _SBI),
    "highway": f"CDnet 2014, https://github.com/andrewssobral/lrslibrary, masks {_FGSEGNET}",
    "office": "CDnet 2014, https://github.com/e-sha/Background-subtraction",
    "ucsd_peds": f"UCSD's background subtraction data set, {_FGSEGNET}",
}
_HOLDS = (
    "video/{name}/frames.mkv (FFV1 or another lossless codec) and video/{name}/truth.npz (gt, uint8: "
    "0 background, 50 shadow, 85 and 170 ignored, 255 foreground)"
)
FOLDER = "video"
_FILES = ("frames.mkv", "truth.npz")
_FOREGROUND, _IGNORED = 255, (85, 170)


@dataclass(frozen=True)
class VideoSequence:
    """A film, and what in it is foreground.

    Attributes
    ----------
    name : str
    frames : array of uint8, shape (n, height, width, 3)
        Red, green, blue.
    truth : array of uint8, shape (n, height, width)
        0 background, 50 shadow, 85 outside the region of interest, 170 unknown, 255 foreground.
    background : array of uint8, shape (height, width, 3), or None
        Without anything in front of it, where known; 0 where it never shows.
    """

    name: str
    frames: np.ndarray
    truth: np.ndarray
    background: np.ndarray | None = None

    @property
    def labelled(self) -> np.ndarray:
        """Whether a pixel counts; bool, shape of `truth`."""
        return ~np.isin(self.truth, _IGNORED)

    @property
    def foreground(self) -> np.ndarray:
        """Whether a pixel is foreground (shadows are not); bool, shape of `truth`."""
        return self.truth == _FOREGROUND


def video_sequences(data_home: PathLike | None = None, folder: str = FOLDER) -> list[str]:
    """Return the names of the sequences that are on this machine, in alphabetical order.

    Parameters
    ----------
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.
    folder : str
        That holds the sequences there.
    """
    found = {path.parent.name for home in homes(data_home) for path in home.glob(f"{folder}/*/{_FILES[0]}")}
    return sorted(name for name in found if all(_find(name, data_home, folder)))


def fetch_video_sequence(name: str, data_home: PathLike | None = None, folder: str = FOLDER) -> VideoSequence:
    """Return a film by a fixed camera, and its true foreground.

    Parameters
    ----------
    name : str
        For instance "highway"; `video_sequences` lists those that are here.
    data_home : path, optional
        Folder that is searched first; then ROBUSTAE_DATA, then the user's cache.
    folder : str
        That holds the sequences there.

    Returns
    -------
    VideoSequence

    Raises
    ------
    InputError
        If there is no such sequence, it is not here (NotFound; the message names the file and its place), or
        it does not have one mask for each frame.
    """
    frames_path, truth_path = _paths(name, data_home, folder)
    frames = _decoded(frames_path)
    with np.load(truth_path) as stored:
        film = VideoSequence(name, frames, stored["gt"], stored.get("background"))
    if film.truth.shape != frames.shape[:3]:
        raise InputError(
            f"{str(truth_path)!r} has masks of shape {film.truth.shape}, the film {frames.shape[:3]}: "
            "one mask for each frame would do."
        )
    return film


def _paths(name: str, data_home: PathLike | None, folder: str) -> tuple[Path, Path]:
    known = SEQUENCES if folder == FOLDER else {}
    one_of("name", name, dict.fromkeys([*known, *video_sequences(data_home, folder)]))
    frames, truth = _find(name, data_home, folder)
    if frames is not None and truth is not None:
        return frames, truth
    raise NotFound(
        f"the film {name!r} is not under {where(data_home)}, and cannot be downloaded as it is: put "
        f"there {_HOLDS.format(name=name)}; from {SEQUENCES[name]}."
    )


def _find(name: str, data_home: PathLike | None, folder: str) -> tuple[Path | None, ...]:
    return tuple(find(f"{folder}/{name}/{file}", data_home) for file in _FILES)


def _decoded(path: Path) -> np.ndarray:
    with need("video", "av", "reading a film").open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])
