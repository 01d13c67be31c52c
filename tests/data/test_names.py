"""Names of columns: each gets one of its own, in a time that grows with their number."""

import time

from hypothesis import given
from hypothesis import strategies as st

from robustae.data.layout import distinct

SOME = ["a", "a ", " ", "", "b", "a.1", "a.2", "b.1", "column 2", "a.1.1"]


def plainly(names):
    """One after the other, each against all before it."""
    found = []
    for j, name in enumerate(names):
        name = name.strip() or f"column {j}"
        before = sum(other.strip() == name for other in names[:j])
        free = [name] * (before == 0) + [f"{name}.{k}" for k in range(max(before, 1), len(names) + 2)]
        found.append(next(one for one in free if one not in found))
    return found


@given(st.lists(st.sampled_from(SOME), max_size=14))
def test_names_that_come_again_are_numbered(names):
    assert distinct(names) == plainly(names)


def test_many_equal_names_take_no_longer_than_others():
    """Compared with reading them one against another, in one run."""
    equal, taken = ["a"] * 20_000, [f"a.{k}" for k in range(10_000)] + ["a"] * 10_000
    begin = time.process_time()
    assert len(set(distinct(equal))) == len(set(distinct(taken))) == 20_000
    quick, begin = time.process_time() - begin, time.process_time()
    plainly(equal[:1000])
    assert quick < 20 * (time.process_time() - begin)
