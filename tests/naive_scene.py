"""Slow second implementations of a scene, in loops straight from the docstrings; the package is not used."""

import itertools
import math

import numpy as np

TILE, STEP = 4, 2

# ---------------------------------------------------------------- tiles


def small(frame, pool, cells):
    """Means of pool x pool pixels in [0, 1], the border repeated as far as whole cells need it."""
    height, width, channels = frame.shape
    result = np.zeros((*cells, channels))
    for y, x in np.ndindex(*cells):
        for i, j in itertools.product(range(pool), repeat=2):
            pixel = frame[min(y * pool + i, height - 1), min(x * pool + j, width - 1)]
            result[y, x] += pixel.astype(float) / 255 / pool**2
    return result


def corners(cells):
    """Upper left cells of the tiles, row by row."""
    rows, columns = cells
    return [(y, x) for y in range(0, rows - TILE + 1, STEP) for x in range(0, columns - TILE + 1, STEP)]


def tile(picture, corner):
    """Its 16 cells, channel by channel."""
    y, x = corner
    return picture[y : y + TILE, x : x + TILE].transpose(2, 0, 1).ravel()


def put_together(tiles, cells, channels):
    """Each cell is the mean of all tiles that have it."""
    total, count = np.zeros((*cells, channels)), np.zeros((*cells, 1))
    for values, (y, x) in zip(tiles, corners(cells), strict=True):
        total[y : y + TILE, x : x + TILE] += values.reshape(channels, TILE, TILE).transpose(1, 2, 0)
        count[y : y + TILE, x : x + TILE] += 1
    return total / count


def cover(weights, cells):
    """Sums over the tiles that have the first cell of each step."""
    total = np.zeros((cells[0] // STEP, cells[1] // STEP))
    for weight, (y, x) in zip(np.ravel(weights), corners(cells), strict=True):
        for i, j in itertools.product(range(TILE // STEP), repeat=2):
            total[y // STEP + i, x // STEP + j] += weight
    return total


# ---------------------------------------------------------------- states of a tile


def distance(a, b):
    return sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True)) / len(a)


def sorted_by_looks(frames, alike, most):
    """The frame with most frames alike takes them all, then the next of the rest; lists of numbers."""
    near = [{m for m, other in enumerate(frames) if distance(frame, other) < alike} for frame in frames]
    free, found = set(range(len(frames))), []
    while free and len(found) < most:
        first = max(sorted(free), key=lambda k: len(near[k] & free))
        found.append(sorted(near[first] & free))
        free -= near[first]
    return found


# ---------------------------------------------------------------- agreement


def seam(first, second, across, channels, unit, most):
    """What two states cost beside each other: mean squared difference where they overlap."""
    a, b = (side.reshape(channels, TILE, TILE) for side in (first, second))
    if across:
        a, b = a[:, :, STEP:], b[:, :, : TILE - STEP]
    else:
        a, b = a[:, STEP:], b[:, : TILE - STEP]
    return min(most, ((a - b) ** 2).mean() / unit)


def labels_cost(labels, own, across, down):
    """Of one state for every tile, labels (rows, columns)."""
    rows, columns = labels.shape
    total = 0.0
    for r, c in np.ndindex(rows, columns):
        total += own[r * columns + c, labels[r, c]]
        if c + 1 < columns:
            total += across[labels[r, c], labels[r, c + 1], r, c]
        if r + 1 < rows:
            total += down[labels[r, c], labels[r + 1, c], r, c]
    return total


def least_labels_cost(shape, own, across, down):
    """By trying all."""
    states, tiles = own.shape[1], math.prod(shape)
    tried = (np.reshape(labels, shape) for labels in itertools.product(range(states), repeat=tiles))
    return min(labels_cost(labels, own, across, down) for labels in tried)


# ---------------------------------------------------------------- light


def gain(frame, picture, offset, steady, agree):
    """The mode of log ratios in three bins of .01, then means of what is nearer and nearer to it."""
    ratios = [
        math.log((f + offset) / (p + offset))
        for f, p in zip(frame.mean(-1).ravel(), picture.mean(-1).ravel(), strict=True)
        if 25 < p < 245
    ]
    best = max(range(1, 77), key=lambda k: _fullness(ratios, k) * (1 - steady * abs(0.01 * k - 0.385)))
    centre = 0.01 * best - 0.385
    for window in (0.06, 0.04, 0.03):
        near = [ratio for ratio in ratios if abs(ratio - centre) < window]
        centre = sum(near) / max(1, len(near))
    share = sum(abs(ratio - centre) < 0.03 for ratio in ratios) / len(ratios)
    return math.exp(centre) if share >= agree else 1.0


def _fullness(ratios, k):
    return sum(k <= math.floor((ratio + 0.4) / 0.01) < k + 3 for ratio in ratios)


# ---------------------------------------------------------------- alternation


def objective(residuals, cut):
    """J: the sum of min(s^2, cut^2), one residual s at a time."""
    return sum(min(float(s) ** 2, cut**2) for s in np.ravel(residuals))


def alternation(values, start, cut, steps):
    """Pictures of a pixel (values: frames x channels), by the mean of its inlying frames, again and again."""
    picture, history = np.asarray(start, float), []
    for _ in range(steps):
        inlying = [value for value in values if np.abs(value - picture).max() < cut]
        picture = np.mean(inlying, axis=0) if inlying else picture
        history.append(picture)
    return history


def least_squares(target, regressors, weights, ridge):
    """Of one row, weighted, as an ordinary problem: ridge as further rows that want 0."""
    roots = np.sqrt(weights)
    matrix = np.vstack([roots[:, None] * regressors, math.sqrt(ridge) * np.eye(regressors.shape[1])])
    wanted = np.concatenate([roots * target, np.zeros(regressors.shape[1])])
    return np.linalg.lstsq(matrix, wanted, rcond=None)[0]


# ---------------------------------------------------------------- maps


def gaussian(image, deviation, reach):
    """Smoothed by the weights exp(-d^2 / (2 deviation^2)) up to `reach`, the border repeated."""
    height, width = image.shape
    weights = {d: math.exp(-0.5 * (d / deviation) ** 2) for d in range(-reach, reach + 1)}
    total = sum(weights.values()) ** 2
    result = np.zeros(image.shape)
    for y, x in np.ndindex(height, width):
        for i, j in itertools.product(weights, repeat=2):
            pixel = image[min(max(y + i, 0), height - 1), min(max(x + j, 0), width - 1)]
            result[y, x] += weights[i] * weights[j] * pixel / total
    return result


def in_shadow(pixel, background, offset=8.0):
    """Darker by the same factor in all channels."""
    ratios = [(float(p) + offset) / (float(b) + offset) for p, b in zip(pixel, background, strict=True)]
    return max(ratios) < 1 and min(ratios) > 0.35 and max(ratios) - min(ratios) < 0.11 * max(ratios)


def scores(frame, background, noise, deviation, reach, shadows):
    """The root of the largest residual over channels, smoothed, squared again, in noise deviations."""
    roots = np.zeros(frame.shape[:2])
    for y, x in np.ndindex(*roots.shape):
        size = max(abs(float(p) - float(b)) for p, b in zip(frame[y, x], background[y, x], strict=True))
        if shadows and size > 2 * noise and in_shadow(frame[y, x], background[y, x]):
            size *= 0.36
        roots[y, x] = math.sqrt(size)
    return gaussian(roots, deviation, reach) ** 2 / noise


def blobs(mask):
    """Regions of a mask, whose pixels touch at sides or corners, as sets of (row, column)."""
    free, found = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while free:
        region, edge = set(), [min(free)]
        while edge:
            y, x = edge.pop()
            if (y, x) in free:
                free.remove((y, x))
                region.add((y, x))
                edge += [(y + i, x + j) for i, j in itertools.product((-1, 0, 1), repeat=2)]
        found.append(region)
    return found


def box(region):
    """x, y, width and height."""
    rows, columns = zip(*region, strict=True)
    return min(columns), min(rows), max(columns) - min(columns) + 1, max(rows) - min(rows) + 1
