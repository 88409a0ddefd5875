# SPDX-License-Identifier: MIT
"""All cases of the stepping test, by name. See ``kill_case.py``; the required state after the death is with the cases of each
primitive.
"""

from __future__ import annotations

from tests.probes.victim import Step
from tests.support.kill_case import SUPERVISOR, SURVIVOR, VICTIM, Case, Fixture
from tests.support.kill_cases_ioasid import ioasid_cases
from tests.support.kill_cases_locks import EventCountCase, MutexCase, RcuCase, RefCase, RwCase
from tests.support.kill_cases_pool import ListCase, PoolCase
from tests.support.kill_cases_rings import EventCase, HistogramCase, RingCase
from tests.support.kill_cases_work import SearchCase, WorkCase

__all__ = ["CASES", "SUPERVISOR", "SURVIVOR", "VICTIM", "Case", "Fixture"]


def _cases() -> dict[str, Case]:
    return {
        "mutex lock and unlock": MutexCase(Step.STEP_MUTEX),
        "mutex unlock with a sleeper": MutexCase(Step.STEP_MUTEX_UNLOCK_WAKE),
        "mutex takeover from the dead": MutexCase(Step.STEP_MUTEX, dead_owner=True),
        "rwlock write, then a writer": RwCase(Step.STEP_RW_WRITE),
        "rwlock write, then a reader": RwCase(Step.STEP_RW_WRITE, read_first=True),
        "rwlock write unlock with a sleeper": RwCase(Step.STEP_RW_WRITE_UNLOCK_WAKE),
        "rwlock read": RwCase(Step.STEP_RW_READ),
        "rwlock takeover by a writer": RwCase(Step.STEP_RW_WRITE, dead_owner=True),
        "rwlock takeover by a reader": RwCase(Step.STEP_RW_READ, dead_owner=True),
        "refcount get": RefCase(Step.STEP_REF_GET),
        "refcount put": RefCase(Step.STEP_REF_PUT),
        "rcu read section": RcuCase(Step.STEP_RCU),
        "rcu synchronize": RcuCase(Step.STEP_RCU_SYNC),
        "pool alloc from the magazine": PoolCase(Step.STEP_POOL_ALLOC, 2, 0),
        "pool alloc with a grab": PoolCase(Step.STEP_POOL_ALLOC, 0, 0),
        "pool free": PoolCase(Step.STEP_POOL_FREE, 3, 0),
        "pool free with a flush": PoolCase(Step.STEP_POOL_FREE, 12, 7),
        "list add": ListCase(Step.STEP_LIST_ADD),
        "list del": ListCase(Step.STEP_LIST_DEL),
        "link push": RingCase(Step.STEP_LINK_PUSH, record_ring=False, push=True),
        "link pop": RingCase(Step.STEP_LINK_POP, record_ring=False, push=False),
        "record ring put": RingCase(Step.STEP_RECORD_PUT, record_ring=True, push=True),
        "record ring get": RingCase(Step.STEP_RECORD_GET, record_ring=True, push=False),
        "work push": WorkCase(Step.STEP_WORK_PUSH),
        "work pop": WorkCase(Step.STEP_WORK_POP),
        "work pop and done": WorkCase(Step.STEP_WORK_POP_DONE),
        "work done that frees three": WorkCase(Step.STEP_WORK_DONE),
        "work flush": WorkCase(Step.STEP_WORK_FLUSH),
        "work search that finds nothing": SearchCase(Step.STEP_WORK_SEARCH, found=False),
        "work search that leaves work for the next": SearchCase(Step.STEP_WORK_SEARCH, found=True),
        "work search beside another": SearchCase(Step.STEP_WORK_SEARCH, found=False, others=1),
        "event write": EventCase(Step.STEP_EVENT),
        "histogram add": HistogramCase(Step.STEP_HISTOGRAM),
        "eventcount prepare, cancel, sleep": EventCountCase(Step.STEP_EC_WAIT),
        "eventcount notify": EventCountCase(Step.STEP_EC_NOTIFY),
        **ioasid_cases(),
    }


CASES = _cases()
