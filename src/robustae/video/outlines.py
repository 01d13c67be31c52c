"""Who stands still for long is told by an outline: the bare background has none there.

Where a tile has a second state nearly as good as the one chosen, the two pictures that the states make
are compared. A region in which they differ is exchanged for the other if the picture along its outline
becomes smoother by that, or does not become rougher and the other state was there before and after.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.video.agreement import Seams, agreed
from robustae.video.grid import Grid
from robustae.video.states import States

__all__ = ["bare"]

ROUNDS = 4
SAME = 2.5e-3  # mean squared difference below which two states show the same surface
RELUCTANCE = 2.0  # cost of keeping the state chosen, while another is looked for
LEAST_SHARE = 0.04  # of the frames, for another state
DIFFERENT = 0.05  # root mean squared difference of a cell: the pictures differ there
SMALLEST, LARGEST = 12, 0.35  # cells, and share of the picture: beyond that an outline tells nothing
SMOOTHER, NOT_ROUGHER = 0.82, 1.1  # gradients along the outline, other to chosen
BEFORE_AND_AFTER = 0.02  # share of the frames on either side
LOOSER = 2.0  # the other state may be spread so much wider: foliage makes loose ones
NEVER = 50.0


@dataclass(frozen=True)
class Exchange:
    """The state chosen in each tile, and the other one; both shape (tiles,)."""

    states: States
    grid: Grid
    chosen: np.ndarray
    other: np.ndarray

    def picture(self, labels: np.ndarray) -> np.ndarray:
        """Put together what the labels stand for, (rows, columns, c) of cells."""
        return self.grid.put_together(self.states.centre[np.arange(len(labels)), labels])


def bare(states: States, grid: Grid, own: np.ndarray, seams: Seams, floor: float) -> np.ndarray:
    """Return the state of each tile, shape (tiles,), who stands still for long taken out.

    Parameters
    ----------
    own : array, shape (tiles, states)
        What each state costs by itself.
    floor : float
        Squared spread that counts as none.
    """
    chosen = agreed(own, seams)
    for _ in range(ROUNDS):
        other = _other(states, own, seams, chosen)
        exchanged = _exchanged(Exchange(states, grid, chosen, other), floor)
        if np.array_equal(exchanged, chosen):
            break
        chosen = exchanged
    return chosen


def _other(states: States, own: np.ndarray, seams: Seams, chosen: np.ndarray) -> np.ndarray:
    tiles = np.arange(len(chosen))
    difference = ((states.centre - states.centre[tiles, chosen][:, None]) ** 2).mean(2)
    same = difference < SAME
    rare = states.count < LEAST_SHARE * states.members.shape[2]
    visitor = _around(states.members[tiles, chosen][:, None], states.members) >= BEFORE_AND_AFTER
    costs = own + RELUCTANCE * same + NEVER * ((rare | visitor) & ~same)
    return agreed(costs, seams)


def _exchanged(pair: Exchange, floor: float) -> np.ndarray:
    from scipy.ndimage import label

    pictures = pair.picture(pair.chosen), pair.picture(pair.other)
    differs = np.sqrt(((pictures[0] - pictures[1]) ** 2).mean(2)) > DIFFERENT
    found: Any = label(differs)
    regions, count = found
    gradients = [_gradient(picture) for picture in pictures]
    result = pair.chosen.copy()
    for number in range(1, count + 1):
        region = regions == number
        if not SMALLEST <= region.sum() <= LARGEST * region.size:
            continue
        tiles = _tiles_of(pair, region, differs)
        if len(tiles) and _better(pair, tiles, _along_outline(gradients, region), floor):
            result[tiles] = pair.other[tiles]
    return result


def _gradient(picture: np.ndarray) -> np.ndarray:
    right, down = np.zeros(picture.shape[:2]), np.zeros(picture.shape[:2])
    right[:, 1:-1] = np.linalg.norm(picture[:, 2:] - picture[:, :-2], axis=2)
    down[1:-1] = np.linalg.norm(picture[2:] - picture[:-2], axis=2)
    return np.hypot(right, down)


def _along_outline(gradients: list[np.ndarray], region: np.ndarray) -> float:
    """How much rougher the other picture is there."""
    from scipy.ndimage import binary_dilation, binary_erosion

    band = np.logical_xor(binary_dilation(region), binary_erosion(region))
    chosen, other = (gradient[band].mean() for gradient in gradients)
    return float(other / max(chosen, 1e-12))


def _tiles_of(pair: Exchange, region: np.ndarray, differs: np.ndarray) -> np.ndarray:
    """Tiles whose difference lies in this region more than in others."""
    inside, outside = (_by_tile(pair.grid, part) for part in (region, differs & ~region))
    return np.flatnonzero((pair.chosen != pair.other) & (inside > 0) & (inside >= outside))


def _by_tile(grid: Grid, cells: np.ndarray) -> np.ndarray:
    return grid.tiles(cells[None, :, :, None].astype(np.float32)).sum((1, 2))


def _better(pair: Exchange, tiles: np.ndarray, roughness: float, floor: float) -> bool:
    chosen, other = (pair.states.spread[tiles, labels[tiles]] for labels in (pair.chosen, pair.other))
    if np.median((other + floor) / (chosen + floor)) > LOOSER:
        return False
    members = pair.states.members
    around = _around(members[tiles, pair.other[tiles]], members[tiles, pair.chosen[tiles]])
    return roughness < (NOT_ROUGHER if np.median(around) >= BEFORE_AND_AFTER else SMOOTHER)


def _around(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The smaller share of frames (..., n) that a state has before another comes and after that goes."""
    outer, inner = outer.cumsum(-1), inner.cumsum(-1)
    total = inner[..., -1:]
    comes = (inner >= np.maximum(0.05 * total, 1)).argmax(-1)[..., None]
    goes = (inner >= np.maximum(0.95 * total, 1)).argmax(-1)[..., None]
    outer = np.broadcast_to(outer, inner.shape)
    before, so_far = (np.take_along_axis(outer, at, -1)[..., 0] for at in (comes, goes))
    return np.minimum(before, outer[..., -1] - so_far) / inner.shape[-1]
