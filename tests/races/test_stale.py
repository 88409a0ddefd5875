# SPDX-License-Identifier: MIT
"""Cached translations beside the calls that take them away: the check that devices make, under controlled schedules."""

from __future__ import annotations

import pytest
from iopf.tools.api import explore

ACCESS = ["d0: start", "translate d0 t0 pages=2 rw=w try", "translate d0 t0 pages=2 rw=w try"]
CHANGES = {
    "unmap": ["unmap t0 4", "map t0 4"],
    "protect": ["protect t0 4 prot=r"],
    "exec": ["exec t0", "map t0 4", "bind d0 t0", "touch t0 4 prot=w"],
    "spawn": ["spawn t0", "map t0 4", "bind d0 t0", "touch t0 4 prot=w"],
    "rebind": ["unbind d0 t0", "zap t0 4", "bind d0 t0", "touch t0 4 prot=w"],
}
POSTED = (
    ["map t0 4", "bind d0 t0", "touch t0 4 prot=w", "t0: start", "unmap t0 4"],
    ["wait-bound d0 t0", "d0: start", "translate d0 t0 pages=4 rw=w try"],
)


@pytest.mark.parametrize("memory", ["sc", "tso"])
@pytest.mark.parametrize("change", CHANGES)
def test_no_schedule_finds_a_stale_translation_in_correct_code(change: str, memory: str) -> None:
    tenant = ["map t0 4", "bind d0 t0", "touch t0 4 prot=w", "t0: start", *CHANGES[change]]
    seen = explore(
        tenant,
        ["wait-bound d0 t0", *ACCESS],
        schedules=3000,
        seconds=60,
        memory=memory,
        kernel={"generation": "v7.2", "options": ["answer-last"]},
    )
    assert (seen.schedules, seen.failure) == (3000, None)


@pytest.mark.parametrize("generation", ["v5.18", "v6.2"])
def test_a_late_posted_write_is_found_until_the_second_invalidation(generation: str) -> None:
    """Functions that complete an invalidation before their posted writes; v6.2 sends a second one to them (e65a6897be5e)."""
    seen = explore(
        *POSTED,
        schedules=3000,
        seconds=60,
        kernel={"generation": generation},
        device=[{"dtlb_extra_inval": True}],
    )
    if generation == "v6.2":
        assert (seen.schedules, seen.failure) == (3000, None)
    else:
        assert seen.failure is not None
        assert seen.failure.what[0].startswith("stale translation")
