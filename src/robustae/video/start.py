"""Where a model of a scene begins: a picture of the bare background, from frames it may never be bare in.

The frames of every overlapping tile are sorted by looks (`states`); a state costs less the more frames it
has and the tighter they are; neighbours must agree where they overlap (`agreement`); who stands still for
long is taken out (`outlines`). The picture is then refined pixel by pixel: alternating the mean of the
inlying frames and a hard threshold on the residuals, which ends at a local minimum of
``sum over frames of min(r^2, cut^2)``, the one that the start lies in.
"""

from collections.abc import Callable

import numpy as np

from robustae.video.agreement import seams_of
from robustae.video.grid import STEP, Grid, grid_for, loudest_plane, mean_of, planes
from robustae.video.light import gains_of, goes_far
from robustae.video.outlines import NEVER, bare
from robustae.video.states import States, states_of

__all__ = ["bare_picture"]

Done = Callable[[float], None]

SORTING = 0.7  # of the work

FLOOR = 1e-4  # squared spread that counts as none, cells in [0, 1]
SINGLE = 5e-4  # squared spread of a state that one frame has: there is no telling
REACH, ENDS = 0.5, 0.1  # weight; share of a state's frames that are early, and late
LEAST_REACH, UNKNOWN_REACH = 0.1, 0.5  # of the clip
BY_PIXEL = 0.5  # cost of a state that no frame shows as a whole
CUTS = (20.0, 15.0, 12.0)  # grey levels
PRIOR = 0.02  # weight of the frames outside the state
WHITE = 250  # grey levels, from which a value may be any larger one where light goes far
ROWS = 2**19  # values at a time: they stay in the cache


def bare_picture(frames: np.ndarray, done: Done = lambda share: None) -> np.ndarray:
    """Return the background, float32 of shape (height, width, c), in grey levels.

    Parameters
    ----------
    frames : array of uint8, shape (n, height, width, c)
        Spread over the clip.
    done : callable, optional
        Called with the share of the work that is done.
    """
    grid = grid_for(*frames.shape[1:3])
    small = grid.small(frames)
    light = gains_of(255 * small)
    small /= light[:, None, None, None]
    if goes_far(light):  # else white is as it seems: a boat is not made alike in all frames
        np.minimum(small, 1 / light.max(), out=small)  # what is white in the brightest is it in all
    states = states_of(small, grid, lambda share: done(SORTING * share))
    chosen = bare(states, grid, _costs(states), seams_of(states.centre, grid.shape), FLOOR)
    tiles = np.arange(len(chosen))
    start = _unsaturated(grid.enlarged(grid.put_together(states.centre[tiles, chosen])), light)
    weights = grid.cover(_in_state(states, chosen, grid))
    return _refined(frames, light, start, weights, grid, lambda share: done(SORTING + (1 - SORTING) * share))


def _costs(states: States) -> np.ndarray:
    share = np.maximum(states.count, 1e-3) / states.members.shape[2]
    spread = np.maximum(states.spread - _usual_spread(states), 0) + FLOOR + SINGLE * (states.count == 1)
    costs = np.log(spread) - 0.5 * np.log(share) - REACH * np.log(_reach(states.members))
    costs[:, -1] += BY_PIXEL
    costs[states.count == 0] = NEVER
    return (costs - costs.min(1, keepdims=True)).astype(np.float32)


def _usual_spread(states: States) -> float:
    """What noise alone spreads frames by: of the fullest states, the tighter ones."""
    most = states.count[:, :-1].argmax(1)
    return float(np.quantile(states.spread[np.arange(len(most)), most], 0.25))


def _reach(members: np.ndarray) -> np.ndarray:
    """The share of the clip between a state's early frames and its late ones, shape (tiles, states).

    What is behind comes back when somebody has gone. A state that the clip begins or ends with may go on.
    """
    so_far = members.cumsum(2, dtype=np.float32)
    total = np.maximum(so_far[:, :, -1:], 1)
    between = (so_far > ENDS * total) & (so_far <= (1 - ENDS) * total)
    open_ended = members[:, :, 0] | members[:, :, -1]
    return np.maximum(between.mean(2), np.where(open_ended, UNKNOWN_REACH, LEAST_REACH))


def _in_state(states: States, chosen: np.ndarray, grid: Grid) -> np.ndarray:
    members = states.members[np.arange(len(chosen)), chosen]
    return members.T.reshape(-1, *grid.shape).astype(np.float32)


def _refined(
    frames: np.ndarray, light: np.ndarray, start: np.ndarray, weights: np.ndarray, grid: Grid, done: Done
) -> np.ndarray:
    """In bands of rows, so that large frames fit into memory."""
    side = grid.pool * STEP
    blocks = max(1, ROWS // (frames[:, :side].size or 1))
    picture = np.empty(frames.shape[1:], np.float32)
    for row in range(0, weights.shape[1], blocks):
        pixels = np.s_[row * side : (row + blocks) * side]
        if start[pixels].size:
            over = grid.full(weights[:, row : row + blocks])[:, : len(start[pixels])]
            picture[pixels] = _modes(frames[:, pixels], light, start[pixels], _usual(over))
            done(pixels.start / len(picture))
    return picture


def _unsaturated(start: np.ndarray, light: np.ndarray) -> np.ndarray:
    """What is white in the brightest frames is as bright as the darkest allow, where none shows more."""
    if not goes_far(light):
        return start
    return np.where(start < WHITE / light.max(), start, 255 / light.min())


def _usual(weights: np.ndarray) -> np.ndarray:
    """Weights of frames relative to the largest of each pixel; 0 below half of it."""
    most = weights.max(0)
    return np.where(weights >= 0.5 * most, weights, 0) / np.maximum(most, 1)


def _modes(frames: np.ndarray, light: np.ndarray, start: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if goes_far(light):
        weights = weights * (frames.max(-1) < WHITE)
    values = planes(frames) / light[:, None, None]
    picture = mean_of(values, weights, planes(start))
    for cut in CUTS:
        near = loudest_plane(values - picture[:, None]) < cut
        picture = mean_of(values, near * (weights + np.float32(PRIOR)), picture)
    return picture.transpose(1, 2, 0)
