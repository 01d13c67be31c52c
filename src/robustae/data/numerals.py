"""Numbers as people write them: 1.299,99  $3,323.10  32.6%  62.5 kg  (5)  1 000  1.2M.

A column is read in one form. Its decimal mark follows from cells that can be read one way only, such as
1.299,99 or 3,5; where there are none (1.325 may be 1325) from the other columns of the table.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from robustae.data.cells import plain_minus

__all__ = [
    "Numeral",
    "Unit",
    "is_either",
    "marks_of",
    "number_in",
    "parts_of_cell",
    "reader_of",
    "spelled",
    "unit_of",
]

_CODES = "USD|EUR|GBP|CHF|JPY|CNY|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|INR|BRL|MXN|ZAR|TRY|KRW|RUB"
_LEAD = rf"(?:US|CA?|AU?|NZ|HK|R)?\$|[€£¥₹₽₩₺%]|(?:{_CODES})|Rs\.?|kr\.?|Fr\.?"
_TAIL = (
    r"[^\W\d_](?:[^\W\d_]|[/²³.°%µ*^ ])*?[23]?(?:\s?[€$£¥₹₽₩₺])?|[%‰°€$£¥₹₽₩₺]+(?:\s?[^\W\d_]{1,4})?"
    r"|[µ²³]\S{0,6}"
)
_CELL = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[+-]?)\s*(?P<lead>{_LEAD})?\s*(?P<open2>\()?\s*(?P<sign2>[+-]?)\s*"
    rf"(?P<body>\d[\d.,'’ ]*|[.,]\d+)(?P<exp>[eE][+-]?\d+)?"
    rf"\s*(?P<tail>{_TAIL})?\s*(?P<sign3>-?)(?P<close>\))?"
)
_GROUPS = {
    mark: re.compile(
        rf"\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+|\d{{1,2}}(?:{re.escape(mark)}\d{{2}})+{re.escape(mark)}\d{{3}}"
    )
    for mark in ".,' "
}
_EITHER = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")  # 1.325: a decimal mark, or one of thousands
LONGEST_UNIT = 16
# No cents, as in 59,- and 59,--; nothing at all beside a currency, as in "$ -".
_NO_CENTS = re.compile(r"(?<=\d)[.,]-{1,2}(?!\d)")
_NOTHING = re.compile(rf"(?P<lead>{_LEAD})?\s*-{{1,2}}\s*(?P<tail>[€$£¥₹₽₩₺])?")
# Powers of ten that a column may mix, as 950, 1.2K and 3M.
_MULTIPLES = {"": 0, "k": 3, "K": 3, "M": 6, "Mio": 6, "Mio.": 6, "m": 6, "mn": 6, "B": 9, "bn": 9}
_MULTIPLES |= {"Mrd": 9, "Mrd.": 9, "T": 12}
_UNITS_TOO = {"", "m", "B", "T", "M", "K"}  # metres, bytes, tonnes, kelvin: alone they are no multiples
OTHER = {".": ",", ",": "."}
# Powers of ten in other signs: 5.9×10³, 5.9 x 10^3, 5.9D+03
_TEN = re.compile(
    r"\s?[×xX*·.]\s?10(?:(?:\^|\*\*)\(?([+-]?\d{1,3})\)?|([⁺⁻]?[⁰¹²³⁴-⁹]{1,3}))(?!\d)"
    r"|(?<=\d)[dD]([+-]\d{1,3})(?!\d)"
)
_RAISED = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
# What stands behind some numbers of a column, and is no unit of them: credit and debit, provisional.
_REMARKS = frozenset([*"abcdefnpruz", "cr", "cr.", "dr", "dr.", "est", "est.", "prov", "prov."])
_REMARKS |= {remark.upper() for remark in _REMARKS if len(remark) > 1} | {"Cr", "Cr.", "Dr", "Dr."}


@dataclass(frozen=True)
class Unit:
    """What stands before and after the numbers of a column.

    Attributes
    ----------
    lead, tail : str
        As "$", "%" or "kg"; may be empty.
    mixed : bool
        Whether the tails are multiples (K, M, B), which differ from cell to cell.
    """

    lead: str = ""
    tail: str = ""
    mixed: bool = False

    @property
    def name(self) -> str:
        """The unit in words."""
        return f"{self.lead}…{self.tail}" if self.lead and self.tail else self.lead or self.tail


@dataclass(frozen=True)
class Numeral:
    """The parts of a cell: sign, digits with their marks, exponent, what stands before and after."""

    negative: bool
    body: str
    exponent: str
    unit: Unit

    @property
    def either(self) -> bool:
        """Whether its one mark may be decimal or of thousands."""
        return bool(_EITHER.fullmatch(self.body)) and not self.exponent

    def value(self, decimal: str, power: int = 0) -> float | None:
        """The number with this decimal mark, times a power of ten; None where it is none."""
        whole, found, fraction = self.body.partition(decimal)
        if found and not fraction.isdigit() and fraction:
            return None
        digits = _ungrouped(whole, decimal)
        if digits is None or self.exponent and digits != whole:
            return None
        exponent = int(self.exponent[1:] or 0) + power
        value = float(f"{digits or '0'}.{fraction or '0'}e{exponent}")
        return -value if self.negative else value


def _ungrouped(whole: str, decimal: str) -> str | None:
    """The digits before the decimal mark, without those of thousands, which must all be alike."""
    marks = {sign for sign in whole if not sign.isdigit()}
    if not marks:
        return whole
    mark = marks.pop()
    if marks or mark == decimal or whole.startswith("0") or not _GROUPS[mark].fullmatch(whole):
        return None
    return whole.replace(mark, "")


def is_either(cell: str) -> bool:
    """Whether the one mark of a plain number may be decimal or of thousands, as in 1.325."""
    return bool(_EITHER.fullmatch(cell.strip().lstrip("+-")))


@lru_cache(maxsize=200_000)
def parts_of_cell(cell: str) -> Numeral | None:
    """Take a cell of text apart; None where it is no number with or without a unit."""
    text = plain_minus(cell).strip().removeprefix("'").replace("’", "'")
    if not text or len(text) > 64:
        return None
    text = _NO_CENTS.sub("", text)
    found = _CELL.fullmatch(_TEN.sub(_exponent, text) if "10" in text or "+" in text or "-" in text else text)
    if found is None:
        return _nothing(text)
    brackets = bool(found["open"]) + bool(found["open2"])
    signs = [sign for sign in (found["sign"], found["sign2"], found["sign3"]) if sign]
    tail = (found["tail"] or "").strip()
    if brackets != bool(found["close"]) or len(signs) + brackets > 1:
        return None
    if len(tail) > LONGEST_UNIT or found["lead"] and tail not in _MULTIPLES:
        return None
    # A footnote, a fraction, or a time: 404.08¹, 5½, 9.30 Uhr.
    if tail[:1].isnumeric() or tail == "Uhr":
        return None
    body = found["body"].rstrip()
    if body[-1] in ".,'" and body[:-1].isdigit():  # 5. is 5, and 19.09. is a day
        body = body[:-1]
    unit = Unit(found["lead"] or "", tail)
    return Numeral("-" in signs or brackets > 0, body, found["exp"] or "", unit)


def _exponent(found: re.Match[str]) -> str:
    return "e" + (found[1] or found[2] or found[3]).translate(_RAISED)


def _nothing(text: str) -> Numeral | None:
    """A zero as spreadsheets write amounts: a dash beside the currency."""
    found = _NOTHING.fullmatch(text)
    if found is None or bool(found["lead"]) == bool(found["tail"]):
        return None
    return Numeral(False, "0", "", Unit(found["lead"] or "", found["tail"] or ""))


def unit_of(found: Mapping[Numeral, int], rare: float) -> Unit | None:
    """The unit of a column of so many different cells of each form; None where its cells have several."""
    counts: Counter[Unit] = Counter()
    for one, count in found.items():
        counts[one.unit] += count
    total = sum(counts.values())
    leads, tails = {unit.lead for unit in counts}, {unit.tail for unit in counts}
    if _are_multiples(tails, max(leads)) and len(leads - {""}) <= 1:
        return Unit(max(leads), "", True)
    merged: Counter[Unit] = Counter()
    for unit, count in counts.items():
        merged[Unit(unit.lead, unit.tail.lower())] += count
    bare = merged.pop(Unit(), 0)
    if not merged or sum(merged.values()) <= rare * total:
        return Unit()
    (best, count) = merged.most_common(1)[0]
    written = max(
        (unit for unit in counts if Unit(unit.lead, unit.tail.lower()) == best), key=counts.__getitem__
    )
    alone = "%" in best.name or written.tail in _REMARKS
    understood = count + (0 if alone else bare)
    return written if understood >= (1 - rare) * total else None


def _are_multiples(tails: set[str], lead: str) -> bool:
    """Whether tails that differ are multiples: 863 m beside 437 are metres, and 863 k beside 437 are not."""
    if len(tails) < 2 or not tails <= _MULTIPLES.keys():
        return False
    return bool(lead) or not tails <= _UNITS_TOO or tails in ({"", "K"}, {"", "M"}) or {"K", "M"} <= tails


def number_in(cell: str, decimal: str, unit: Unit) -> float | None:
    """The number in a cell of a column with this decimal mark and unit; None where it cannot be read so."""
    found = parts_of_cell(cell)
    if found is None:
        return None
    if unit.mixed:
        power = _MULTIPLES.get(found.unit.tail)
        return (
            found.value(decimal, power) if found.unit.lead in ("", unit.lead) and power is not None else None
        )
    value = found.value(decimal)
    bare = found.unit == Unit() and "%" not in unit.name
    alike = found.unit.lead == unit.lead and found.unit.tail.lower() == unit.tail.lower()
    return value if bare or alike else None


def marks_of(found: Mapping[Numeral, int]) -> tuple[int, int, int]:
    """How many cells can be read with a decimal point, how many with a comma, and how many differ by that."""
    point = comma = differ = 0
    for one, count in found.items():
        by_point, by_comma = one.value("."), one.value(",")
        point, comma = point + count * (by_point is not None), comma + count * (by_comma is not None)
        differ += count * (by_point != by_comma)
    return point, comma, differ


def reader_of(decimal: str, thousands: str, unit: Unit) -> re.Pattern[str]:
    """A pattern of the commonest cells of a column; its groups: their signs, their digits with marks."""
    mark, point = re.escape(thousands), re.escape(decimal)
    whole = rf"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+|\d+" if thousands else r"\d+"
    lead, tail = (re.escape(part) for part in (unit.lead, unit.tail))
    before, behind = lead + "[ \u00a0]?" * bool(lead), "[ \u00a0]?" * bool(tail) + tail
    return re.compile(rf"(-?){before}((?:{whole})(?:{point}\d+)?){behind}", re.ASCII)


def spelled(value: float, decimal: str, thousands: str, digits: int, unit: Unit, gap: str = "") -> str:
    """Write a number as the cells of its column are written."""
    text = f"{abs(value):,.{digits}f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)
    sign = "-" if value < 0 and any(sign in "123456789" for sign in text) else ""
    return f"{sign}{unit.lead}{text}{gap if unit.tail else ''}{unit.tail}"
