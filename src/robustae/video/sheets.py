"""What the page is made of: the four panels in one picture, and the busiest moments."""

import math
from typing import Any

import numpy as np

from robustae.data.films import Converter, resized
from robustae.video.writing import png

PANELS = ("original", "background", "foreground", "score")
_LARGEST = 960 * 540  # pixels of a panel: four of them are one picture in full HD
_THUMBNAIL = 240 * 180
_MOMENTS, _APART = 8, 1.0  # as many at most, so many seconds apart
_SPARE = 3  # a moment chosen can rule out one candidate on either side


class Sheet:
    """Original, background, foreground and score as one picture of two by two panels.

    Parameters
    ----------
    height, width : int
        Of the frames; large ones are scaled down.
    score_scale : float
        The score that is drawn white; larger ones are too.
    still : bool
        Whether the background never changes.
    """

    def __init__(self, height: int, width: int, score_scale: float, still: bool) -> None:
        self.panel_height, self.panel_width = _within(_LARGEST, height, width)
        # Even places: colours are stored for blocks of 2 x 2 pixels.
        self._down, self._across = (side + side % 2 for side in (self.panel_height, self.panel_width))
        self.height, self.width = 2 * self._down, 2 * self._across
        self._gain, self._still, self._background = 255 / score_scale, still, None
        self._converters = {name: Converter() for name in PANELS}
        rows, columns = np.arange(self.panel_height), np.arange(self.panel_width)
        self._nearest = np.ix_(rows * height // len(rows), columns * width // len(columns))

    @property
    def panels(self) -> list[dict[str, Any]]:
        """Name and upper left corner of every panel."""
        corners = [(0, 0), (self._across, 0), (0, self._down), (self._across, self._down)]
        return [{"name": name, "x": x, "y": y} for name, (x, y) in zip(PANELS, corners, strict=True)]

    def __call__(
        self, frame: np.ndarray, background: np.ndarray, score: np.ndarray, mask: np.ndarray
    ) -> np.ndarray:
        """Draw one frame: colours of shape (height, width, 3), score and mask of (height, width)."""
        original = self._panel("original", frame)
        if self._background is None or not self._still:
            self._background = self._panel("background", background)
        pictures = {
            "original": original,
            "background": self._background,
            "foreground": masked(original, mask[self._nearest]),
            "score": self._panel("score", self._gray(score)[:, :, None]),
        }
        sheet = np.zeros((self.height, self.width, 3), np.uint8)
        for panel in self.panels:
            x, y = panel["x"], panel["y"]
            sheet[y : y + self.panel_height, x : x + self.panel_width] = pictures[panel["name"]]
        return sheet

    def _panel(self, name: str, pixels: np.ndarray) -> np.ndarray:
        size = self.panel_height, self.panel_width
        if pixels.shape[:2] == size:
            return pixels
        return resized(pixels, (*size, pixels.shape[2]), self._converters[name])

    def _gray(self, score: np.ndarray) -> np.ndarray:
        level = np.multiply(score, self._gain, dtype=np.float32)
        return np.clip(level, 0, 255, out=level).astype(np.uint8)


class Busiest:
    """The moments with the largest share of foreground, at least a second apart."""

    def __init__(self) -> None:
        self._best: dict[int, dict[str, Any]] = {}  # by whole second
        self._convert = Converter()

    def see(self, moment: dict[str, Any], frame: np.ndarray) -> None:
        """Remember a moment (its `frame`, `seconds`, `share`) and its picture, if busy enough."""
        second = math.floor(moment["seconds"])
        held = self._best.get(second, {"share": 0.0})
        if moment["share"] <= held["share"]:
            return
        self._best[second] = moment | {"pixels": self._small(frame)}
        if len(self._best) > _SPARE * _MOMENTS:
            del self._best[min(self._best, key=lambda key: self._best[key]["share"])]

    def moments(self) -> list[dict[str, Any]]:
        """Return the busiest ones in order of time, each with its picture as `png`."""
        chosen: list[dict[str, Any]] = []
        for moment in sorted(self._best.values(), key=lambda moment: -moment["share"]):
            if all(abs(moment["seconds"] - other["seconds"]) >= _APART for other in chosen):
                chosen.append(moment)
        chosen = sorted(chosen[:_MOMENTS], key=lambda moment: moment["seconds"])
        return [_drawn(**moment) for moment in chosen]

    def _small(self, frame: np.ndarray) -> np.ndarray:
        size = _within(_THUMBNAIL, *frame.shape[:2])
        return frame.copy() if size == frame.shape[:2] else resized(frame, (*size, 3), self._convert)


def masked(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return `frame` where `mask` is True, else black."""
    picture = np.zeros_like(frame)
    picture[mask] = frame[mask]
    return picture


def _drawn(pixels: np.ndarray, **moment: Any) -> dict[str, Any]:
    return moment | {"png": png(pixels)}


def _within(most: int, height: int, width: int) -> tuple[int, int]:
    factor = min(1.0, math.sqrt(most / (height * width)))
    return max(1, round(height * factor)), max(1, round(width * factor))
