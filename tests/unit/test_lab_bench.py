# SPDX-License-Identifier: MIT
"""The statistics of the bench of races."""

from __future__ import annotations

import pytest
from iopf.tools.lab.report.bench import bars, document, table, within, wrong
from iopf.tools.lab.search.bench import Measured, Plan, Search, p95


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0], 1.0), ([float(n) for n in range(1, 101)], 95.0), ([3.0, 1.0, 2.0], 3.0)],
)
def test_the_95th_percentile_is_a_value_that_was_measured(
    values: list[float], expected: float
) -> None:
    assert p95(values) == expected


MISSED = Search("random", 3, 0, None, None, None, None, None)
FOUND = Search("random", 3, 3, 5.0, 9.0, 9, 0.1, 0.2, [0.1, 2_000.0, 20_000.0])
PLAN = Plan(3, 30.0, 1, 1, ["random"])


def test_a_race_that_is_missed_is_counted_and_has_no_times() -> None:
    measured = [Measured("some-race", 2, [MISSED]), Measured("other", 1, [FOUND])]
    lines = table(measured, PLAN)
    assert lines[1].split()[:3] == ["some-race", "0/3", "-"]
    assert lines[2].split()[:3] == ["other", "3/3", "5"]
    assert "not found   by random within 30 s: some-race (0/3)" in lines
    assert "found       all by random within 30 s" in table(measured[1:], PLAN)
    assert wrong(measured) == []
    first, plotted = [line for line in lines if line.startswith("random")]
    assert first.split() == ["random", "3/6", "1", "2", "-", "1"]
    assert plotted.endswith("| 50%")
    (strategy,) = document(measured, PLAN)["strategies"]
    assert strategy["within_s"] == {"1": 1, "10": 2, "60": None}
    assert (strategy["found"], strategy["trials"], strategy["races_missed"]) == (3, 6, 1)


def test_failures_independent_of_the_budget_name_their_race() -> None:
    measured = [
        Measured("alarm", 1, [FOUND], fixed_schedules=2100, false_alarms=1),
        Measured("run-alarm", 1, [FOUND], fixed_runs=10, run_alarms=2),
        Measured("replay", 1, [FOUND], replays=10, replays_same=9),
        Measured("fine", 1, [FOUND], replays=10, replays_same=10, fixed_schedules=2100),
    ]
    assert wrong(measured) == [
        "alarm: 1 of 2,100 schedules of the fixed variant fail",
        "run-alarm: 2 of 10 runs of the fixed variant fail",
        "replay: 1 of 10 replays differ",
    ]


@pytest.mark.parametrize(
    ("searches", "budget", "expected"),
    [
        ([FOUND], 1, 1),
        ([FOUND], 60, 3),  # the trials were ended after 30 s, but nothing was missed
        ([FOUND, MISSED], 10, 2),
        ([FOUND, MISSED], 60, None),
        ([MISSED], 1, 0),
    ],
)
def test_the_count_within_a_budget_may_be_unknown(
    searches: list[Search], budget: int, expected: int | None
) -> None:
    assert within(searches, budget, 30.0) == expected


def test_the_plot_grows_from_nothing_to_all_and_stops_with_the_trials() -> None:
    full = bars([0.05, 1.5, 500.0, 5_000.0], 4, 10.0)
    assert len(full) == 60
    assert (full[0], full[-1]) == ("▂", "█")
    assert list(full) == sorted(full)
    half = bars([1.5], 2, 1.0)
    assert half.startswith(" ")
    assert half.rstrip(".").endswith("▄")
    assert half.endswith(".")
    assert set(bars([], 3, 1000.0)) == {" "}
    assert set(bars([0.01] * 99, 100, 1000.0)) == {"▇"}
