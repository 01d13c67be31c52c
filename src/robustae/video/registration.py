"""How a shaking camera has moved: shift, turn and zoom of a frame against a reference, by its inlying pixels.

Gauss-Newton on the logarithms of grey levels, from coarse to fine (Lucas and Kanade 1981; Baker and
Matthews 2004): the residual of the aligned frame is explained by the reference's gradients, which are so
many more components of the scene, and N takes the pixels beyond a threshold that narrows, as everywhere here.

A move is four numbers: right and down in pixels of the frame, radians, log of the zoom, about the middle.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustae.video.pixels import blurred, warped

__all__ = ["Reference", "correlation", "inverse", "signature"]

LONGEST = 320  # cells of the finer level's longest side
BLUR = 1.5  # cells
SCALE, DARK, AROUND = 100.0, 16.0, 8.0  # logs of grey levels less those around (cells): no lamp is a shift
ROUNDS = ((40.0, 30.0, 20.0, 16.0, 12.0), (20.0, 16.0, 12.0, 12.0))  # coarse, fine
CUT = 12.0
LEAST_INLYING = 0.3  # of the pixels, else there is no telling
RIDGE = 1e-6  # of a slope's own square
NONE = np.zeros(4)
CELLS = 32  # of a frame's longest side, that tell whether two show the same


@dataclass(frozen=True)
class _Level:
    """A grey picture, each pixel of it `pool` of the frame's."""

    grey: np.ndarray
    pool: int

    @cached_property
    def slopes(self) -> np.ndarray:
        """What one pixel right, one down, one radian and a zoom of e would change, (pixels, 4)."""
        down, right = np.gradient(self.grey)
        height, width = self.grey.shape
        x, y = np.arange(width) - (width - 1) / 2, (np.arange(height) - (height - 1) / 2)[:, None]
        slopes = np.stack([right, down, x * down - y * right, x * right + y * down], axis=-1)
        return slopes.reshape(-1, 4).astype(np.float32)

    def residual(self, grey: np.ndarray, move: np.ndarray) -> np.ndarray:
        """Another picture aligned, minus this one, flat."""
        return (warped(grey, _matrix(move, self.grey.shape, self.pool)) - self.grey).ravel()

    def better(self, grey: np.ndarray, move: np.ndarray, cut: float) -> np.ndarray:
        """One step of Gauss-Newton by the pixels whose residual is below `cut`."""
        left = self.residual(grey, move)
        inlying = np.abs(left) < cut
        slopes = self.slopes[inlying]
        normal = (slopes.T @ slopes).astype(np.float64)
        size = np.sqrt(np.diag(normal)) + 1e-9
        normal = normal / np.outer(size, size) + RIDGE * np.eye(4)
        step = np.linalg.solve(normal, slopes.T @ left[inlying] / size) / size
        return move - step * [self.pool, self.pool, 1, 1]


class Reference:
    """What frames are aligned with.

    Parameters
    ----------
    picture : array, shape (height, width, c)
        Grey levels from 0 to 255.
    """

    def __init__(self, picture: np.ndarray):
        self.shape = picture.shape[:2]
        self.levels = _pyramid(picture)

    def move_of(self, frame: np.ndarray) -> np.ndarray:
        """Return the move of a frame of the same size, shape (4,); none where too few pixels agree."""
        move = NONE
        others = _pyramid(frame)
        for level, other, cuts in zip(self.levels, others, ROUNDS, strict=True):
            for cut in cuts:
                move = level.better(other.grey, move, cut)
        inlying = np.abs(self.levels[-1].residual(others[-1].grey, move)) < CUT
        return move if inlying.mean() > LEAST_INLYING else NONE

    def left(self, frame: np.ndarray, move: np.ndarray) -> float:
        """Return the share of the residuals' cost, none beyond `CUT`, that aligning leaves."""
        level, grey = self.levels[-1], _pyramid(frame)[-1].grey
        after, before = (np.minimum(np.abs(level.residual(grey, way)), CUT).mean() for way in (move, NONE))
        return float(after / max(before, 1e-9))

    def matrix(self, move: np.ndarray) -> np.ndarray:
        """Return the matrix (2, 3) from places (x, y, 1) in the reference to those in the frame."""
        return _matrix(move, self.shape)

    def aligned(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame where it would lie had the camera stood still."""
        return warped(frame, self.matrix(self.move_of(frame)))


def _pyramid(picture: np.ndarray) -> list[_Level]:
    """Coarse, then fine."""
    pool = max(1, -(-max(picture.shape[:2]) // LONGEST))
    grey = SCALE * np.log(_pooled(picture.mean(-1, dtype=np.float32), pool) + DARK)
    grey -= blurred(grey, AROUND)
    return [_Level(blurred(_pooled(grey, 2), BLUR), 2 * pool), _Level(blurred(grey, BLUR), pool)]


def _pooled(grey: np.ndarray, pool: int) -> np.ndarray:
    rows, columns = (max(1, side // pool) for side in grey.shape)
    whole = grey[: rows * pool, : columns * pool]
    return np.ascontiguousarray(
        whole.reshape(rows, whole.shape[0] // rows, columns, whole.shape[1] // columns).mean((1, 3))
    )


def _matrix(move: np.ndarray, shape: tuple[int, ...], pool: int = 1) -> np.ndarray:
    """In a picture of this shape, `pool` times smaller than the frame."""
    right, down, angle, zoom = move
    middle = (np.array([shape[1], shape[0]]) - 1) / 2
    cos, sin = np.exp(zoom) * np.cos(angle), np.exp(zoom) * np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    offset = middle - turn @ middle + np.array([right, down]) / pool
    return np.hstack([turn, offset[:, None]])


def signature(frame: np.ndarray) -> np.ndarray:
    """Logarithms of a few grey levels about their mean, of length 1: light only scales what is seen."""
    step = max(1, max(frame.shape[:2]) // CELLS)
    logs = np.log(frame[step // 2 :: step, step // 2 :: step].mean(-1, dtype=np.float32) + DARK).ravel()
    logs -= logs.mean() if logs.size else 0
    return logs / max(float(np.linalg.norm(logs)), 1e-9)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """How much two frames show the same, by their signatures: 1 at most."""
    return float(first @ second)


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix (2, 3) of the way back."""
    back = np.linalg.inv(matrix[:, :2])
    return np.hstack([back, -back @ matrix[:, 2:]])
