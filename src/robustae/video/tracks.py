"""Who goes where: regions of foreground joined from frame to frame, by overlap and nearness."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robustae.video.maps import boxes_in
from robustae.video.pixels import Box

__all__ = ["COLUMNS", "drawn", "tracks_of"]

COLUMNS = ("blob", "frame", "seconds", "x", "y", "width", "height", "speed")
FORGOTTEN = 1.0  # seconds out of sight, after which somebody is somebody else
REACH = 1.0  # sizes of a box that its middle may have moved beyond where it was expected
STEADY = 0.5  # weight of the latest step in the velocity
COLOUR = (255, 210, 0)


@dataclass
class _Track:
    number: int
    seconds: float
    box: Box
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))  # pixels a second

    def expected(self, seconds: float) -> np.ndarray:
        return _middle(self.box) + self.velocity * (seconds - self.seconds)

    def moved_to(self, box: Box, seconds: float) -> float:
        """Go on; returns the speed, pixels a second."""
        passed = max(seconds - self.seconds, 1e-9)
        step = (_middle(box) - _middle(self.box)) / passed
        self.velocity = STEADY * step + (1 - STEADY) * self.velocity
        self.box, self.seconds = box, seconds
        return float(np.hypot(*step))


def tracks_of(activity: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the tracks in a table of activity, as a table.

    Parameters
    ----------
    activity : dict
        Its columns `frame`, `seconds` and `boxes`.

    Returns
    -------
    dict
        One row for each region and frame: `blob` (the number of whom it belongs to, from 1), `frame`,
        `seconds`, `x`, `y`, `width`, `height` (pixels), `speed` (of its middle since it was last seen,
        pixels a second).
    """
    tracks = _Tracks()
    for frame, seconds, text in zip(*(activity[name] for name in ("frame", "seconds", "boxes")), strict=True):
        tracks.see(int(frame), float(seconds), boxes_in(text))
    return {name: [row[k] for row in tracks.rows] for k, name in enumerate(COLUMNS)}


class _Tracks:
    """Rows of a table, one for each region and frame, with the number of whom it belongs to.

    The nearest pairs of an expected place and a region are joined first. Two who meet are one region; who
    was joined to it last keeps the number, the other gets it back within a second.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self._open: list[_Track] = []
        self._count = 0

    def see(self, frame: int, seconds: float, boxes: list[Box]) -> None:
        """Take the regions of the next frame."""
        self._open = [track for track in self._open if seconds - track.seconds <= FORGOTTEN]
        free = dict(enumerate(boxes))
        for track, place in self._pairs(boxes, seconds):
            box = free.pop(place)
            self._add(track.number, frame, seconds, box, track.moved_to(box, seconds))
        for box in free.values():
            self._count += 1
            self._open.append(_Track(self._count, seconds, box))
            self._add(self._count, frame, seconds, box, 0.0)

    def _add(self, number: int, frame: int, seconds: float, box: Box, speed: float) -> None:
        self.rows.append((number, frame, seconds, *box, round(speed, 3)))

    def _pairs(self, boxes: list[Box], seconds: float) -> list[tuple[_Track, int]]:
        far = [
            (_distance(track, box, seconds), k, place)
            for k, track in enumerate(self._open)
            for place, box in enumerate(boxes)
        ]
        pairs, tracks, places = [], set(), set()
        for distance, k, place in sorted(far):
            if distance <= REACH and k not in tracks and place not in places:
                pairs.append((self._open[k], place))
                tracks.add(k)
                places.add(place)
        return pairs


def _middle(box: Box) -> np.ndarray:
    x, y, width, height = box
    return np.array([x + width / 2, y + height / 2])


def _distance(track: _Track, box: Box, seconds: float) -> float:
    """Between middles, in sizes of the larger box."""
    size = max(*track.box[2:], *box[2:])
    return float(np.hypot(*(_middle(box) - track.expected(seconds)))) / size


def drawn(frame: np.ndarray, boxes: list[Box]) -> np.ndarray:
    """Return a copy of a frame (height, width, 3) with boxes around regions."""
    picture, line = frame.copy(), max(1, round(max(frame.shape) / 400))
    for x, y, width, height in boxes:
        inside = picture[y : y + height, x : x + width]
        for edge in (inside[:line], inside[-line:], inside[:, :line], inside[:, -line:]):
            edge[...] = COLOUR
    return picture
