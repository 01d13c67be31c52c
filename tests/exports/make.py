"""Writes the exports of `files/` from plain values, and what each must be read as: `python -m exports.make`.

Nothing of the package is used: numbers are spelled by the functions below, and expected as they were.
"""

import datetime as dt
import gzip
import json
from pathlib import Path

FOLDER = Path(__file__).parent / "files"
N = 24
DRAWN = [(1103515245 * (i + 7) ** 3 + 12345) % 9973 for i in range(N)]  # no equal steps
NUMBERS = [round(100 + x / 12, 2) for x in DRAWN]
LARGE = [round(1000 + 1.75 * x, 2) for x in DRAWN]
WHOLE = [1000 + 2 * x for x in DRAWN]
SMALL = [x % 23 - 11 for x in DRAWN]
SHARES = [round(2.5 + x / 130, 1) for x in DRAWN]
FLAGS = [int(x % 3 == 0) for x in DRAWN]
WORDS = [("red", "green", "blue")[i % 3] for i in range(N)]
DAYS = [dt.date(2023, 1, 5) + dt.timedelta(days=x % 397) for x in DRAWN]
EARLY = [dt.date(2023, 1 + i % 12, 1 + DRAWN[i] % 12) for i in range(N)]  # any day could be a month
TIMES = [(6 + x % 14, x % 60) for x in DRAWN]
EXPECTED: dict[str, dict] = {}


def german(value, digits=2):
    return f"{value:,.{digits}f}".replace(",", "x").replace(".", ",").replace("x", ".")


def english(value, digits=2):
    return f"{value:,.{digits}f}"


def days(dates):
    return [(day - dt.date(1970, 1, 1)).days for day in dates]


def write(name, text, columns, encoding="utf-8", **more):
    """A file, the columns it must be read as (numbers; texts in lists of str), and more about it."""
    data = text if isinstance(text, bytes) else text.encode(encoding)
    (FOLDER / name).write_bytes(data)
    EXPECTED[name] = {"columns": columns} | more


def beside(name, cells, why=None):
    """A column of cells beside plain numbers, read as it is written; or left out, and why."""
    left_out = {} if why is None else {"left_out": {"x": why}}
    write(name, table({"x": cells, "b": SMALL}), {"x": cells, "b": SMALL}, **left_out)


def table(columns, delimiter=",", quote=False, end="\n", header=True):
    cells = [
        [f'"{cell}"' if quote or delimiter in str(cell) else str(cell) for cell in down]
        for down in columns.values()
    ]
    lines = [delimiter.join(row) for row in zip(*cells, strict=True)]
    return end.join([delimiter.join(columns)] * header + lines) + end


def refused(name, text, words, encoding="utf-8", **more):
    write(name, text, {}, encoding, refused=words, **more)


def main():
    FOLDER.mkdir(exist_ok=True)
    plain = {"a": NUMBERS, "b": SMALL}
    # Separators, encodings, ends of lines
    write("plain.csv", table(plain), plain)
    write("semicolons.csv", table(plain, ";"), plain)
    write("tabs.tsv", table(plain, "\t"), plain)
    write("bars.txt", table(plain, "|"), plain)
    write("windows_lines.csv", table(plain, end="\r\n"), plain)
    write("byte_order_mark.csv", table(plain), plain, "utf-8-sig")
    write("utf16.csv", table(plain, "\t"), plain, "utf-16")
    write("latin1.csv", table({"größe": NUMBERS, "b": SMALL}), {"größe": NUMBERS, "b": SMALL}, "cp1252")
    write("packed.csv.gz", gzip.compress(table(plain).encode(), mtime=0), plain)
    write("sep_line.csv", "sep=;\r\n" + table(plain, ";"), plain)
    write("no_header.csv", table(plain, header=False), {"0": NUMBERS, "1": SMALL})
    write(
        "trailing_separators.csv",
        "\n".join(line + ";" for line in table(plain, ";").splitlines()) + "\n",
        plain,
    )
    write(
        "rows_end_in_separators.csv",
        "a;b\n" + "".join(f"{a};{b};;\n" for a, b in zip(NUMBERS, SMALL, strict=True)),
        plain,
    )
    write("quoted.csv", table(plain, quote=True), plain)
    write("blank_lines.csv", table(plain).replace("\n", "\n\n"), plain)
    write("long_header.csv", table({"a" * 70_000: NUMBERS, "b": SMALL}), {"a" * 70_000: NUMBERS, "b": SMALL})
    write(
        "quoted_newlines.csv",
        "a,note\n" + "".join(f'{a},"{word}\nsecond line"\n' for a, word in zip(NUMBERS, WORDS, strict=True)),
        {"a": NUMBERS, "note": [f"{word}\nsecond line" for word in WORDS]},
    )
    write(
        "doubled_names.csv",
        table({"a": NUMBERS, "b": SMALL}).replace("a,b", "a,a", 1),
        {"a": NUMBERS, "a.1": SMALL},
    )
    write("empty_name.csv", table({"": NUMBERS, "b": SMALL}), {"column 0": NUMBERS, "b": SMALL})
    # Marks of numbers
    write(
        "german.csv",
        table({"betrag": [german(x) for x in LARGE], "b": SMALL}, ";"),
        {"betrag": LARGE, "b": SMALL},
    )
    thousands = {"menge": [german(x, 0) for x in WHOLE], "preis": [german(x) for x in NUMBERS]}
    write("thousands_beside_decimal_commas.csv", table(thousands, ";"), {"menge": WHOLE, "preis": NUMBERS})
    write(
        "english_thousands.csv",
        table({"count": [english(x, 0) for x in WHOLE], "x": NUMBERS}),
        {"count": WHOLE, "x": NUMBERS},
    )
    write(
        "spaces_as_thousands.csv",
        table({"x": [english(x).replace(",", "\u202f").replace(".", ",") for x in LARGE], "b": SMALL}, ";"),
        {"x": LARGE, "b": SMALL},
    )
    write(
        "swiss.csv",
        table({"x": [english(x).replace(",", "'") for x in LARGE], "b": SMALL}, ";"),
        {"x": LARGE, "b": SMALL},
    )
    write(
        "indian.csv",
        table(
            {
                "x": [
                    f"{x // 100000},{x // 1000 % 100:02d},{x % 1000:03d}" for x in [w * 100 for w in WHOLE]
                ],
                "b": SMALL,
            }
        ),
        {"x": [w * 100 for w in WHOLE], "b": SMALL},
    )
    write(
        "dollars.csv",
        table({"price": [f"${english(x)}" for x in LARGE], "b": SMALL}),
        {"price": LARGE, "b": SMALL},
    )
    write("euros.csv", table({"preis": [f"€ {x}" for x in WHOLE], "b": SMALL}), {"preis": WHOLE, "b": SMALL})
    write(
        "percent.csv", table({"share": [f"{x}%" for x in SHARES], "b": SMALL}), {"share": SHARES, "b": SMALL}
    )
    write(
        "units.csv",
        table({"weight": [f"{x} kg" for x in SHARES], "b": SMALL}),
        {"weight": SHARES, "b": SMALL},
    )
    write("unicode_minus.csv", table({"a": NUMBERS, "b": [str(x).replace("-", "−") for x in SMALL]}), plain)
    write("accounting.csv", table({"a": NUMBERS, "b": [f"({-x})" if x < 0 else x for x in SMALL]}), plain)
    write("minus_behind.csv", table({"a": NUMBERS, "b": [f"{-x}-" if x < 0 else x for x in SMALL]}), plain)
    write("scientific.csv", table({"a": [f"{x:.6e}" for x in NUMBERS], "b": SMALL}), plain)
    write(
        "multiples.csv",
        table({"views": [f"{x / 1e6:g}M" if x >= 10_000 else f"{x / 1e3:g}K" for x in WHOLE], "b": SMALL}),
        {"views": WHOLE, "b": SMALL},
    )
    write(
        "clock.csv",
        table({"start": [f"{h:02d}:{m:02d}" for h, m in TIMES], "b": SMALL}),
        {"start": [h + m / 60 for h, m in TIMES], "b": SMALL},
    )
    # Dates
    write("iso_dates.csv", table({"day": DAYS, "b": SMALL}), {"day": days(DAYS), "b": SMALL}, dates=["day"])
    write(
        "german_dates.csv",
        table({"tag": [f"{d:%d.%m.%Y}" for d in DAYS], "b": SMALL}, ";"),
        {"tag": days(DAYS), "b": SMALL},
        dates=["tag"],
    )
    write(
        "american_dates.csv",
        table({"day": [f"{d:%m/%d/%Y}" for d in DAYS], "b": SMALL}),
        {"day": days(DAYS), "b": SMALL},
        dates=["day"],
    )
    write(
        "english_dates.csv",
        table({"day": [f"{d:%d/%m/%Y}" for d in DAYS], "b": SMALL}),
        {"day": days(DAYS), "b": SMALL},
        dates=["day"],
    )
    write(
        "named_months.csv",
        table({"day": [f"{d.day} {d:%b %Y}" for d in DAYS], "b": SMALL}),
        {"day": days(DAYS), "b": SMALL},
        dates=["day"],
    )
    write(
        "dotted_early_dates.csv",
        table({"tag": [f"{d:%d.%m.%Y}" for d in EARLY], "b": SMALL}, ";"),
        {"tag": days(EARLY), "b": SMALL},
        dates=["tag"],
    )
    moments = [f"{d:%d.%m.%Y} {h:02d}:{m:02d}" for d, (h, m) in zip(DAYS, TIMES, strict=True)]
    write(
        "dates_with_times.csv",
        table({"when": moments, "b": SMALL}, ";"),
        {"when": [d + (60 * h + m) / 1440 for d, (h, m) in zip(days(DAYS), TIMES, strict=True)], "b": SMALL},
        dates=["when"],
    )
    early = table({"day": [f"{d:%d/%m/%Y}" for d in EARLY], "b": SMALL})
    refused("either_dates.csv", early, "--date-format")
    write(
        "either_dates_with_order.csv",
        early,
        {"day": days(EARLY), "b": SMALL},
        dates=["day"],
        options={"date_format": "dmy"},
    )
    write(
        "packed_dates.csv",
        table({"day": [f"{d:%Y%m%d}" for d in DAYS], "b": SMALL}),
        {"day": days(DAYS), "b": SMALL},
        dates=["day"],
    )
    write(
        "packed_german_dates.csv",
        table({"tag": [f"{d:%d%m%Y}" for d in DAYS], "b": SMALL}, ";"),
        {"tag": days(DAYS), "b": SMALL},
        dates=["tag"],
    )
    write(
        "packed_times.csv",
        table(
            {
                "when": [f"{d:%Y%m%d}{h:02d}{m:02d}30" for d, (h, m) in zip(DAYS, TIMES, strict=True)],
                "b": SMALL,
            }
        ),
        {
            "when": [
                d + (3600 * h + 60 * m + 30) / 86400 for d, (h, m) in zip(days(DAYS), TIMES, strict=True)
            ],
            "b": SMALL,
        },
        dates=["when"],
    )
    births = [dt.date(1943 + x % 41, 1 + x % 12, 13 + x % 15) for x in DRAWN]
    write(
        "births.csv",
        table({"geboren": [f"{d:%d.%m.%y}" for d in births], "b": SMALL}, ";"),
        {"geboren": days(births), "b": SMALL},
        dates=["geboren"],
    )
    logged = [f"{d:%d/%b/%Y}:{h:02d}:{m:02d}:00 +0200" for d, (h, m) in zip(DAYS, TIMES, strict=True)]
    in_utc = [d + (60 * (h - 2) + m) / 1440 for d, (h, m) in zip(days(DAYS), TIMES, strict=True)]
    write("log_times.csv", table({"when": logged, "b": SMALL}), {"when": in_utc, "b": SMALL}, dates=["when"])
    called = [f"{d:%a %b %d} {h:02d}:{m:02d}:00 CEST {d:%Y}" for d, (h, m) in zip(DAYS, TIMES, strict=True)]
    write("ctime.csv", table({"when": called, "b": SMALL}), {"when": in_utc, "b": SMALL}, dates=["when"])
    zoned = [f"{d} {h:02d}:{m:02d}:00 CEST" for d, (h, m) in zip(DAYS, TIMES, strict=True)]
    write("zone_names.csv", table({"when": zoned, "b": SMALL}), {"when": in_utc, "b": SMALL}, dates=["when"])
    spoken = [f"{h}h {m:02d}m" if m else f"{h}h" for h, m in TIMES]
    write(
        "hours_and_minutes.csv",
        table({"took": spoken, "b": SMALL}),
        {"took": [h + m / 60 for h, m in TIMES], "b": SMALL},
    )
    write(
        "iso_lengths.csv",
        table({"took": [f"PT{h}H{m}M" for h, m in TIMES], "b": SMALL}),
        {"took": [h + m / 60 for h, m in TIMES], "b": SMALL},
    )
    # Digits that are no amounts
    postcodes = [f"{x % 5 * 1200 + 501:05d}" for x in DRAWN]
    write("postcodes.csv", table({"zip": postcodes, "b": SMALL}), {"zip": postcodes, "b": SMALL})
    bins = [f"{12 + x % 4}E{x % 3 + 1}" for x in DRAWN]
    write("e_codes.csv", table({"bin": bins, "b": SMALL}), {"bin": bins, "b": SMALL})
    accounts = [str(4_000_123_400_000_017 + 3 * (x % 5)) for x in DRAWN]
    write("long_codes.csv", table({"account": accounts, "b": SMALL}), {"account": accounts, "b": SMALL})
    padded = {"n": [f"{x % 40:02d}" for x in DRAWN], "b": SMALL}
    write("padded_numbers.csv", table(padded), {"n": [x % 40 for x in DRAWN], "b": SMALL})
    days_of_year = [f"{d:%d.%m.}" for d in [dt.date(2023, 1 + x % 3, 1 + x % 4) for x in DRAWN]]
    write(
        "days_of_year.csv", table({"tag": days_of_year, "b": SMALL}, ";"), {"tag": days_of_year, "b": SMALL}
    )
    # Amounts in other forms
    write(
        "no_cents.csv",
        table({"preis": [f"{x},-" if x % 3 else f"{x},--" for x in WHOLE], "b": SMALL}, ";"),
        {"preis": WHOLE, "b": SMALL},
    )
    write(
        "ledger.csv",
        table({"sum": [f"$({-x})" if x < 0 else f"$ {x}" if x else "$ -" for x in SMALL], "a": NUMBERS}),
        {"sum": SMALL, "a": NUMBERS},
    )
    write(
        "metres.csv",
        table({"length": [f"{x} m" if x % 3 else x for x in WHOLE], "b": SMALL}),
        {"length": WHOLE, "b": SMALL},
    )
    units = [f"{x} {('g', 'kg')[i % 2]}" for i, x in enumerate(SHARES)]
    several = {"weight": "numbers in several units (g, kg)"}
    write(
        "several_units.csv",
        table({"weight": units, "b": SMALL}),
        {"weight": units, "b": SMALL},
        left_out=several,
    )
    below = [f"<{x}" if i % 4 == 0 else str(x) for i, x in enumerate(SHARES)]
    beside("limits.csv", below, "numbers in most rows")
    both = [english(x) if i % 2 else german(x) for i, x in enumerate(LARGE)]
    write(
        "both_marks.csv",
        table({"x": both, "b": SMALL}, ";"),
        {"x": both, "b": SMALL},
        left_out={"x": "numbers with '.' and with ',' as the decimal mark"},
    )
    orders = [f"{d:%d/%m/%Y}" if i % 2 else f"{d:%m/%d/%Y}" for i, d in enumerate(births)]
    beside("both_orders.csv", orders, "dates in several orders")
    # Written otherwise
    powers = [round(x / 100, 2) for x in DRAWN]
    raised = [f"{x:.2f}×10{'³' if i % 2 else '⁻²'}" for i, x in enumerate(powers)]
    read = [x * (1e3 if i % 2 else 1e-2) for i, x in enumerate(powers)]
    write("powers_of_ten.csv", table({"x": raised, "b": SMALL}), {"x": read, "b": SMALL})
    capital = [f"{x:.3E}".replace(".", ",") for x in NUMBERS]
    exponents = [float(f"{x:.3E}") for x in NUMBERS]
    write("exponents_beside_commas.csv", table({"x": capital, "b": SMALL}, ";"), {"x": exponents, "b": SMALL})
    write(
        "percent_before.csv",
        table({"x": [f"%{german(x)}" for x in LARGE], "b": SMALL}, ";"),
        {"x": LARGE, "b": SMALL},
    )
    write(
        "millions_of_euros.csv",
        table({"x": [f"{german(x)} Mio. €" for x in LARGE], "b": SMALL}, ";"),
        {"x": LARGE, "b": SMALL},
    )
    write(
        "middle_dots.csv",
        table({"x": [str(x).replace(".", "·") for x in NUMBERS], "b": SMALL}),
        {"x": NUMBERS, "b": SMALL},
    )
    credit = [f"{english(x)} CR" if i % 3 else english(x) for i, x in enumerate(LARGE)]
    beside("credit.csv", credit, "numbers in several units (none, CR)")
    flagged = [f"{x}¹" if i % 4 == 0 else str(x) for i, x in enumerate(NUMBERS)]
    beside("footnotes.csv", flagged, "numbers in most rows")
    halves = [f"{x % 9}½" for x in DRAWN]
    beside("halves.csv", halves)
    phones = [f"+49{1704000000 + 911 * x}" for x in DRAWN]
    beside("phones.csv", phones, "another text in every row")
    hosts = [f"10.{100 + x % 150}.{100 + x % 99}.{100 + x % 77}" for x in DRAWN]
    beside("addresses.csv", hosts, "another text in every row")
    absent = {"x": ["keine Angabe" if i in (3, 9, 15, 20) else x for i, x in enumerate(NUMBERS)], "b": SMALL}
    absent_read = {"x": [None if i in (3, 9, 15, 20) else x for i, x in enumerate(NUMBERS)], "b": SMALL}
    write("words_for_missing.csv", table(absent), absent_read)
    hours = {"x": [f"{h:02d}.{m:02d} Uhr" for h, m in TIMES], "b": SMALL}
    write("clock_with_points.csv", table(hours), {"x": [h + m / 60 for h, m in TIMES], "b": SMALL})
    halfday = {"x": [f"{(h - 1) % 12 + 1} {'AM' if h < 12 else 'PM'}" for h, _ in TIMES], "b": SMALL}
    write("hours_of_halves.csv", table(halfday), {"x": [h for h, _ in TIMES], "b": SMALL})
    laps = {"x": [f"{m}:{h:02d}.{m % 10}" for h, m in TIMES], "b": SMALL}
    write("laps.csv", table(laps), {"x": [(60 * m + h + m % 10 / 10) / 3600 for h, m in TIMES], "b": SMALL})
    months = days([day.replace(day=1) for day in DAYS])
    for name, form in (
        ("months", "%Y-%m"),
        ("months_named", "%b-%y"),
        ("months_with_points", "%m.%Y"),
        ("months_packed", "%Y%m"),
        ("months_with_strokes", "%m/%Y"),
    ):
        cells = {"x": [f"{day:{form}}" for day in DAYS], "b": SMALL}
        write(f"{name}.csv", table(cells), {"x": months, "b": SMALL}, dates=["x"])
    quarters = days([day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1) for day in DAYS])
    cells = {"x": [f"{day.year}-Q{(day.month + 2) // 3}" for day in DAYS], "b": SMALL}
    write("quarters.csv", table(cells), {"x": quarters, "b": SMALL}, dates=["x"])
    weeks = days([day - dt.timedelta(days=day.weekday()) for day in DAYS])
    cells = {"x": ["{}-W{:02d}".format(*day.isocalendar()) for day in DAYS], "b": SMALL}
    write("weeks.csv", table(cells), {"x": weeks, "b": SMALL}, dates=["x"])
    cells = {"x": [f"{day:%d%b%Y}".upper() for day in DAYS], "b": SMALL}
    write("glued_dates.csv", table(cells), {"x": days(DAYS), "b": SMALL}, dates=["x"])
    cells = {"x": [f"{day.year}年{day.month}月{day.day}日" for day in DAYS], "b": SMALL}
    write("dates_in_signs.csv", table(cells), {"x": days(DAYS), "b": SMALL}, dates=["x"])
    seasons = [f"{2001 + x % 9}/{2 + x % 9:02d}" for x in DRAWN]
    beside("seasons.csv", seasons)
    # What stands around the rows
    write("notes_above.csv", "Sales report\nmade 2024-01-05 at 8:30\n\n" + table(plain), plain, above=2)
    write("titles_in_cells.csv", "Report;\n;\nmade 5.1.2024;\n" + table(plain, ";"), plain, above=3)
    write("comments_above.csv", "# a, b and c\n# more\n" + table(plain), plain, above=2)
    spoken = "Made on Monday, 5 January 2024\nBy: Ann, Ben\n\n" + table(plain | {"c": WHOLE})
    write("notes_with_commas.csv", spoken, plain | {"c": WHOLE}, above=2)
    booked = {"Datum": [f"{d:%d.%m.%Y}" for d in DAYS], "Art": WORDS, "Betrag": [german(x) for x in LARGE]}
    account = "Konto;12345\nZeitraum;01.01.2024 - 31.12.2024\n\n" + table(booked, ";")
    read = {"Datum": days(DAYS), "Art": WORDS, "Betrag": LARGE}
    write("account.csv", account, read, dates=["Datum"], above=2)
    gap = table(plain).splitlines()
    write("nothing_between.csv", "\n".join([*gap[:9], ",", *gap[9:]]) + "\n", plain)
    write("end_of_dos.csv", table(plain) + "\x1a", plain)
    below = table(plain | {"c": WHOLE}).split("\n", 1)
    write("units_below.csv", f"{below[0]}\nkg,(°C),km/h\n{below[1]}", plain | {"c": WHOLE}, below=1)
    write("nothing_at_the_end.csv", table(plain) + ",\n,\n", plain)
    carets = table(plain | {"c": WHOLE}, "^")
    write("carets.txt", carets, plain | {"c": WHOLE})
    twice = table(plain)
    write("names_again.csv", twice + twice, {name: cells * 2 for name, cells in plain.items()}, again=1)
    grouped = table({"a": NUMBERS, "b2": SMALL, "c2": WHOLE})
    write("groups_above.csv", "2022,2022,2023\n" + grouped, {"a": NUMBERS, "b2": SMALL, "c2": WHOLE}, above=1)
    aligned = "".join(f"{a:>9} {b:>9}\n" for a, b in zip(NUMBERS, SMALL, strict=True))
    write("blanks.txt", "        a         b\n" + aligned, plain)
    write("one_column_of_commas.csv", table({"preis": NUMBERS}).replace(".", ","), {"preis": NUMBERS})
    years = {"2021": NUMBERS, "2022": SHARES}
    write("years_above.csv", table(years), years)
    counted = {"0": NUMBERS, "1": SMALL, "2": WHOLE, "3": SHARES}
    write("counted_columns.csv", table(counted), counted)
    # Kinds
    write(
        "mixed_kinds.csv",
        table({"a": NUMBERS, "colour": WORDS, "ok": ["yes" if x else "no" for x in FLAGS]}),
        {"a": NUMBERS, "colour": WORDS, "ok": FLAGS},
    )
    ticked = {"a": NUMBERS, "ok": ["✓" if x else "✗" for x in FLAGS], "wahr": ["WAHR", "FALSCH"] * (N // 2)}
    write("ticks.csv", table(ticked), {"a": NUMBERS, "ok": FLAGS, "wahr": [1, 0] * (N // 2)})
    write("flags.csv", table({"a": NUMBERS, "on": FLAGS}), {"a": NUMBERS, "on": FLAGS})
    write(
        "truths.csv",
        table({"a": NUMBERS, "on": [str(bool(x)).upper() for x in FLAGS]}),
        {"a": NUMBERS, "on": FLAGS},
    )
    write("constants.csv", table({"a": NUMBERS, "version": [3] * N}), {"a": NUMBERS, "version": [3] * N})
    holes = ["#N/A" if i == 3 else "" if i == 9 else x for i, x in enumerate(NUMBERS)]
    write(
        "missing.csv",
        table({"a": holes, "b": SMALL, "c": WHOLE}),
        {"a": [None if i in (3, 9) else x for i, x in enumerate(NUMBERS)], "b": SMALL, "c": WHOLE},
    )
    failed = ["#DIV/0!" if i == 5 else x for i, x in enumerate(NUMBERS)]
    write(
        "spreadsheet_errors.csv",
        table({"a": failed, "b": SMALL}),
        {"a": [None if i == 5 else x for i, x in enumerate(NUMBERS)], "b": SMALL},
    )
    slips = ["n/k" if i == 5 else x for i, x in enumerate(NUMBERS)]
    write(
        "one_slip.csv",
        table({"a": slips, "b": SMALL}),
        {"a": [None if i == 5 else x for i, x in enumerate(NUMBERS)], "b": SMALL},
        unreadable={"a": "line 7"},
    )
    total = {"place": [*WORDS, "Total"], "a": [*NUMBERS, round(sum(NUMBERS), 2)]}
    write("total_row.csv", table(total), total, apart=1)
    mean = {"place": [*WORDS, "Mean"], "a": [*NUMBERS, round(sum(NUMBERS) / N, 2)]}
    write("mean_row.csv", table(mean), mean)
    source = {"place": [*WORDS, "Source: office"], "a": [*NUMBERS, ""], "b": [*SMALL, ""]}
    noted = source | {"a": [*NUMBERS, None], "b": [*SMALL, None]}
    write("note_in_cells_below.csv", table(source), noted, apart=1)
    numbered = {"id": range(1, N + 1), "a": NUMBERS, "b": SMALL}
    write("row_numbers.csv", table(numbered), plain, dropped={"id": "row numbers"})
    write(
        "empty_column.csv",
        table({"a": NUMBERS, "remarks": [""] * N, "b": SMALL}),
        plain,
        dropped={"remarks": "every cell is missing"},
    )
    formulas = [f"=HYPERLINK({word})" for word in WORDS]
    write("formulas.csv", table({"a": NUMBERS, "link": formulas}), {"a": NUMBERS, "link": formulas})
    # Other formats
    records = [{"a": a, "b": b, "colour": word} for a, b, word in zip(NUMBERS, SMALL, WORDS, strict=True)]
    write("lines.jsonl", "".join(json.dumps(row) + "\n" for row in records), plain | {"colour": WORDS})
    write("lines_called.csv", "".join(json.dumps(row) + "\n" for row in records), plain | {"colour": WORDS})
    write(
        "list.json",
        json.dumps([{"a": a, "b": b} for a, b in zip(NUMBERS, SMALL, strict=True)], indent=1),
        plain,
    )
    written = [{"a": german(a), "b": b} for a, b in zip(LARGE, SMALL, strict=True)]
    write(
        "written_numbers.jsonl", "".join(json.dumps(row) + "\n" for row in written), {"a": LARGE, "b": SMALL}
    )
    sheet(EXPECTED, plain)
    # What is refused, in a sentence that says what to do
    refused("nothing.csv", "", "is empty")
    refused("ragged.csv", table(plain) + "1,2,3\n", "line 26")
    refused("names_too_few.csv", "name\nA,B\nC,D\n", "line 2 has 2 cells where line 1 has 1")
    refused("note_below.csv", table(plain) + "exported by hand\n", "a note below the table is no row")
    refused("infinite.csv", table({"a": [*NUMBERS[:-1], "inf"], "b": SMALL}), "line 25")
    refused("pickle.csv", b"\x80\x04\x95\x00\x00\x81\x8d" + bytes(range(256)), "not text")
    (FOLDER.parent / "expected.json").write_text(json.dumps(EXPECTED, indent=1, ensure_ascii=False) + "\n")


def sheet(expected, plain):
    """Spreadsheets; written only where openpyxl is installed, and else left as they are."""
    columns = plain | {"colour": WORDS, "day": DAYS, "preis": [german(x) for x in LARGE]}
    read = {"columns": plain | {"colour": WORDS, "day": days(DAYS), "preis": LARGE}, "dates": ["day"]}
    years = {"2021": NUMBERS, "2022": SHARES}
    noted = {"a": [*NUMBERS, None], "b": [*SMALL, None], "c": [*SHARES, 1.5]}
    needs = {"needs": "python_calamine"}
    expected["sheet.xlsx"] = read | needs
    expected["sheet_titled.xlsx"] = read | needs
    expected["sheet_years.xlsx"] = {"columns": years} | needs
    expected["sheet_without_a_name.xlsx"] = {"columns": plain | {"column 2": SHARES}} | needs
    expected["sheet_with_a_word.xlsx"] = {"columns": noted, "unreadable": {"a": "line 26"}} | needs
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    save_sheet("sheet.xlsx", rows)
    save_sheet("sheet_titled.xlsx", [["Report"], [], ["made", None], *rows])
    save_sheet("sheet_years.xlsx", [[2021, 2022], *zip(*years.values(), strict=True)])
    save_sheet("sheet_without_a_name.xlsx", [["a", "b", None], *zip(NUMBERS, SMALL, SHARES, strict=True)])
    expected["sheet_units.xlsx"] = {"columns": plain | {"c": SHARES}} | needs
    units = [["a", "b", "c"], ["(mm)", "°C", "%"], *zip(NUMBERS, SMALL, SHARES, strict=True)]
    save_sheet("sheet_units.xlsx", units)
    save_sheet(
        "sheet_with_a_word.xlsx",
        [list(noted), *zip(NUMBERS, SMALL, SHARES, strict=True), ["by hand", None, 1.5]],
    )


def save_sheet(name, rows):
    try:
        import openpyxl
    except ImportError:
        return
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    book.save(FOLDER / name)


if __name__ == "__main__":
    main()
