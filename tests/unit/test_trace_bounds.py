# SPDX-License-Identifier: MIT
"""Work that a small trace can ask for is bounded, and what is counted twice is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from iopf.emulator.trace import address_space, replay
from iopf.emulator.trace import plan as plan_module
from iopf.emulator.trace.address_space import TooMuchWork
from iopf.emulator.trace.plan import TracePlan
from iopf.emulator.trace.replay import build_programs
from iopf.emulator.trace.source import TraceError

from tests.support.trace_text import call, fault, fork, leave, mmap, planner


def test_pages_moved_to_and_fro_are_counted_once_each(tmp_path: Path) -> None:
    """Each call moves what is there; kept at both places, 40 calls over growing ranges would make 2^40 pages."""
    text, at = fault(1, 1, 0x10000000), 0x10000000
    length = 4096
    for n in range(24):
        to = at + length
        text += call(1, 10 + n, "mremap", to, addr=at, old_len=length, new_len=length, flags=3)
        text += fault(1, 10 + n, at)
        length *= 2
    plan = planner(tmp_path)(text)
    programs = build_programs(plan, 1)
    assert programs.requests == 25
    assert programs.pages_by_tenant[0] < 400


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            lambda: "".join(fault(1, n, n << 21) for n in range(1, 101))
            + "".join(fork(200, 1, 2 + n) + leave(2 + n, 201) for n in range(3)),
            "its forks inherit more than 250 mappings",
        ),
        (
            lambda: "".join(mmap(1, 2 * n, n << 21, 1 << 21) for n in range(1, 51))
            + "".join(call(1, 100 + 2 * n, "madvise", 0, start=1 << 21, len_in=50 << 21, behavior=4)
                      for n in range(30)),
            "its calls go through more than 1000 mappings",
        ),
    ],
)  # fmt: skip
def test_work_that_grows_with_the_square_of_the_events_is_bounded(
    text: Callable[[], str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (address_space, plan_module, replay):
        for name, limit in (("WORK_MAX", 1000), ("INHERITED_MAX", 250)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, limit)
    with pytest.raises(TraceError, match=what):
        planner(tmp_path)(text())


def test_pages_that_forks_and_moves_take_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = "".join(fault(1, n, n << 12) for n in range(1, 101))
    forks = planner(tmp_path)(
        pages + "".join(fork(200, 1, 2 + n) + leave(2 + n, 201) for n in range(3))
    )
    moves = planner(tmp_path)(
        pages
        + "".join(
            call(1, 200 + n, "mremap", (n + 1) << 30, addr=max(n << 30, 4096), old_len=100 << 12,
                 new_len=100 << 12, flags=3)
            for n in range(12)
        )
    )  # fmt: skip
    monkeypatch.setattr(replay, "INHERITED_MAX", 250)
    with pytest.raises(TooMuchWork, match="its forks inherit more than 250 pages"):
        build_programs(forks, 1)
    with pytest.raises(TooMuchWork, match="mremap move more than 250 pages"):
        build_programs(moves, 1)
    monkeypatch.setattr(replay, "INHERITED_MAX", 10**6)
    monkeypatch.setattr(replay, "WORK_MAX", 1000)
    with pytest.raises(TooMuchWork, match="mremap go through more than 1000 pages"):
        build_programs(moves, 1)


@pytest.mark.parametrize(
    ("devices", "limit", "gap", "what"),
    [(0, 16, 0, "devices"), (1, 0, 0, "group_limit"), (1, 65, 0, "group_limit"), (1, 1, -1, "gap")],
)
def test_limits_are_checked(devices: int, limit: int, gap: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        build_programs(TracePlan([]), devices, limit, gap_limit_ns=gap)
