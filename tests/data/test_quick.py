"""Large files by pyarrow: the same values, lines and names as by the reader of cells, or not at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustae.data import quick, read_table, tabular

pytest.importorskip("pyarrow")
# What is plain, and what the reader of cells takes for something else than its digits.
PLAIN = [
    "1",
    "-2.5",
    "3e-5",
    "0.125",
    "12.25",
    "",
    "NA",
    "nan",
    "null",
    "-0",
    "7.5E+3",
    "1234567",
    ".5",
    "6.",
]
ODD = [
    "00501",
    "20240131",
    "4000123400000017",
    "12e4",
    "+4917012345678",
    "1,5",
    "true",
    '"5"',
    " 8",
    "1_000",
    "inf",
]
ODD += [
    "1e400",
    "x",
    "5 kg",
    "-",
    "#DIV/0!",
    "202403",
    "03.2024",
    "0x10",
    "1.325",
    "12:30",
    "",
    "1\r",
    "٣",
    "2d5",
]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(quick, "LARGE", 0)


def both(path):
    """What pyarrow is trusted with, and what the reader of cells finds; None for what is refused."""
    taken = []

    def by_arrow(*given):
        taken.append(quick.matrix_of_file(*given))
        return taken[0]

    found = []
    for one in (by_arrow, lambda *_: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tabular, "matrix_of_file", one)
            try:
                found.append(read_table(path))
            except ValueError:
                found.append(None)
    return taken[0] if taken else None, *found


def alike(path):
    taken, mine, other = both(path)
    if taken is None:
        return False
    assert mine is not None and other is not None and not other.mixed
    np.testing.assert_array_equal(mine.values, other.values)
    np.testing.assert_array_equal(np.signbit(mine.values), np.signbit(other.values))
    np.testing.assert_array_equal(mine.lines, other.lines)
    assert mine.columns == other.columns and mine.dropped == other.dropped and mine.notes == other.notes
    assert mine.dialect == other.dialect
    return True


def test_plain_files_are_read_by_pyarrow(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4)).tolist()
    for delimiter in ",;\t|":
        for end in ("\n", "\r\n"):
            path = tmp_path / "plain.csv"
            lines = [delimiter.join("abcd"), *(delimiter.join(map(repr, row)) for row in rows)]
            path.write_bytes((end.join(lines) + end).encode())
            assert alike(path)
    path.write_text("a note\n\na,b\n1.5,2\n2.5,7\n4.5,5\n")
    assert alike(path)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_file_is_read_alike_or_left(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("quick") / "any.csv"
    width, rows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 70))
    cell = st.sampled_from(PLAIN)
    table = [[data.draw(cell) for _ in range(width)] for _ in range(min(rows, 12))]
    table = [table[i % len(table)] for i in range(rows)]
    for _ in range(data.draw(st.integers(0, 2))):
        row = data.draw(st.integers(0, rows - 1))
        table[row] = [*table[row]]
        table[row][data.draw(st.integers(0, width - 1))] = data.draw(st.sampled_from(ODD))
    delimiter = data.draw(st.sampled_from(",;\t"))
    lines = [delimiter.join(row) for row in table]
    if data.draw(st.booleans()):
        lines = [delimiter.join("abcd"[:width]), *lines]
    if data.draw(st.integers(0, 4)) == 0:
        lines.insert(
            data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from(["", delimiter, "note"]))
        )
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    path.write_bytes((end.join(lines) + data.draw(st.sampled_from(["", end]))).encode())
    alike(path)


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd])
def test_odd_cells_far_down_are_left_to_the_reader_of_cells(odd, tmp_path, monkeypatch):
    monkeypatch.setattr(quick, "_BLOCK", 64)
    path = tmp_path / "odd.csv"
    rows = [f"{i % 7}.5,{(i * i) % 11}.25" for i in range(200)]
    path.write_text("\n".join(["a,b", *rows, f"{odd},1", *rows]) + "\n", newline="")
    taken = both(path)[0]
    assert taken is None or odd in ("202403", "03.2024", "1.325", "-")
    alike(path)
