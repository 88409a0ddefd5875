# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Whether the words of a board that never change after its start still are what its configuration says. See ``intact.pxd``.

Any process of this user may write to a board, and a stray pointer of an actor may. A reader takes its bounds from a private copy
(``view.cfg``, ``view.offsets``), which is checked here once: every region lies where the layout of that configuration has it. Later
comparisons find a board whose results mean nothing. Reads only; runs beside everything.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp

from iopf.cython_ext.crew cimport crew_actor, iopf_actor
from iopf.cython_ext.event_ring cimport event_record, event_ring
from iopf.cython_ext.pool cimport pool
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.config cimport config
from iopf.emulator.board.layout cimport OFF_COUNT, OFF_EVENTS, pool_shapes
from iopf.emulator.spec.classes cimport POOL_CLASSES

from iopf.emulator.board.layout import plan_layout, stride
from iopf.emulator.spec.classes import POOLS as _POOLS
from iopf.emulator.spec.roles import slots_of


cdef int check_plan(view *v) except -1:
    """Raises ValueError if the copy in the view is not the layout of its own configuration."""
    cdef dict cfg = v.cfg
    cdef uint32_t i
    plan = plan_layout(cfg)
    if slots_of(cfg)["total"][1] != v.cfg.slots or plan["total"] > v.size or v.cfg.event_records & (v.cfg.event_records - 1):
        raise ValueError("the shared memory holds no whole board of this build: its configuration does not fit its size")
    for i in range(OFF_COUNT):
        if plan[i] != v.offsets[i]:
            raise ValueError("the shared memory holds no whole board of this build: its regions are not where they belong")
    return 0


cdef object first_damage(view *v):
    """What is not as it was written before the start, in words; None if all is."""
    cdef iopf_actor *actor
    cdef event_ring *ring
    cdef pool *p
    cdef uint32_t i
    if memcmp(&v.board.cfg, &v.cfg, sizeof(config)) != 0:
        return "its configuration"
    if memcmp(v.board.offsets, v.offsets, sizeof(v.offsets)) != 0:
        return "its table of regions"
    if v.crew.actors != v.cfg.slots:
        return "the number of its actors"
    for i in range(v.cfg.slots):
        actor = crew_actor(v.crew, i)
        ring = <event_ring *>(view_region(v, OFF_EVENTS)
                              + <uint64_t>i * (sizeof(event_ring) + <uint64_t>v.cfg.event_records * sizeof(event_record)))
        if actor.slot != i or ring.capacity != v.cfg.event_records:
            return f"the record of actor {i}"
    for cls, (capacity, size, batch) in pool_shapes(v.cfg).items():
        p = v.pools[<uint32_t>cls % POOL_CLASSES]
        if (p.capacity, p.stride, p.offset, p.batch) != (capacity, stride(size), stride(sizeof(pool)), batch):
            return f"the pool of {_POOLS[cls]}"
    return None
