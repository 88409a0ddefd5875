# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Formatting the board, and attaching to it. Contents: see ``board.pxd``; offsets: see ``layout.pxd``."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memset

from iopf.cython_ext.crew cimport POINT_NOISE, POINT_NORMAL, crew_actor, iopf_actor, iopf_crew
from iopf.cython_ext.event_ring cimport event_record, event_ring
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.pool cimport pool, pool_format
from iopf.cython_ext.work_ring cimport work_format, workring, workslot
from iopf.emulator.spec.classes cimport *
from iopf.emulator.board.config cimport write_config
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.ioasid cimport ioasid_state
from iopf.emulator.board.iommus cimport iommu_regs
from iopf.emulator.board.layout cimport *
from iopf.emulator.board.progress cimport driver
from iopf.emulator.spec.roles cimport *
from iopf.emulator.board.tenants cimport tenant
from iopf.emulator.spec.pci cimport RID_BASE
from iopf.emulator.spec.errno cimport EINVAL

from iopf.emulator.board.layout import layout_hash, plan_layout, stride, work_bytes
from iopf.emulator.spec.roles import slots_of


cdef board *board_in(Memory memory) except NULL:
    if memory.size < BOARD_AT + sizeof(board):
        raise ValueError("the shared memory is too short for a board")
    return <board *>(memory.base + BOARD_AT)


def format_board(Memory memory not None, dict config, *, uint64_t tick_mult, uint32_t spins, uint32_t yields, bint lockdep, bint poison,
                 uint32_t noise_yield_in=0, uint32_t noise_sleep_in=0):
    """Writes a fresh board into zeroed memory; the layout is that of ``plan_layout(config)``."""
    cdef board *b = board_in(memory)
    cdef iopf_crew *crew
    cdef iopf_actor *actor
    cdef uint32_t i, first, count, total
    layout = plan_layout(config)
    if memory.size < layout["total"]:
        raise ValueError(f"the board needs {layout['total']} bytes, the memory has {memory.size}")
    write_config(&b.cfg, config)
    for which, offset in layout.items():
        if which != "total":
            b.offsets[<uint32_t>which] = offset
    slots = slots_of(config)
    total = slots["total"][1]
    crew = <iopf_crew *>(memory.base + <uint64_t>layout[OFF_CREW])
    crew.actors = b.cfg.slots = total
    crew.tick_mult = tick_mult
    crew.spins, crew.yields, crew.lockdep, crew.poison = spins, yields, lockdep, poison
    crew.ref_limit = config["ref_limit"]
    crew.rcu_epoch = 1
    roles = (("supervisor", ROLE_SUPERVISOR), ("iommu", ROLE_IOMMU), ("irq", ROLE_IRQ), ("handler", ROLE_HANDLER), ("task", ROLE_TASK),
             ("driver", ROLE_DRIVER), ("tenant", ROLE_TENANT), ("device", ROLE_DEVICE))
    for name, number in roles:
        first, count = slots[name]
        for i in range(count):
            actor = crew_actor(crew, first + i)
            actor.slot = first + i
            actor.role = number
            actor.index = i
            actor.rng = <uint64_t>config["seed"] * <uint64_t>0x9E3779B97F4A7C15
            actor.rng ^= <uint64_t>(first + i + 1) * <uint64_t>0xD1B54A32D192ED03
            actor.mode = POINT_NOISE if noise_yield_in or noise_sleep_in else POINT_NORMAL
            actor.noise_yield_in = noise_yield_in
            actor.noise_sleep_in = noise_sleep_in
    format_objects(memory, b, config, layout, slots)
    b.layout_hash = layout_hash()


cdef format_objects(Memory memory, board *b, dict config, dict layout, dict slots):
    cdef uint64_t at = layout[OFF_POOLS]
    cdef pool *p
    cdef uint32_t i, first
    cdef device *d
    cdef tenant *t
    cdef event_ring *ring
    cdef iommu_regs *regs
    for cls, (capacity, size, batch) in pool_shapes(config).items():
        p = <pool *>(memory.base + at)
        pool_format(p, stride(sizeof(pool)), capacity, stride(size), cls, batch)
        at += stride(sizeof(pool)) + capacity * stride(size)
    for i in range(b.cfg.work_rings):
        at = <uint64_t>layout[OFF_WORK] + i * <uint64_t>work_bytes(config)
        work_format(<workring *>(memory.base + at), config["work_slots"], LOCK_WQ)
    b.sva_lock.cls, b.pasid_lock.cls, b.queues_lock.cls = LOCK_SVA, LOCK_PASID, LOCK_QUEUE
    (<ioasid_state *>(memory.base + <uint64_t>layout[OFF_IOASID])).lock.cls = LOCK_IOASID
    for i in range(b.cfg.units):
        regs = <iommu_regs *>(memory.base + <uint64_t>layout[OFF_IOMMUS]) + i
        regs.qi_lock.cls, regs.iopf_lock.cls = LOCK_QI, LOCK_IOPF
    for i in range(b.cfg.drivers):
        (<driver *>(memory.base + <uint64_t>layout[OFF_DRIVERS]) + i).actor = slots["driver"][0] + i
    (<uint64_t *>(memory.base + <uint64_t>layout[OFF_PASID_BITMAP]))[0] = 1
    first = slots["device"][0]
    for i in range(b.cfg.devices):
        d = <device *>(memory.base + <uint64_t>layout[OFF_DEVICES]) + i
        d.rid = RID_BASE + i
        d.link_up = 1
        d.max_pasids = b.cfg.max_pasids
        d.actor = first + i
        d.group_lock.cls, d.param_lock.cls, d.device_lock.cls = LOCK_GROUP, LOCK_DEV_PARAM, LOCK_DEVICE
    for i in range(b.cfg.tenants):
        t = <tenant *>(memory.base + <uint64_t>layout[OFF_TENANTS]) + i
        t.actor = slots["tenant"][0] + i
        t.task = slots["task"][0] + i
    for i in range(slots["total"][1]):
        ring = <event_ring *>(memory.base + <uint64_t>layout[OFF_EVENTS]
                              + <uint64_t>i * (sizeof(event_ring) + <uint64_t>b.cfg.event_records * sizeof(event_record)))
        ring.capacity = b.cfg.event_records


cdef void *private_alloc(view *v, uint64_t size) noexcept nogil:
    """Zeroed memory for the state of an entry, which lives as long as its process; NULL when there is none."""
    cdef char *at = v.private_at
    if at == NULL:
        return calloc(1, size if size else 1)
    if size > <uint64_t>(v.private_end - at):
        return NULL
    v.private_at = at + ((size + 63) & ~<uint64_t>63)
    memset(at, 0, size)
    return at


cdef int view_attach(view *v, char *base, uint64_t size, uint32_t slot) noexcept nogil:
    """Fills ``v`` for one process; 0, or -EINVAL when the memory is not a whole board of this layout."""
    cdef uint64_t at
    cdef uint32_t i
    if size < BOARD_AT + sizeof(board):
        return EINVAL
    v.base = base
    v.size = size
    v.board = <board *>(base + BOARD_AT)
    v.cfg = v.board.cfg
    for i in range(OFF_COUNT):
        v.offsets[i] = v.board.offsets[i]
        if v.offsets[i] >= size or v.offsets[i] & 63:
            return EINVAL
    v.crew = <iopf_crew *>view_region(v, OFF_CREW)
    if slot >= v.crew.actors or v.cfg.devices > MAX_DEVICES or v.cfg.tenants > MAX_TENANTS or v.cfg.handlers > MAX_HANDLERS:
        return EINVAL
    if not 0 < v.cfg.units <= MAX_UNITS or v.cfg.drivers > MAX_DRIVERS or v.cfg.work_rings == 0:
        return EINVAL
    v.self = crew_actor(v.crew, slot)
    v.devices = <device *>view_region(v, OFF_DEVICES)
    v.tenants = <tenant *>view_region(v, OFF_TENANTS)
    v.work = view_region(v, OFF_WORK)
    v.work_stride = (sizeof(workring) + <uint64_t>v.cfg.work_slots * sizeof(workslot) + 63) & ~<uint64_t>63
    if v.offsets[OFF_WORK] + v.cfg.work_rings * v.work_stride > size:
        return EINVAL
    v.events = <event_ring *>(view_region(v, OFF_EVENTS)
                              + <uint64_t>slot * (sizeof(event_ring) + <uint64_t>v.cfg.event_records * sizeof(event_record)))
    at = v.offsets[OFF_POOLS]
    for i in range(POOL_CLASSES):
        if at + sizeof(pool) > size:
            return EINVAL
        v.pools[i] = <pool *>(base + at)
        at += v.pools[i].offset + <uint64_t>v.pools[i].capacity * v.pools[i].stride
        if at > size:
            return EINVAL
    return 0
