"""Dates and times as people write them: 31.12.2024, 12/31/2024, 2024-12-31 08:00, 3 Jan 2024, 12:30."""

import datetime as dt
import re
from functools import lru_cache

from robustae.data.cells import plain_minus

__all__ = ["ORDERS", "date_in", "hours_in", "is_date", "spelled_date", "spelled_hours"]

ORDERS = ("dmy", "mdy", "ymd")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_OTHERS = {
    "mär": 3,
    "mai": 5,
    "okt": 10,
    "dez": 12,
    "fév": 2,
    "avr": 4,
    "aoû": 8,
    "déc": 12,
    "ene": 1,
    "abr": 4,
}
_NAMES = {name: number for number, name in enumerate(_MONTHS.split(), 1)} | _OTHERS
_CLOCK = (
    r"(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?:Uhr|(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
)
_DAY = r"(?:[^\W\d_]{2,10}\.?,?\s+)?"  # of the week
_NUMBERS = r"(?P<a>\d{1,4})(?P<sep>\s?[./-]\s?)(?P<b>\d{1,2})(?P=sep)(?P<c>\d{1,4})\.?"
_NAMED = (
    r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?[ -]{0,2}(?P<name>[^\W\d_]{3,10})\.?,?[ -](?P<year>\d{2}(?:\d{2})?)"
)
_NAME_FIRST = r"(?P<name2>[^\W\d_]{3,10})\.?\s+(?P<day2>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year2>\d{4})"
_DATE = re.compile(rf"{_DAY}(?:{_NUMBERS}|{_NAMED}|{_NAME_FIRST})(?:[T, ]\s*{_CLOCK})?", re.IGNORECASE)
_HOURS = re.compile(
    r"(?P<sign>-)?(?:(?P<days>\d+)\s+days?,?\s+(?:\+)?)?(?P<h>\d{1,4}):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?(?:\s*Uhr)?"
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")
SOON = 69  # two digits up to this one are years from 2000 on, as in POSIX


@lru_cache(maxsize=200_000)
def date_in(cell: str, order: str) -> dt.datetime | None:
    """Read a cell of a column whose dates have their parts in this order; None where it is no date.

    ISO 8601 and names of months are read in any order; a zone is converted to UTC.
    """
    text = plain_minus(cell).strip()
    if _ISO.fullmatch(text):
        return _iso(text)
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day = _day(found, order)
    return None if day is None else _at(day, found)


def _iso(text: str) -> dt.datetime | None:
    try:
        return _in_utc(dt.datetime.fromisoformat(text.replace(" UTC", "+00:00")))
    except ValueError:
        return None


def _in_utc(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def _day(found: re.Match[str], order: str) -> dt.date | None:
    if found["a"] is None:
        month = _NAMES.get((found["name"] or found["name2"]).lower()[:3])
        return _made(found["year"] or found["year2"], month, found["day"] or found["day2"]) if month else None
    parts = found["a"], found["b"], found["c"]
    if len(found["a"]) > 2:
        order = "ymd"
    elif order == "ymd" and len(found["c"]) > 2:
        return None
    by = dict(zip(order, parts, strict=True))
    return _made(by["y"], by["m"], by["d"])


def _made(year: str, month: str | int, day: str) -> dt.date | None:
    if len(year) not in (2, 4):
        return None
    full = int(year) + (0 if len(year) == 4 else 2000 if int(year) < SOON else 1900)
    try:
        return dt.date(full, int(month), int(day))
    except ValueError:
        return None


def _at(day: dt.date, found: re.Match[str]) -> dt.datetime | None:
    hours = 0.0 if found["clock"] is None else hours_in(f"{found['clock']} {found['half'] or ''}".strip())
    if hours is None or hours >= 24:
        return None
    moment = dt.datetime.combine(day, dt.time()) + dt.timedelta(microseconds=round(hours * 3.6e9))
    zone = found["zone"]
    if zone and zone[0] in "+-":
        hour, minute = int(zone[1:3]), int(zone[-2:])
        moment -= dt.timedelta(hours=hour, minutes=minute) * (-1 if zone[0] == "-" else 1)
    return moment


@lru_cache(maxsize=200_000)
def hours_in(cell: str) -> float | None:
    """Read a time of day or a length of time, as 12:30, 1:02:03.5, 2:15 PM or 1 days 02:00:00, in hours."""
    found = _HOURS.fullmatch(plain_minus(cell).strip())
    if found is None:
        return None
    hours = int(found["h"]) + int(found["m"]) / 60 + float((found["s"] or "0").replace(",", ".")) / 3600
    if found["half"]:
        if not 1 <= int(found["h"]) <= 12:
            return None
        hours += 12 * (found["half"][0] in "pP") - 12 * (int(found["h"]) == 12)
    hours += 24 * int(found["days"] or 0)
    return -hours if found["sign"] else hours


def is_date(cell: str) -> bool:
    """Whether a cell can be read as a date in some order."""
    return any(date_in(cell, order) is not None for order in ORDERS)


def spelled_date(moment: dt.datetime, like: str, order: str) -> str:
    """Write a date as a cell of its column is written; in ISO 8601 where that has names of months."""
    found = _DATE.fullmatch(plain_minus(like).strip())
    clock = moment.time() != dt.time() or ":" in like
    if _ISO.fullmatch(like.strip()) or found is None or found["a"] is None:
        return moment.isoformat(sep="T" if "T" in like else " ") if clock else moment.date().isoformat()
    order = "ymd" if len(found["a"]) > 2 else order
    widths = dict(zip(order, (len(found[part]) for part in "abc"), strict=True))
    wide = {"y": f"{moment.year:04d}"[-widths["y"] :], "m": f"{moment.month:02d}", "d": f"{moment.day:02d}"}
    text = found["sep"].join(wide[part] for part in order)
    return f"{text} {moment:%H:%M:%S}" if clock else text


def spelled_hours(hours: float, like: str) -> str:
    """Write hours as h:mm, or h:mm:ss where the column's cells have seconds."""
    seconds = round(abs(hours) * 3600)
    sign = "-" if hours < 0 and seconds else ""
    whole = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
    return f"{whole}:{seconds % 60:02d}" if like.count(":") > 1 else whole
