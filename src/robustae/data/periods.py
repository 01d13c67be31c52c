"""Months, quarters and weeks as people write them: Jan-24, März 2023, 2024-03, 03/2023, Q1 2024, 2024-W05."""

import datetime as dt
import re
from functools import lru_cache

from robustae.data.cells import plain_minus
from robustae.data.dates import SINCE, century_of, month_of

__all__ = ["PERIOD", "are_periods", "has_short_year", "period_in", "spelled_period"]

PERIOD = "month, quarter or week"  # the order of such dates
_YEAR = r"(?P<y>(?:19|20)\d\d)"
_SHORT = r"'?(?P<y>(?:19|20)\d\d|\d\d)"
_MONTH = r"(?P<m>0?[1-9]|1[0-2])"
_TWO = r"(?P<m>0[1-9]|1[0-2])"
_NAME = r"(?P<name>[^\W\d_]{3,12})\.?"
_QUARTER = r"(?:Q|Qtr\.?\s?|T|Trim\.?\s?)(?P<q>[1-4])"
_WEEK = r"(?:W|KW\s?|CW\s?)(?P<w>[0-4]\d|5[0-3]|[1-9])"
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_NAME}(?:\s?[-/,]\s?|\s(?:de\s)?|(?=')){_SHORT}",
        rf"{_YEAR}[-/ ]{_NAME}",
        rf"{_YEAR}[-/]{_MONTH}",
        rf"{_MONTH}[-/]{_YEAR}",
        rf"{_TWO}\.{_YEAR}",
        rf"{_YEAR}\.?{_TWO}",
        rf"{_YEAR}[-/ ]?{_QUARTER}",
        rf"{_QUARTER}[-/ ]?{_SHORT}",
        rf"(?P<q>[1-4])(?:Q|\.\s?Quartal\s){_SHORT}",
        rf"{_YEAR}[-/ ]?{_WEEK}(?:-(?P<d>[1-7]))?",
        rf"{_WEEK}[-/ ]{_YEAR}",
    )
]
_PLAIN = re.compile(r"(?:0[1-9]|1[0-2])\.(?:19|20)\d\d|(?:19|20)\d\d\.?(?:0[1-9]|1[0-2])")


def are_periods(cells: list[str]) -> bool:
    """Whether all cells are digits that may be months, as 202403 and 03.2024, or empty."""
    return all(not cell.strip() or _PLAIN.fullmatch(cell.strip()) for cell in cells)


def _found(cell: str) -> re.Match[str] | None:
    text = plain_minus(cell).strip()
    return next((found for form in _FORMS if (found := form.fullmatch(text))), None)


@lru_cache(maxsize=200_000)
def period_in(cell: str, since: int = SINCE) -> dt.datetime | None:
    """Read a month, quarter or week as its first day; None where it is none."""
    found = _found(cell)
    if found is None:
        return None
    part = found.groupdict()
    year = century_of(part["y"], since)
    if part.get("w"):
        try:
            return dt.datetime.fromisocalendar(
                year, int(part["w"]), int(part["d"] or 1) if "d" in part else 1
            )
        except ValueError:
            return None
    month = (
        int(part["m"])
        if part.get("m")
        else 3 * int(part["q"]) - 2
        if part.get("q")
        else month_of(part["name"])
    )
    return dt.datetime(year, month, 1) if month else None


def has_short_year(cell: str) -> bool:
    """Whether a month has two digits for its year: Jan-24 may be a day to others."""
    found = _found(cell)
    return found is not None and len(found["y"]) == 2


def spelled_period(moment: dt.datetime, like: str) -> str:
    """Write a month, quarter or week as a cell of its column is written; as 2024-03 where that has a name."""
    found = _found(like)
    if found is None or found.groupdict().get("name"):
        return f"{moment:%Y-%m}"
    year, week, day = moment.isocalendar()
    weekly = "w" in found.groupdict()
    parts = {
        "m": moment.month,
        "q": (moment.month + 2) // 3,
        "w": week,
        "d": day,
        "y": year if weekly else moment.year,
    }
    text = found.string
    for part in sorted(
        (name for name, value in found.groupdict().items() if value), key=found.start, reverse=True
    ):
        width = found.end(part) - found.start(part)
        text = (
            text[: found.start(part)] + f"{parts[part]:0{width}d}"[-max(width, 2) :] + text[found.end(part) :]
        )
    return text
