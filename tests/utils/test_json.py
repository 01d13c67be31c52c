"""Everything NumPy makes has a place in JSON, and JSON's own values are unchanged."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustae.utils.json import compact, plain

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
)


@given(TREES)
def test_json_stays_as_it_is(tree):
    assert plain(tree) == tree
    assert json.loads(compact(tree)) == tree


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(2**53 + 1), 2**53 + 1),
        (np.bool_(True), True),
        (np.array([[1.0, math.nan], [math.inf, 2.0]]), [[1.0, None], [None, 2.0]]),
        (np.array(["a", None, 3], object), ["a", None, 3]),
        ((1, (2, np.uint8(3))), [1, [2, 3]]),
        ({1: np.arange(2)}, {"1": [0, 1]}),
        (np.datetime64("2024-02-29"), "2024-02-29"),
        (np.datetime64("2024-02-29T10:11:12.5"), "2024-02-29T10:11:12"),
        (np.datetime64("NaT"), None),
        (np.array(["2024-02-29", "NaT"], "M8[D]"), ["2024-02-29", None]),
        (Path("a"), "a"),
        (np.random.RandomState, str(np.random.RandomState)),
    ],
)
def test_values_of_numpy_become_those_of_json(value, found):
    assert plain(value) == found
    assert type(plain(value)) is type(found)


def test_infinities_are_texts_where_asked_for():
    values = [math.inf, -math.inf, math.nan, 1.0]
    assert plain(values, infinite=True) == ["inf", "-inf", None, 1.0]
    assert plain(values) == [None, None, None, 1.0]
