# SPDX-License-Identifier: MIT
"""The plain Python reference path: it accounts for every fault."""

from __future__ import annotations

import pytest
from iopf.tools.bench.baseline import run_baseline


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize(
    ("devices", "handlers", "group_size", "window"), [(1, 1, 1, 1), (2, 2, 4, 16), (3, 1, 5, 2)]
)
def test_every_fault_is_accounted_for(
    devices: int, handlers: int, group_size: int, window: int, batch: int
) -> None:
    result = run_baseline(devices, handlers, group_size, window, 20, batch)
    assert result.faults == devices * 20 * group_size
    assert result.seconds > 0
    assert result.latency_p50_ns > 0
    assert result.cpu_s > 0


@pytest.mark.parametrize("position", range(6))
def test_numbers_are_at_least_one(position: int) -> None:
    numbers = [1, 1, 1, 1, 1, 1]
    numbers[position] = 0
    with pytest.raises(ValueError, match="at least 1"):
        run_baseline(*numbers)
