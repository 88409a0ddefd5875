# SPDX-License-Identifier: MIT
"""Does the search see anything? Asked before "not found" or "proved" is said.

A build whose scheduling points do nothing, a scheduler that never delays a store, or a judge that accepts everything finds no race in any
program. So a result without a failure counts only if actors of the system took steps at points, and a race that is known to be
there is found with the same memory model within PLANTED_SCHEDULES.
"""

from __future__ import annotations

from functools import cache

from iopf.cython_ext.runqueue import FIRST_DRAIN
from iopf.emulator.races.catalogue import find
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.search import PORTFOLIO, search

PLANTED = "no-drain-before-5.8"
PLANTED_SCHEDULES = 20_000
_SECONDS = 60.0
_DELAYING = 100  # searches, of which one must delay a store


def unreached(lab: Lab) -> list[str]:
    """The actors whose programs must finish, if none of them took a step at a scheduling point in the last schedule. A single one may
    have finished before the schedules begin."""
    seen = {step[0] for step in lab.scheduler.trace}
    return [] if seen & {*lab.must} else [lab.names[slot] for slot in lab.must]


@cache
def blind(memory: str) -> str:
    """What a search with this memory model does not see, or an empty string. No lab may be open. Once per process: about 0.1 s."""
    race = find(PLANTED)
    assert race is not None
    with lab_of(race, defective=True, memory=memory) as lab:
        if search(lab, 1, seconds=_SECONDS, most=PLANTED_SCHEDULES).failure is None:
            return f"the planted race {PLANTED} was not found in {PLANTED_SCHEDULES:,} schedules"
        if memory == "tso" and not any(_delays(lab, seed) for seed in range(_DELAYING)):
            return f"no store was delayed in {_DELAYING} searches"
    return ""


def _delays(lab: Lab, seed: int) -> bool:
    """Whether a store took effect in a step of its own, in a schedule of the round that delays stores: the second."""
    search(lab, seed, seconds=_SECONDS, most=len(PORTFOLIO) + 1)
    return any(step[0] >= FIRST_DRAIN for step in lab.scheduler.trace)


def doubt(actors: list[str], memory: str) -> str:
    """Why a result without a failure proves nothing, or an empty string. `actors`: as `unreached` returns them."""
    if actors:
        return f"no scheduling point was reached by {', '.join(actors)}"
    seen = blind(memory)
    return f"{seen}: the scheduling points of this build do not work" if seen else ""
