# SPDX-License-Identifier: MIT
"""The status line fits its terminal: parts are dropped by rank, the least important first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iopf.tools.supervisor.status_line import SEPARATOR, fitted

PARTS = [(0, "00:03 run"), (2, "1/4 devices done"), (1, "3.1M requests/s")]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (80, "00:03 run · 1/4 devices done · 3.1M requests/s"),
        (46, "00:03 run · 1/4 devices done · 3.1M requests/s"),
        (45, "00:03 run · 3.1M requests/s"),
        (26, "00:03 run"),
        (5, "00:03"),
    ],
)
def test_parts_are_dropped_by_rank(columns: int, text: str) -> None:
    assert fitted(PARTS, columns) == text


@given(st.lists(st.text("ab", max_size=9), min_size=1, max_size=7), st.integers(1, 90))
def test_the_line_never_wraps(texts: list[str], columns: int) -> None:
    line = fitted(list(enumerate(texts)), columns)
    assert len(line) <= columns
    assert SEPARATOR.join(texts).startswith(line)
