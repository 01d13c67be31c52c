"""Facts drawn as SVG charts; colours come from the page's style sheet."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

__all__ = ["activity", "histogram", "number", "training"]

Facts = dict[str, Any]
Mark = tuple[float, str]  # where a tick sits, what it says

COUNTS = (1, 10, 50, 200, 1000, 5000, 20_000, 100_000, 1_000_000)  # rows told on the axis of a histogram
WIDTH, HEIGHT = 480, 230
LEFT, RIGHT, TOP, BOTTOM = 52, WIDTH - 14, 24, HEIGHT - 40


def number(value: Any, digits: int = 3) -> str:
    """Return a number as a person would write it, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, str | bool):
        return escape(str(value))
    if value < 0:
        return f"−{number(-value, digits)}"
    if value < 1e7 and (value == int(value) or value >= 1000):
        return f"{round(value):,}".replace(",", "\u202f")
    if 1e-3 <= value < 1e7:
        return f"{value:.{max(0, digits - 1 - math.floor(math.log10(value)))}f}"
    return _power(f"{value:.{digits - 1}e}")


class Axis:
    """Positions of values between two ends, on a linear or logarithmic scale."""

    def __init__(self, low: float, high: float, ends: tuple[float, float], log: bool = False):
        self.low, self.high, self.ends, self.log = low, high if high > low else low + 1.0, ends, log

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        start, end = self.ends
        return start + (end - start) * (value - low) / (high - low)

    def marks(self, about: int = 5) -> list[Mark]:
        """Round values along the axis."""
        values = _log_ticks(self.low, self.high) if self.log else _ticks(self.low, self.high, about)
        texts = [_short(value) for value in values]
        if len({*texts}) < len(texts):  # a narrow range far from 0
            texts = [_power(f"{value:.6g}") for value in values]
        return [(self(value), text) for value, text in zip(values, texts, strict=True)]


def _ticks(low: float, high: float, about: int) -> list[float]:
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= raw * 0.999)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = math.log10(high / low)
    digits = (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
    every = max(1, round(decades / 6))
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1, every)
    return [v for v in (digit * 10.0**power for power in powers for digit in digits) if low <= v <= high]


def _short(value: float) -> str:
    if value and not 1e-3 <= abs(value) < 1e5:
        return _power(f"{value:.3g}")
    return f"{value:.3g}" if abs(value) < 1e3 else f"{value:.0f}"


def _power(text: str) -> str:
    """Write 2.5e+06 as 2.5e6."""
    return text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def _frame(x_marks: Sequence[Mark], y_marks: Sequence[Mark], x_name: str, y_name: str) -> str:
    below = (f'<text x="{at:.1f}" y="{BOTTOM + 17}" class="mid">{text}</text>' for at, text in x_marks)
    beside = (
        f'<line x1="{LEFT}" x2="{RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>'
        f'<text x="{LEFT - 7}" y="{at + 4:.1f}" class="end">{text}</text>'
        for at, text in y_marks
    )
    names = (
        f'<text x="{RIGHT}" y="{HEIGHT - 5}" class="end name">{escape(x_name)}</text>'
        f'<text x="{LEFT}" y="{TOP - 10}" class="name">{escape(y_name)}</text>'
    )
    return "".join(below) + "".join(beside) + names


def _svg(body: str, title: str) -> str:
    name = escape(title)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{body}</svg>'


def histogram(scores: Facts) -> str:
    """Anomaly scores with the threshold; rows beyond it in the colour of outliers.

    Counts go by their square root, so that a few anomalies stay visible beside many normal rows.
    """
    edges, pairs = scores["edges"], list(zip(scores["normal"], scores["anomalous"], strict=True))
    x = Axis(edges[0], edges[-1], (LEFT, RIGHT), scores["log"])
    y = Axis(0, math.sqrt(max(a + b for a, b in pairs)), (BOTTOM, TOP))
    counts = [count for count in COUNTS if math.sqrt(count) <= y.high][-4:]
    y_marks = [(y(math.sqrt(count)), _short(count)) for count in counts]
    frame = _frame(x.marks(), y_marks, "anomaly score", "rows (square-root scale)")
    bars = []
    for low, high, (normal, anomalous) in zip(edges, edges[1:], pairs, strict=False):
        for base, count, style in ((0, normal, "normal"), (normal, anomalous, "outlier")):
            said = f"{count} rows, score {low:.3g} to {high:.3g}"
            bars.append(_bar(x(low), x(high), y(math.sqrt(base + count)), y(math.sqrt(base)), style, said))
    body = f'{frame}<g class="bars">{"".join(bars)}</g>{_threshold(x, scores["threshold"])}'
    return _svg(body, "Histogram of the anomaly scores")


def _bar(left: float, right: float, top: float, bottom: float, style: str, said: str) -> str:
    if bottom == top:
        return ""
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left - 1, 0.5):.1f}" '
        f'height="{bottom - top:.1f}" class="fill-{style}"><title>{said}</title></rect>'
    )


def _threshold(x: Axis, value: float) -> str:
    if not x.low <= value <= x.high:
        return ""
    at, said = x(value), f"threshold {number(value)}"
    return (
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 6}" y2="{BOTTOM}" class="threshold"/>'
        f'<text x="{max(at, LEFT + 310):.1f}" y="{TOP - 10}" class="end mark">{said}</text>'
    )


def training(history: Sequence[float]) -> str:
    """The objective J by iteration, logarithmic where it falls by more than a factor of ten."""
    low, high = min(history), max(history)
    log = low > 0 and high / low > 10
    margin = max(0.05 * (high - low), 0.005 * abs(high))  # a fall of less than a percent looks like one
    y = Axis(low * 0.9 if log else low - margin, high * 1.1 if log else high + margin, (BOTTOM, TOP), log)
    x = Axis(0, max(len(history) - 1, 1), (LEFT, RIGHT))
    points = " ".join(f"{x(k):.1f},{y(value):.1f}" for k, value in _thinned(history))
    few = history if len(history) < 25 else []
    dots = "".join(f'<circle cx="{x(k):.1f}" cy="{y(value):.1f}" r="3"/>' for k, value in enumerate(few))
    curve = f'<polyline points="{points}" class="curve"/><g class="fill-normal">{dots}</g>'
    return _svg(_frame(_whole(x), y.marks(4), "iteration", "objective J") + curve, "Objective by iteration")


def _whole(x: Axis) -> list[Mark]:
    return [(at, text) for at, text in x.marks() if "." not in text]


def _thinned(values: Sequence[float], at_most: int = 400) -> list[tuple[int, float]]:
    """Points of a curve, at most `at_most` of them, both ends kept."""
    step = max(1, len(values) // at_most)
    kept = sorted({*range(0, len(values), step), len(values) - 1})
    return [(k, values[k]) for k in kept]


def activity(shares: Sequence[float]) -> str:
    """Share of each frame in the mask, with a cursor that the page moves."""
    x = Axis(0, max(len(shares) - 1, 1), (LEFT, RIGHT))
    y = Axis(0, max(*shares, 1e-6) * 1.08, (BOTTOM, TOP))
    line = " ".join(f"{x(k):.1f},{y(value):.1f}" for k, value in _thinned(shares))
    percent = [(y(v), f"{100 * v:.3g} %") for v in _ticks(0, y.high, 4)]
    body = _frame(_whole(x), percent, "frame", "share of the pixels in the mask")
    area = f'<polygon points="{x(0):.1f},{BOTTOM} {line} {x(len(shares) - 1):.1f},{BOTTOM}" class="area"/>'
    cursor = f'<line x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{BOTTOM}" class="cursor"/>'
    return _svg(f'{body}{area}<polyline points="{line}" class="curve"/>{cursor}', "Activity by frame")
