"""Numbers as people write them: many at once are read as each by itself is."""

import datetime as dt
import itertools

import numpy as np
import pytest

from robustae.data.deciding import decided
from robustae.data.spelling import Hints, Spelling

MARKS = [(".", ""), (".", ","), (".", "'"), (".", " "), (",", ""), (",", "."), (",", " "), (",", "'")]
UNITS = [
    ("", "", ""),
    ("$", "", ""),
    ("€", "", ""),
    ("", "%", " "),
    ("", "kg", " "),
    ("", "°C", ""),
    ("CHF", "", ""),
]
# Beside those of the column: of other columns, of no number at all, and near misses.
ODD = [
    "",
    "n/a",
    "-",
    "1.2.3",
    "12,34,56",
    "1,23,456",
    "01.234",
    "1e3",
    "1.5E-3",
    "+5",
    "(5)",
    "5-",
    "5.",
    ".5",
]
ODD += [
    "٣",
    "1_000",
    "− 5",
    "−5,5",
    "$5",
    "5 %",
    "5%",
    "5 KG",
    "kg",
    "--5",
    "5,-",
    "$ -",
    "true",
    "nan",
    "1 000",
    "00,5",
]
ODD += ["1\n2", "12.34\t", " 7 ", "1.234.567,8", "1,234,567.8", "1'234.5", None, 3, 2.5]


def drawn(seed, spelling):
    rng = np.random.default_rng(seed)
    values = np.concatenate(
        [rng.normal(size=60) * 10.0 ** rng.integers(-3, 9, 60), rng.integers(-999, 9999, 20)]
    )
    return [spelling.write(value) for value in values] + ODD


@pytest.mark.parametrize(("marks", "unit"), [*itertools.product(MARKS, UNITS)])
def test_all_at_once_as_one_by_one(marks, unit):
    spelling = Spelling(
        decimal=marks[0], thousands=marks[1], lead=unit[0], tail=unit[1], gap=unit[2], digits=3
    )
    cells = drawn(MARKS.index(marks) + 10 * UNITS.index(unit), spelling)
    found, unreadable = spelling.floats(cells)
    expected = [spelling.read(cell) for cell in cells]
    assert unreadable.tolist() == [value is None for value in expected]
    np.testing.assert_array_equal(found, np.array(expected, dtype=float))
    assert not unreadable[:80].any()


@pytest.mark.parametrize(("marks", "unit"), [*itertools.product(MARKS[1:], UNITS)])
def test_a_column_is_decided_as_it_was_written(marks, unit):
    written = Spelling(
        decimal=marks[0], thousands=marks[1], lead=unit[0], tail=unit[1], gap=unit[2], digits=2
    )
    rng = np.random.default_rng(1)
    values = np.round(rng.normal(size=3000) * 20_000, 2)
    found = decided({"x": [written.write(value) for value in values]}, Hints(delimiter=";"))["x"]
    assert found is not None and (found.decimal, found.digits) == (marks[0], 2)
    np.testing.assert_array_equal(found.floats([written.write(value) for value in values])[0], values)


def test_units_that_differ_in_a_digit_are_two():
    cells = [f"{i} m{2 + i % 2}" for i in range(1, 60)]
    assert decided({"x": cells})["x"] is None


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1.5 * i for i in range(29)], "number"),
        ([dt.date(2024, 1, 1 + i % 28) for i in range(29)], "date"),
        ([dt.datetime(2024, 1, 1 + i % 28, i % 24) for i in range(29)], "date"),
        ([dt.time(i % 24, 30) for i in range(29)], "time"),
        ([dt.timedelta(hours=i) for i in range(29)], "time"),
    ],
)
def test_typed_cells_beside_a_text_are_what_their_type_is(cells, kind):
    found = decided({"x": [*cells, "made by hand"]})["x"]
    assert found is not None and found.kind == kind
    values, unreadable = found.floats([*cells, "made by hand"])
    assert np.isfinite(values[:-1]).all() and unreadable.tolist() == [False] * 29 + [True]
    assert decided({"x": [*cells, *["made by hand"] * 9]})["x"] is None


@pytest.mark.parametrize(
    "like",
    ["2024-03", "03/2024", "03.2024", "202403", "Q1 2024", "2024-Q1", "2024-W05", "KW 05/2024"],
)
def test_months_quarters_and_weeks_are_written_as_they_are_read(like):
    from robustae.data.periods import period_in, spelled_period

    first = period_in(like)
    assert first is not None and period_in(spelled_period(first, like)) == first
    later = period_in(spelled_period(first + dt.timedelta(days=400), like))
    assert dt.timedelta(days=300) < later - first <= dt.timedelta(days=400)


@pytest.mark.parametrize("cell", ["2023-13", "Q5 2024", "2023-W54", "Foo 2024", "13.2023", "1203"])
def test_what_is_no_month(cell):
    from robustae.data.periods import period_in

    assert period_in(cell) is None
