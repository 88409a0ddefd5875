# SPDX-License-Identifier: MIT
"""Kills a victim after every instruction of one operation; run as ``python -m tests.support.kill_server CASE``.

A separate process, small and without threads, so that thousands of forks are cheap. For kill point k it builds the case again, forks
the victim, lets it run to its trap and k instructions further, and kills it. Then it does what the supervisor does (marks the slot
dead, lets the case repair), and a survivor in a second fork continues working and checks. A survivor that does not end within
``SURVIVOR_BOUND_S`` is a hang. The last line of the output is JSON:

    points  number of kill points: instructions of the operation, and one before the first
    bad     [k, what happened] for each point after which a check failed
    notes   counts of the survivors: sums over all points
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections import Counter

from tests.support.kill_cases import CASES, SUPERVISOR, SURVIVOR, VICTIM, Case, Fixture
from tests.support.tracing import Victim

SURVIVOR_BOUND_S = 2.0
MOST_POINTS = 3000
MOST_BAD = 40
ARMED_DONE = 2


def _kill_at(case: Case, fixture: Fixture, k: int) -> bool:
    """Fork a victim and kill it after ``k`` instructions; false if its operation had finished by then."""

    victim = Victim(lambda: case.act(fixture, fixture.board.as_slot(VICTIM)))
    inside = True
    try:
        for _ in range(k):
            victim.step()
            if fixture.board.memory.read_u32(fixture.armed) == ARMED_DONE:
                inside = False
                break
    finally:
        victim.kill()
    return inside


def _survive(case: Case, fixture: Fixture, repaired: int) -> str | dict[str, int]:
    """Run the survivor; return its counts, or the failure."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            signal.setitimer(signal.ITIMER_REAL, SURVIVOR_BOUND_S)
            try:
                notes = case.survive(fixture, fixture.board.as_slot(SURVIVOR), repaired)
                told = fixture.board.crew.verdicts()
                assert told == [], f"verdicts: {told}"
                os.write(writer, json.dumps(notes).encode())
            except BaseException:
                os.write(writer, json.dumps(traceback.format_exc()[-1500:]).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    status = os.waitpid(pid, 0)[1]
    message = os.read(reader, 1 << 16)
    os.close(reader)
    if status == signal.SIGALRM:
        return f"HANG: {fixture.board.report().splitlines()[SURVIVOR]}"
    if status != 0 or not message:
        return f"the survivor ended with wait status {status}"
    result: str | dict[str, int] = json.loads(message)
    return result


def run_case(case: Case) -> dict[str, object]:
    began = time.monotonic()
    bad: list[tuple[int, str]] = []
    notes: Counter[str] = Counter()
    k, inside = 0, True
    while inside and k < MOST_POINTS * case.stride and len(bad) < MOST_BAD:
        fixture = case.fixture()
        case.build(fixture)
        inside = _kill_at(case, fixture, k)
        supervisor = fixture.board.as_slot(SUPERVISOR)
        supervisor.mark_dead(VICTIM)
        outcome = _survive(case, fixture, case.repair(fixture, supervisor))
        if isinstance(outcome, str):
            bad.append((k, outcome))
        else:
            notes.update(outcome)
        k += case.stride
    return {
        "points": len(range(0, k, case.stride)),
        "finished": not inside,
        "bad": bad,
        "notes": notes,
        "seconds": round(time.monotonic() - began, 2),
    }


if __name__ == "__main__":
    print(json.dumps(run_case(CASES[sys.argv[1]])))
