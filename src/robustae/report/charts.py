"""Where the parts of a chart lie, in the units of its SVG, which charts.html draws."""

import math
import re
from collections.abc import Sequence
from typing import Any

__all__ = ["activity", "cell", "expected", "histogram", "number", "percent", "training"]

Facts = dict[str, Any]
Mark = tuple[float, str]  # where a tick is, its text

COUNTS = (1, 10, 50, 200, 1000, 5000, 20_000, 100_000, 1_000_000)  # rows marked on the axis of a histogram
LONGEST = 48  # letters of a cell
MANY_DIGITS = re.compile(r"-?\d+\.\d{7,}")  # more than anybody reads; the row and its line tell the rest
WIDTH, HEIGHT = 480, 230
LEFT, RIGHT, TOP, BOTTOM = 52, WIDTH - 14, 24, HEIGHT - 40


def number(value: Any, digits: int = 3) -> str:
    """Return a number as a person would write it, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, str | bool):
        return str(value)
    if value < 0:
        return f"−{number(-value, digits)}"
    if value < 1e7 and (value == int(value) or value >= 1000):
        return f"{round(value):,}".replace(",", "\u202f")
    if 1e-3 <= value < 1e7:
        return f"{value:.{max(0, digits - 1 - math.floor(math.log10(value)))}f}"
    return _power(f"{value:.{digits - 1}e}")


def percent(share: float) -> str:
    """Return a share in at most three digits."""
    return f"{100 * share:.2g}\u00a0%" if share < 0.1 else f"{100 * share:.0f}\u00a0%"


def cell(value: Any) -> str:
    """Return a cell as written, cut where it is long; a dash for nothing."""
    if isinstance(value, str) and MANY_DIGITS.fullmatch(value):
        value = float(value)
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[: LONGEST - 1]}…"
    if isinstance(value, str | bool | None) or not (value == int(value) or 1e-4 <= abs(value) < 1e7):
        return number(value, 5)
    return f"{value:.7g}" if abs(value) < 1e7 else f"{value:.0f}" if abs(value) < 1e15 else number(value, 5)


def expected(value: Any) -> str:
    """Return what a cell was expected to be, in four digits."""
    if not isinstance(value, float):
        return cell(value)
    text = number(value, 4)
    return text if "e" in text or "." not in text else text.rstrip("0").rstrip(".")


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


def _chart(title: str, x_marks: Sequence[Mark], y_marks: Sequence[Mark], x_name: str, y_name: str) -> Facts:
    return {
        "title": title,
        "size": (WIDTH, HEIGHT),
        "frame": (LEFT, RIGHT, TOP, BOTTOM),
        "x_marks": [(round(at, 1), text) for at, text in x_marks],
        "y_marks": [(round(at, 1), text) for at, text in y_marks],
        "x_name": x_name,
        "y_name": y_name,
    }


def histogram(scores: Facts) -> Facts:
    """Anomaly scores with the threshold; rows beyond it in the colour of outliers.

    Counts go by their square root, so that a few anomalies stay visible beside many normal rows.
    """
    edges, pairs = scores["edges"], list(zip(scores["normal"], scores["anomalous"], strict=True))
    x = Axis(edges[0], edges[-1], (LEFT, RIGHT), scores["log"])
    y = Axis(0, math.sqrt(max(a + b for a, b in pairs)), (BOTTOM, TOP))
    counts = [count for count in COUNTS if math.sqrt(count) <= y.high][-4:]
    y_marks = [(y(math.sqrt(count)), _short(count)) for count in counts]
    bars = [
        _bar((x(low), x(high)), (y(math.sqrt(base + count)), y(math.sqrt(base))), style)
        | {"title": f"{count} rows, score {low:.3g} to {high:.3g}"}
        for low, high, (normal, anomalous) in zip(edges, edges[1:], pairs, strict=False)
        for base, count, style in ((0, normal, "normal"), (normal, anomalous, "outlier"))
        if count
    ]
    chart = _chart(
        "Histogram of the anomaly scores", x.marks(), y_marks, "anomaly score", "rows (square-root scale)"
    )
    return chart | {"bars": bars, "threshold": _threshold(x, scores["threshold"])}


def _bar(across: tuple[float, float], down: tuple[float, float], style: str) -> Facts:
    (left, right), (top, bottom) = across, down
    width, height = max(right - left - 1, 0.5), bottom - top
    sides = {"x": left, "y": top, "width": width, "height": height}
    return {"style": style} | {name: round(value, 1) for name, value in sides.items()}


def _threshold(x: Axis, value: float) -> Facts | None:
    return {"at": round(x(value), 1), "value": value} if x.low <= value <= x.high else None


def training(history: Sequence[float]) -> Facts:
    """The objective J by iteration, logarithmic where it falls by more than a factor of ten."""
    low, high = min(history), max(history)
    log = low > 0 and high / low > 10
    margin = max(0.05 * (high - low), 0.005 * abs(high))  # a fall of less than a percent is drawn as one
    y = Axis(low * 0.9 if log else low - margin, high * 1.1 if log else high + margin, (BOTTOM, TOP), log)
    x = Axis(0, max(len(history) - 1, 1), (LEFT, RIGHT))
    few = history if len(history) < 25 else []
    chart = _chart("Objective by iteration", _whole(x), y.marks(4), "iteration", "objective J")
    return chart | {
        "line": _line(history, x, y),
        "dots": [(round(x(k), 1), round(y(value), 1)) for k, value in enumerate(few)],
    }


def _line(values: Sequence[float], x: Axis, y: Axis) -> str:
    """Points of a curve as SVG writes them."""
    return " ".join(f"{x(k):.1f},{y(value):.1f}" for k, value in _thinned(values))


def _whole(x: Axis) -> list[Mark]:
    return [(at, text) for at, text in x.marks() if "." not in text]


def _thinned(values: Sequence[float], at_most: int = 400) -> list[tuple[int, float]]:
    """Points of a curve, at most `at_most` of them, both ends kept."""
    step = max(1, len(values) // at_most)
    kept = sorted({*range(0, len(values), step), len(values) - 1})
    return [(k, values[k]) for k in kept]


def activity(shares: Sequence[float]) -> Facts:
    """Share of each frame in the mask, with a cursor that the page moves."""
    x = Axis(0, max(len(shares) - 1, 1), (LEFT, RIGHT))
    y = Axis(0, max(*shares, 1e-6) * 1.08, (BOTTOM, TOP))
    percent = [(y(v), f"{100 * v:.3g} %") for v in _ticks(0, y.high, 4)]
    chart = _chart("Activity by frame", _whole(x), percent, "frame", "share of the pixels in the mask")
    return chart | {"line": _line(shares, x, y), "filled": round(x(len(shares) - 1), 1)}
