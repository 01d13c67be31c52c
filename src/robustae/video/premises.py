"""What a scene takes for granted, and where a film breaks it: sentences that name the option that helps."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from robustae.video.registration import correlation, signature
from robustae.video.scene import LOUD

if TYPE_CHECKING:
    from robustae.video.learned import LearnedScene
    from robustae.video.scene import Scene

__all__ = ["Cuts", "broken"]

SecondsOf = Callable[[int], float]

AHEAD = 3  # frames after a cut that still differ: a flash is over by then
SAME, OTHER = 0.8, 0.6  # correlation of two frames of one take at least, and of two takes at most
APART = 10  # frames between two cuts
NAMED = 3  # cuts
FEW = 10  # frames, by which it is hard to tell what is background
BUSY, MOSTLY = 0.25, 0.5  # share of foreground, share of the frames that have more


class Cuts:
    """Frames that have little to do with the ones before, found while frames go by."""

    def __init__(self) -> None:
        self.found: list[int] = []
        self._recent: deque[tuple[int, np.ndarray]] = deque(maxlen=AHEAD + 3)

    def see(self, number: int, frame: np.ndarray) -> None:
        """Take the next frame (height, width, c) and its number."""
        self._recent.append((number, signature(frame)))
        if len(self._recent) < AHEAD + 3:
            return
        first, before, at, *after = (cells for _, cells in self._recent)
        candidate = self._recent[2][0]
        if self.found and candidate - self.found[-1] <= APART:
            return
        alike = min(correlation(first, before), correlation(at, after[0]))
        if alike > SAME and max(correlation(before, cells) for cells in (at, *after)) < OTHER:
            self.found.append(candidate)


def broken(
    model: "Scene | LearnedScene", shares: np.ndarray, cuts: list[int], seconds_of: SecondsOf
) -> list[str]:
    """Return a sentence for each premise that does not hold.

    Parameters
    ----------
    model : Scene or LearnedScene
    shares : array, shape (n,)
        Of foreground, by frame.
    cuts : list of int
        Numbers of frames.
    seconds_of : callable
        When a frame is shown.
    """
    return [
        *_short(shares),
        *_camera(model),
        *_cut(cuts, seconds_of),
        *_too_much(model, shares, cuts),
        *_light(model, cuts),
    ]


def _short(shares: np.ndarray) -> list[str]:
    if not 0 < len(shares) < FEW:
        return []
    return [
        f"{len(shares)} frames are few: who hardly moves in them is taken for background. --model takes "
        "the background of a longer film."
    ]


def _camera(model: "Scene | LearnedScene") -> list[str]:
    camera = getattr(model, "camera", None)
    if camera is None or not camera.shaking:
        return []
    return [
        f"The camera shakes, by {camera.shift:.1f} pixels: frames are aligned before they are compared "
        "(--no-stabilise forbids it)."
    ]


def _cut(cuts: list[int], seconds_of: SecondsOf) -> list[str]:
    if not cuts:
        return []
    places = ", ".join(f"frame {cut} ({seconds_of(cut):.1f} s)" for cut in cuts[:NAMED])
    more = f" and {len(cuts) - NAMED} more" if len(cuts) > NAMED else ""
    return [
        f"The picture changes altogether at {places}{more}, as at a cut: a background fits one take only. "
        f"--stop {cuts[0]} or --start {cuts[-1]} keeps one."
    ]


def _too_much(model: "Scene | LearnedScene", shares: np.ndarray, cuts: list[int]) -> list[str]:
    busy = (shares > BUSY).mean() if len(shares) else 0.0
    if cuts or not (busy >= MOSTLY or _loud(model)):
        return []
    found = (
        f"Foreground covers more than {100 * BUSY:.0f} % of the picture in {100 * busy:.0f} % of the frames"
        if busy >= MOSTLY
        else "Most of the picture differs from any one background"
    )
    return [
        f"{found}: the camera moves or the background is never still. --start and --stop choose a part, "
        "--predictor linear --set hidden=3 learns a moving background."
    ]


def _loud(model: "Scene | LearnedScene") -> bool:
    camera = getattr(model, "camera", None)
    return camera is not None and model.noise * camera.stretch >= LOUD


def _light(model: "Scene | LearnedScene", cuts: list[int]) -> list[str]:
    many = getattr(model, "hidden_", 0)
    if cuts or many == 0 or not hasattr(model, "components"):
        return []
    found = "1 component follows it" if many == 1 else f"{many} components follow it"
    return [
        f"Light or something else changes over much of the picture: {found}. In a long recording "
        "--window does, too."
    ]
