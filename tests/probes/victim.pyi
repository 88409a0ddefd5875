# SPDX-License-Identifier: MIT
"""Types of the compiled module; see ``victim.pyx``."""

import enum

from tests.probes.crew import Crew

class Step(enum.IntFlag):
    STEP_MUTEX = 0
    STEP_MUTEX_UNLOCK_WAKE = 1
    STEP_RW_WRITE = 2
    STEP_RW_WRITE_UNLOCK_WAKE = 3
    STEP_RW_READ = 4
    STEP_REF_GET = 5
    STEP_REF_PUT = 6
    STEP_RCU = 7
    STEP_RCU_SYNC = 8
    STEP_POOL_ALLOC = 9
    STEP_POOL_FREE = 10
    STEP_LIST_ADD = 11
    STEP_LIST_DEL = 12
    STEP_LINK_PUSH = 13
    STEP_LINK_POP = 14
    STEP_RECORD_PUT = 15
    STEP_RECORD_GET = 16
    STEP_WORK_PUSH = 17
    STEP_WORK_POP = 18
    STEP_WORK_POP_DONE = 19
    STEP_WORK_DONE = 20
    STEP_WORK_FLUSH = 21
    STEP_WORK_SEARCH = 22
    STEP_EVENT = 23
    STEP_HISTOGRAM = 24
    STEP_EC_WAIT = 25
    STEP_EC_NOTIFY = 26
    STEP_LOCKDEP = 27

def step(
    crew: Crew, what: Step, armed_offset: int, at: int, at2: int = 0, arg: int = 0
) -> None: ...
