# SPDX-License-Identifier: MIT
"""The regression test of the README: a suspected race, as a driver author would write it."""

from __future__ import annotations

from typing import Any

import pytest

UNBIND = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]
FAULT = ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a try"]
MARKER: dict[str, Any] = {"device": [{"stop": "marker"}]}


@pytest.mark.race(schedules=3000)
def test_unbind_against_a_fault(iopf_race: Any) -> None:
    iopf_race(UNBIND, FAULT, **MARKER)


@pytest.mark.race(depth=3, mode="processes")
def test_the_test_can_fail(iopf_race: Any) -> None:
    iopf_race.finds(UNBIND, FAULT, kernel={"defects": ["remove-before-drain"]}, **MARKER)
