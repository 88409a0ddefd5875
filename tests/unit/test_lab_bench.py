"""What the bench of races makes of its numbers."""

from __future__ import annotations

import pytest

from tools.lab.bench import Measured, Search, p95, table


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0], 1.0), ([float(n) for n in range(1, 101)], 95.0), ([3.0, 1.0, 2.0], 3.0)],
)
def test_the_95th_percentile_is_a_value_that_was_measured(
    values: list[float], expected: float
) -> None:
    assert p95(values) == expected


def test_a_race_that_is_missed_is_counted_and_has_no_times() -> None:
    missed = Measured("some-race", 2, [Search("random", 3, 0, None, None, None, None, None)])
    found = Measured("other", 1, [Search("random", 3, 3, 5.0, 9.0, 9, 0.1, 0.2, 3)])
    lines = table([missed, found])
    assert lines[1].split()[:3] == ["some-race", "0/3", "-"]
    assert lines[2].split()[:3] == ["other", "3/3", "5"]
    (strategy,) = [line for line in lines if line.startswith("random")]
    assert strategy.split() == ["random", "3/6", "3", "1"]
