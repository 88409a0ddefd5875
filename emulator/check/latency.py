# SPDX-License-Identifier: MIT
"""Percentiles of the log-linear histograms of ``cython_ext/histogram.pxd``, with the same bins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STEPS = 32
STAGES = (
    "device to hardware",
    "hardware queue",
    "report",
    "work queue",
    "mm fault",
    "respond",
    "command queue",
    "back to device",
    "round trip",
)


def bin_bounds(index: int) -> tuple[int, int]:
    """Smallest and largest value of a bin, in nanoseconds."""
    if index < STEPS:
        return index, index
    exponent = index // STEPS + 4
    width = 1 << (exponent - 5)
    low = (STEPS + index % STEPS) * width
    return low, low + width - 1


def percentile(bins: Mapping[int, int], share: float) -> int:
    """The value below which ``share`` of the samples are, as the middle of its bin; 0 without samples."""
    total = sum(bins.values())
    wanted = share * total
    seen = 0
    for index in sorted(bins):
        seen += bins[index]
        if seen >= wanted:
            low, high = bin_bounds(index)
            return (low + high) // 2
    return 0


def stage_summary(stage: Mapping[str, Any]) -> dict[str, Any]:
    """count, mean, p50, p99, p99.9, max in nanoseconds, and the bins as {min, max, count}."""
    bins = stage["bins"]
    count = stage["count"]
    most = stage["max"]
    return {
        "count": count,
        "mean_ns": stage["total"] // count if count else 0,
        "p50_ns": min(percentile(bins, 0.5), most),
        "p99_ns": min(percentile(bins, 0.99), most),
        "p999_ns": min(percentile(bins, 0.999), most),
        "max_ns": most,
        "bins": [
            {"min": bin_bounds(i)[0], "max": bin_bounds(i)[1], "count": bins[i]}
            for i in sorted(bins)
        ],
    }
