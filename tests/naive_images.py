"""Slow, plain second implementation of the heat maps of images: one place of one picture at a time.

Nothing here imports the package.
"""

import math
from statistics import median

SMALL = 1e-3  # what is added to residuals, in typical ones
LEAST = 0.1  # deviation of a place's logarithms
REACH = 1.25  # smoothing of a heat map, in places


def deviation(values):
    """Median absolute deviation, of Gaussian values the standard deviation."""
    middle = median(values)
    return 1.482602218505602 * median(abs(value - middle) for value in values)


def smoothed(grid, by):
    """Gaussian means over neighbours up to four deviations off; the border's values go on outside."""
    if by == 0 or min(len(grid), len(grid[0])) < 6:
        return grid
    high, wide, reach = len(grid), len(grid[0]), int(4 * by + 0.5)
    steps = range(-reach, reach + 1)
    weight = {step: math.exp(-step * step / (2 * by * by)) for step in steps}
    total = sum(weight.values()) ** 2
    return [
        [
            sum(
                weight[a] * weight[b] * grid[min(max(y + a, 0), high - 1)][min(max(x + b, 0), wide - 1)]
                for a in steps
                for b in steps
            )
            / total
            for x in range(wide)
        ]
        for y in range(high)
    ]


def logarithms(residuals, small, shape, blur):
    """Logarithms of one picture's squared residuals, smoothed, one place after the other."""
    high, wide = shape
    logs = [[math.log(residuals[y * wide + x] + small) for x in range(wide)] for y in range(high)]
    return [value for row in smoothed(logs, blur) for value in row]


def heat_maps(fitted, new, shape, blur):
    """Heat maps of new pictures, from the squared residuals by place of those fitted and the new ones.

    Each place is judged by a centre halfway between its own and all places', and by the geometric mean of
    its own deviation and all places'; the unit is the deviation of all such values in the fit.
    """
    small = SMALL * median(value for picture in fitted for value in picture)
    before = [logarithms(picture, small, shape, blur) for picture in fitted]
    places = range(shape[0] * shape[1])
    centres = [median(picture[j] for picture in before) for j in places]
    spreads = [max(deviation([picture[j] for picture in before]), LEAST) for j in places]
    centre, spread = median(centres), median(spreads)

    def judged(picture):
        return [(picture[j] - (centres[j] + centre) / 2) / math.sqrt(spreads[j] * spread) for j in places]

    usual = [value for picture in before for value in judged(picture)]
    middle, unit = median(usual), deviation(usual)
    left = math.sqrt(REACH**2 - blur**2)
    maps = []
    for picture in new:
        values = [(value - middle) / unit for value in judged(logarithms(picture, small, shape, blur))]
        rows = [values[start : start + shape[1]] for start in range(0, len(values), shape[1])]
        maps.append(smoothed(rows, left))
    return maps


def whole(picture):
    """Mean over all cells of one picture, a list of channels."""
    return [sum(values) / len(picture) for values in zip(*picture, strict=True)]


def quarters(picture, shape):
    """Means over the four quarters of one picture's cells, each a list of channels, from row and column."""
    high, wide = shape
    tops = [range((high + 1) // 2), range((high + 1) // 2, high)]
    lefts = [range((wide + 1) // 2), range((wide + 1) // 2, wide)]
    found = []
    for rows in tops:
        for columns in lefts:
            cells = [picture[y * wide + x] for y in rows for x in columns]
            found += [sum(values) / len(cells) for values in zip(*cells, strict=True)]
    return found


def parts(picture, shape, across):
    return whole(picture) if across == 1 else quarters(picture, shape)


def score(one, other):
    """One picture's score from its two deviations."""
    return math.log((math.exp(one) + math.exp(other)) / 2)
