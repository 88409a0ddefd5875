# SPDX-License-Identifier: MIT
"""How much slower than the reference this machine runs now, for time limits and the expected duration of the suite.

The reference is an idle core on which the loop below takes REFERENCE_S. Load beside the suite counts as a slower machine.
"""

from __future__ import annotations

import os
import time
from functools import cache

REFERENCE_S = 0.018
TEST_CPU_S = 0.28  # processor time of the mean test on the reference
_ROUNDS = 5
_STEPS = 600_000
_MOST = 40.0


def _loop() -> float:
    began = time.perf_counter()
    total = 0
    for number in range(_STEPS):
        total += number & 7
    assert total
    return time.perf_counter() - began


@cache
def slowdown() -> float:
    """1 for the reference or a faster machine, 10 for one that takes ten times as long. Measured once per process."""
    times = sorted(_loop() for _ in range(_ROUNDS))
    return min(max(times[_ROUNDS // 2] / REFERENCE_S, 1.0), _MOST)


def expected_s(tests: int, workers: int) -> float:
    """Duration of this many tests at the present speed."""
    return tests * TEST_CPU_S * slowdown() / max(min(workers, len(os.sched_getaffinity(0))), 1)
