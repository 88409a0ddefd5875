# SPDX-License-Identifier: MIT
"""The account: every identity has a case that only it detects."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from iopf.emulator.check.account import check_device, check_pools, device_totals, totals
from iopf.emulator.check.latency import bin_bounds, percentile, stage_summary


def balanced() -> dict[str, Any]:
    """A device that sent 100 requests with every kind of fate."""
    return {
        "link_up": 1,
        "device": {
            "sent": 100,
            "retired_ok": 80,
            "retired_invalid": 16,
            "retired_failure": 4,
            "forgotten": 0,
            "open_requests": 0,
            "failed": 0,
        },
        "hardware": {
            "received": 100,
            "enqueued": 80,
            "auto_success": 5,
            "auto_invalid": 3,
            "drop_overflow": 8,
            "drop_refused": 4,
            "link_down": 0,
        },
        "kernel": {
            "popped": 82,
            "markers": 2,
            "answered_ok": 60,
            "answered_invalid": 8,
            "answered_failure": 2,
            "discarded": 4,
            "freed": 3,
            "rejected": 2,
            "unanswered": 0,
            "acknowledged": 0,
            "injected": 0,
            "dropped_nomem": 1,
            "partial": 0,
            "pending": 0,
        },
    }


def test_a_balanced_device_has_no_disagreement() -> None:
    device = balanced()
    assert check_device("dev", device) == []
    total = device_totals(device)
    assert (total.sent, total.in_flight) == (100, 0)
    assert total.answered == 60 + 8 + 2 + 2 + 5 + 3
    assert total.lost_total == 8 + 4 + 4 + 3 + 1


@pytest.mark.parametrize(
    ("side", "key", "words"),
    [
        ("device", "sent", "sent is 101"),
        ("device", "retired_ok", "retired by responses"),
        ("hardware", "drop_overflow", "received by the hardware is 100, its outcomes"),
        ("kernel", "popped", "enqueued is 80, read by the kernel is 81"),
        ("kernel", "answered_ok", "read by the kernel is 80, its outcomes is 81"),
        ("kernel", "pending", "still pending"),
        ("kernel", "partial", "partial list"),
        ("device", "open_requests", "still in flight"),
    ],
)
def test_one_count_too_many_is_named(side: str, key: str, words: str) -> None:
    device = balanced()
    device[side][key] += 1
    assert any(words in line for line in check_device("dev", device))


def test_a_removed_device_is_judged_by_received_requests() -> None:
    device = copy.deepcopy(balanced())
    device["link_up"] = 0
    device["device"]["sent"] = 130
    assert check_device("dev", device) == []
    assert device_totals(device).in_flight == 0


def test_totals_add_up() -> None:
    total = totals([balanced(), balanced()])
    assert (total.sent, total.in_flight, total.lost["overflow"]) == (200, 0, 16)


def test_leaks_are_named() -> None:
    pools = {"group": {"live": 2, "lost": 0}, "fault": {"live": 0, "lost": 3}}
    assert check_pools(pools, 1) == [
        "leak: 2 group objects are still allocated",
        "leak: 3 fault slots are in no list",
        "leak: 1 PASIDs are still allocated",
    ]


def test_percentiles_lie_in_their_bins() -> None:
    for index in range(1024):
        low, high = bin_bounds(index)
        assert high - low <= max(low / 32, 0)
        if index:
            assert bin_bounds(index - 1)[1] + 1 == low
    bins = {10: 50, 100: 49, 300: 1}
    assert percentile(bins, 0.5) == 10
    assert bin_bounds(100)[0] <= percentile(bins, 0.99) <= bin_bounds(100)[1]
    assert percentile({}, 0.5) == 0
    stage = stage_summary({"count": 100, "total": 1000, "max": 11, "bins": bins})
    assert stage["p50_ns"] == 10
    assert stage["p999_ns"] == 11
