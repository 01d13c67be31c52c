"""Dates and times as people write them: 31.12.2024, 12/31/2024, 2024-12-31 08:00, 3 Jan 2024, 12:30."""

import datetime as dt
import re
from functools import lru_cache

from robustae.data.cells import plain_minus

__all__ = [
    "ORDERS",
    "SINCE",
    "century_of",
    "date_in",
    "day_of",
    "hours_in",
    "in_parts",
    "is_date",
    "month_of",
    "spelled_date",
    "spelled_hours",
    "years_in",
]

ORDERS = ("dmy", "mdy", "ymd")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
# Those of other languages that begin otherwise, by three letters, and by four where three are two months.
_OTHERS = "mär3 mrz3 mrt3 mai5 mei5 okt10 dez12 fév2 avr4 aoû8 déc12 ene1 abr4 ago8 dic12 gen1 mag5 giu6 lug7"
_OTHERS += " set9 ott10 fev2 out10 juin6 juil7 sty1 lut2 kwi4 maj5 cze6 lip7 sie8 wrz9 paź10 lis11 gru12"
_OTHERS += " янв1 фев2 мар3 апр4 мая5 май5 июн6 июл7 авг8 сен9 окт10 ноя11 дек12"
_NAMES = {name: number for number, name in enumerate(_MONTHS.split(), 1)}
_NAMES |= {found[1]: int(found[2]) for found in re.finditer(r"([^\W\d]+)(\d+)", _OTHERS)}
# Hours to UTC
_ZONES = {"z": 0, "utc": 0, "gmt": 0, "wet": 0, "cet": 1, "mez": 1, "bst": 1, "cest": 2, "mesz": 2, "eet": 2}
_ZONES |= {"eest": 3, "msk": 3, "jst": 9, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6}
_ZONES |= {"pst": -8, "pdt": -7}
_NAMED_ZONE = re.compile(rf"\s*({'|'.join(_ZONES)})$", re.IGNORECASE)
_CLOCK = (
    r"(?P<clock>\d{1,2}(?:[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?|(?=\s*[AaPp]\.?[Mm])))\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
    rf"\s*(?:Uhr|(?P<zone>{'|'.join(_ZONES)}|[+-]\d{{2}}:?\d{{2}}))?"
)
_DAY = r"(?:[^\W\d_]{2,10}\.?,?\s+)?"  # of the week
_NUMBERS = r"(?P<a>\d{1,4})(?P<sep>\s?[./-]\s?)(?P<b>\d{1,2})(?P=sep)(?P<c>\d{1,4})\.?"
_NAMED = (
    r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?(?:[ /-]{0,2}|\s(?:de|of)\s)"
    r"(?P<name>[^\W\d_]{3,12})\.?,?(?:[ /-]|\s(?:de|del)\s|(?=\d{4}))(?P<year>\d{2}(?:\d{2})?)(?:\s?[гr]\.?)?"
)
_NAME_FIRST = r"(?P<name2>[^\W\d_]{3,12})\.?\s+(?P<day2>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year2>\d{4})"
_DATE = re.compile(rf"{_DAY}(?:{_NUMBERS}|{_NAMED}|{_NAME_FIRST})(?:[T, :]\s*{_CLOCK})?", re.IGNORECASE)
_C_TIME = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d) (?:([A-Z]+) )?(\d{4})"
)  # of date(1)
_PACKED = re.compile(r"(\d{8})(?:T?(\d{2})(\d{2})(\d{2})Z?)?")  # 20241231, 20241231083000, 20241231T083000Z
_HOURS = re.compile(
    r"(?P<sign>-)?(?:(?P<days>\d+)\s+days?,?\s+(?:\+)?)?(?P<h>\d{1,4}):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?(?:\s*Uhr)?"
)
_CLOCK_ALONE = re.compile(r"(\d{1,2})(?:\.([0-5]\d))?\s*(Uhr|[AaPp]\.?[Mm]\.?)")  # 15.49 Uhr, 9 Uhr, 3 PM
_PLAIN_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_LAP = re.compile(r"(\d{1,3}):([0-5]\d)[.,](\d{1,6})")  # minutes, seconds and parts of them
# 1h 30m, 2 d 5 h, 12 min 30 s, 1h30, and PT1H30M
_LENGTH = re.compile(
    r"(?P<sign>-)?(?:P(?=[\dT]))?(?:(?P<d>\d+)\s*(?:d|days?|Tage?)\s*)?"
    r"T?(?:(?P<h>\d+)\s*(?:h|hrs?|hours?|Std\.?))?\s*"
    r"(?:(?P<m>\d+)\s*(?:m|min\.?|mins|minutes?)|(?:(?<=h)|(?<=h\s))(?P<m2>\d{2}))?\s*"
    r"(?:(?P<s>\d+(?:[.,]\d+)?)\s*(?:s|secs?|seconds?|Sek\.?))?",
    re.IGNORECASE,
)
_SIGNS = str.maketrans({"年": "-", "月": "-", "日": ""})
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")
SINCE = 1969  # the first of the years that are written with two digits, as in POSIX


@lru_cache(maxsize=200_000)
def date_in(cell: str, order: str, since: int = SINCE) -> dt.datetime | None:
    """Read a cell of a column whose dates have their parts in this order; None where it is no date.

    ISO 8601 and names of months are read in any order; a zone is converted to UTC. Years of two digits are
    those of the hundred years from `since` on.
    """
    day, clock = _parts(cell)
    if clock and (seconds := _seconds(clock)) is not None:  # few days and few times make many moments
        found = date_in(day, order, since)
        if found is not None:
            return found + dt.timedelta(seconds=seconds)
    text = plain_minus(cell).strip()
    if "年" in text:
        text = text.translate(_SIGNS)
    if text[:1].isalpha():
        text = _C_TIME.sub(r"\2 \1 \5 \3 \4", text).strip()
    if _ISO.fullmatch(text):
        return _iso(text)
    found = _DATE.fullmatch(text)
    if found is None:
        return _packed(text, order)
    day = _day(found, order, since)
    return None if day is None else _at(day, found)


def _parts(cell: str) -> tuple[str, str]:
    """A cell's day and its time of day, where that is written plainly; all of it and nothing elsewhere."""
    day, blank, clock = cell.rpartition("T" if cell[10:11] == "T" else " ")
    if not blank or ":" in day or clock[2:3] != ":" or not clock[-1:].isdigit():
        return cell, ""
    return day.removesuffix(","), clock


def day_of(cell: str) -> str:
    """What of a cell is its day, where a plain time of day follows; all of it elsewhere."""
    day, clock = _parts(cell)
    return day if clock and _seconds(clock) is not None else cell


@lru_cache(maxsize=100_000)
def _seconds(clock: str) -> int | None:
    """Seconds of a plain time of day."""
    found = _PLAIN_CLOCK.fullmatch(clock)
    return None if found is None else 3600 * int(found[1]) + 60 * int(found[2]) + int(found[3] or 0)


def years_in(cell: str, order: str) -> int | None:
    """The two digits that a date has for its year; None where it has four, or is none."""
    found = _DATE.fullmatch(plain_minus(cell).strip())
    if found is None or date_in(cell, order) is None:
        return None
    year = found["abc"[order.index("y")]] if found["a"] else found["year"] or found["year2"]
    return int(year) if len(year) == 2 else None


def _packed(text: str, order: str) -> dt.datetime | None:
    """A date of eight digits, with or without a time of six."""
    found = _PACKED.fullmatch(text)
    if found is None:
        return None
    ends = {"d": 2, "m": 2, "y": 4}
    parts, at = {}, 0
    for part in order:
        parts[part], at = text[at : at + ends[part]], at + ends[part]
    day = _made(parts["y"], parts["m"], parts["d"])
    if day is None or not 1900 <= day.year <= 2100:
        return None
    try:
        hour, minute, second = (int(part or 0) for part in found.groups()[1:])
        return dt.datetime.combine(day, dt.time(hour, minute, second))
    except ValueError:
        return None


def _iso(text: str) -> dt.datetime | None:
    zone = _NAMED_ZONE.search(text)
    text = text if zone is None else text[: zone.start()]
    shift = dt.timedelta(hours=_ZONES[zone[1].lower()] if zone else 0)
    try:
        return _in_utc(dt.datetime.fromisoformat(text)) - shift
    except ValueError:
        return None


def _in_utc(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def _day(found: re.Match[str], order: str, since: int) -> dt.date | None:
    if found["a"] is None:
        month = month_of(found["name"] or found["name2"])
        year, day = found["year"] or found["year2"], found["day"] or found["day2"]
        return _made(year, month, day, since) if month else None
    parts = found["a"], found["b"], found["c"]
    if len(found["a"]) > 2:
        order = "ymd"
    elif order == "ymd" and len(found["c"]) > 2:
        return None
    by = dict(zip(order, parts, strict=True))
    return _made(by["y"], by["m"], by["d"], since)


def _made(year: str, month: str | int, day: str, since: int = SINCE) -> dt.date | None:
    if len(year) not in (2, 4):
        return None
    try:
        return dt.date(century_of(year, since), int(month), int(day))
    except ValueError:
        return None


def century_of(year: str, since: int = SINCE) -> int:
    """A year of four digits, or of two: those of the hundred years from `since` on."""
    return int(year) if len(year) == 4 else since + (int(year) - since) % 100


def month_of(name: str) -> int:
    """The number of a month by its name in some language; 0 where it is none."""
    name = name.lower()
    return _NAMES.get(name[:4]) or _NAMES.get(name[:3]) or 0


def _with_colons(clock: str) -> str:
    """A time of day written as 15.49 or 15, with colons."""
    parts = clock.split(".", 2) if ":" not in clock else [clock]
    return ":".join([*parts, "00"] if ":" not in clock and len(parts) < 2 else parts)


def _at(day: dt.date, found: re.Match[str]) -> dt.datetime | None:
    hours = hours_in(f"{_with_colons(found['clock'] or '0')} {found['half'] or ''}".strip())
    if hours is None or hours >= 24:
        return None
    moment = dt.datetime.combine(day, dt.time()) + dt.timedelta(microseconds=round(hours * 3.6e9))
    zone = found["zone"]
    if zone and zone[0] not in "+-":
        moment -= dt.timedelta(hours=_ZONES[zone.lower()])
    elif zone:
        hour, minute = int(zone[1:3]), int(zone[-2:])
        moment -= dt.timedelta(hours=hour, minutes=minute) * (-1 if zone[0] == "-" else 1)
    return moment


@lru_cache(maxsize=200_000)
def hours_in(cell: str) -> float | None:
    """Read a time of day or a length of time, as 12:30, 1:02:03.5, 2:15 PM or 1 days 02:00:00, in hours."""
    text = plain_minus(cell).strip()
    if alone := _CLOCK_ALONE.fullmatch(text):
        text = f"{alone[1]}:{alone[2] or '00'} {alone[3]}"
    if lap := _LAP.fullmatch(text):
        return int(lap[1]) / 60 + float(f"{lap[2]}.{lap[3]}") / 3600
    found = _HOURS.fullmatch(text)
    if found is None:
        return _length(text)
    hours = int(found["h"]) + int(found["m"]) / 60 + float((found["s"] or "0").replace(",", ".")) / 3600
    if found["half"]:
        if not 1 <= int(found["h"]) <= 12:
            return None
        hours += 12 * (found["half"][0] in "pP") - 12 * (int(found["h"]) == 12)
    hours += 24 * int(found["days"] or 0)
    return -hours if found["sign"] else hours


def _length(text: str) -> float | None:
    """A length of time in days, hours, minutes and seconds, each with its letter."""
    found = _LENGTH.fullmatch(text) if text[:1] in "-Pp0123456789" else None
    if found is None or not any(sign.isdigit() for sign in text):
        return None
    parts = found["d"], found["h"], found["m"] or found["m2"], found["s"]
    factors = 24, 1, 1 / 60, 1 / 3600
    hours = sum(float((part or "0").replace(",", ".")) * by for part, by in zip(parts, factors, strict=True))
    return -hours if found["sign"] else hours


def in_parts(cell: str) -> bool:
    """Whether a length of time has several parts, as 1:30 and 1h 30m: 30 m may be metres."""
    found = _LENGTH.fullmatch(cell.strip())
    return (
        found is None
        or cell.strip().lstrip("-")[:1] in "Pp"
        or sum(value is not None for value in found.groupdict().values()) > 1
    )


def is_date(cell: str) -> bool:
    """Whether a cell can be read as a date in some order."""
    return any(date_in(cell, order) is not None for order in ORDERS)


def spelled_date(moment: dt.datetime, like: str, order: str) -> str:
    """Write a date as a cell of its column is written; in ISO 8601 where that has names of months."""
    if _PACKED.fullmatch(like.strip()):
        parts = {"y": f"{moment.year:04d}", "m": f"{moment.month:02d}", "d": f"{moment.day:02d}"}
        time = f"{'T' * ('T' in like)}{moment:%H%M%S}{'Z' * ('Z' in like)}"
        return "".join(parts[part] for part in order) + time * (len(like.strip()) > 8)
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
