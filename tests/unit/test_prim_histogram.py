# SPDX-License-Identifier: MIT
"""Histogram bins against a model: every value has its bin, bins are monotonic, the error stays within 1/32."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.probes.crew import SIZES
from tests.probes.rings import Histogram
from tests.support.board import Board

STEPS, BINS, LIMIT = 32, 1024, 2**36
values = st.one_of(
    st.integers(0, 2**64 - 1),
    st.builds(
        lambda e, d: max(0, min(2**64 - 1, 2**e + d)), st.integers(0, 63), st.integers(-2, 2)
    ),
)


def lower_bound(index: int) -> int:
    """The smallest value of a bin, computed from the module's documentation."""
    if index < STEPS:
        return index
    power, step = divmod(index, STEPS)
    return (STEPS + step) << (power - 1)


def width(index: int) -> int:
    return 1 if index < STEPS else 1 << (index // STEPS - 1)


def test_every_bin_begins_and_ends_where_it_should() -> None:
    for index in range(BINS):
        low = lower_bound(index)
        assert Histogram.bin_of(low) == index
        assert Histogram.bin_of(low + width(index) - 1) == index
        assert low < STEPS or width(index) * STEPS <= low
    assert lower_bound(BINS - 1) + width(BINS - 1) == LIMIT


@given(values)
def test_a_value_lies_in_its_bin(value: int) -> None:
    index = Histogram.bin_of(value)
    if value >= LIMIT:
        assert index == BINS - 1
    else:
        assert lower_bound(index) <= value < lower_bound(index) + width(index)
        assert (value - lower_bound(index)) * STEPS <= value


@given(values, values)
def test_bins_grow_with_values(one: int, two: int) -> None:
    assert (Histogram.bin_of(one) <= Histogram.bin_of(two)) or one > two


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=60))
def test_sums_against_a_model(added: list[int]) -> None:
    board = Board(1, 1 << 14)
    hist = Histogram(board.crew, board.take(SIZES["histogram"]))
    for value in added:
        hist.add(value)
    assert hist.summary() == {
        "count": len(added),
        "total": sum(added),
        "max": max(added),
        "min": min(added),
    }
    assert hist.bins() == Counter(Histogram.bin_of(value) for value in added)
