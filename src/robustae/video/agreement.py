"""One state for every tile, so that overlapping tiles agree: min-sum message passing on a grid.

Minimises the sum of each tile's own cost and of what neighbours differ by where they overlap (capped: a
real edge may lie there). On a grid with loops that is approximate, and good.
"""

import numpy as np

from robustae.video.grid import STEP, TILE

__all__ = ["Seams", "agreed", "seams_of"]

DIFFERENCE = 1e-3  # mean squared, that costs as much as ...
MOST = 4.0  # ... one; and no difference costs more than that
ROUNDS, DAMPING = 40, 0.5

Seams = tuple[np.ndarray, np.ndarray]  # costs between left and right, and between upper and lower tiles


def seams_of(centre: np.ndarray, shape: tuple[int, int]) -> Seams:
    """Return the costs of all pairs of states of neighbours.

    Parameters
    ----------
    centre : array, shape (tiles, states, 16 c)
    shape : tuple of int
        Rows and columns of tiles.

    Returns
    -------
    tuple of arrays, shapes (states, states, rows, columns - 1) and (states, states, rows - 1, columns)
        The state of the left or upper tile is first.
    """
    tiles = centre.reshape(*shape, centre.shape[1], -1, TILE, TILE)
    across = _costs(tiles[:, :-1, ..., STEP:], tiles[:, 1:, ..., : TILE - STEP])
    down = _costs(tiles[:-1, ..., STEP:, :], tiles[1:, ..., : TILE - STEP, :])
    return across, down


def _costs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    cells = int(np.prod(first.shape[3:]))  # said, for there may be no pair: one row or column of tiles
    a, b = (side.reshape(*side.shape[:3], cells) for side in (first, second))
    squares = (a * a).mean(-1)[..., :, None] + (b * b).mean(-1)[..., None, :]
    difference = squares - 2 / cells * a @ b.swapaxes(-1, -2)
    costs = np.clip(difference / DIFFERENCE, 0, MOST).transpose(2, 3, 0, 1)
    return np.ascontiguousarray(costs, dtype=np.float32)


def agreed(own: np.ndarray, seams: Seams) -> np.ndarray:
    """Return the state of each tile, shape (tiles,), for its own costs (tiles, states)."""
    across, down = seams
    rows = across.shape[2]
    own = np.ascontiguousarray(own.T, dtype=np.float32).reshape(own.shape[1], rows, -1)
    from_left, from_right, from_above, from_below = (np.zeros_like(own) for _ in range(4))
    for _ in range(ROUNDS):
        belief = own + from_left + from_right + from_above + from_below
        told = (
            (from_left[:, :, 1:], ((belief - from_right)[:, None, :, :-1] + across).min(0)),
            (from_right[:, :, :-1], ((belief - from_left)[None, :, :, 1:] + across).min(1)),
            (from_above[:, 1:], ((belief - from_below)[:, None, :-1] + down).min(0)),
            (from_below[:, :-1], ((belief - from_above)[None, :, 1:] + down).min(1)),
        )
        for message, new in told:
            message *= DAMPING
            message += (1 - DAMPING) * (new - new.min(0))
    return (own + from_left + from_right + from_above + from_below).argmin(0).ravel()
