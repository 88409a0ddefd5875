# cython: language_level=3
"""Laying the board out, formatting it, attaching to it. What is on it stands in ``board.pxd``."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memset

import zlib

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.event_ring cimport event_record, event_ring
from cython_ext.histogram cimport histogram
from cython_ext.link cimport LINK_HEADER_BYTES
from cython_ext.memory cimport Memory
from cython_ext.pool cimport pool, pool_format
from cython_ext.stage cimport stage, stage_step
from cython_ext.work_ring cimport work_format, workring, workslot
from emulator.spec.program cimport BARRIERS, LABELS, SEQUENCES
from emulator.spec.ioasid cimport IOASID_ALLOCATORS, IOASID_BYTES, IOASID_OBJECTS, ioasid_state, vcmd
from emulator.spec.vtd cimport RID_BASE

PAGE = 4096
CONFIG_FIELDS = (
    "devices", "handlers", "tenants", "prq_records", "qi_records", "max_pasids", "ledger_slots", "max_vmas", "work_slots",
    "event_records", "mms", "faults", "groups", "handles", "tables", "generation", "profile", "units", "drivers", "queue_mode", "queues",
    "work_rings", "options", "fault_objects", "programs", "major_permille",
    "exponential", "pace", "account", "minor_ns", "major_ns", "seed", "defects", "controlled", "watchdog_ns",
)
POOL_NAMES = ("fault", "group", "fault_param", "attach_handle", "domain", "mm", "page table", "fault object", "ioasid", "allocator")


def slots_of(config: dict) -> dict:
    """Crew slots: first slot and number of each role, and the total."""
    slots, at = {}, 0
    counts = {"supervisor": 1, "iommu": config["units"], "irq": config["units"], "handler": config["handlers"],
              "task": config["tenants"], "driver": config["drivers"], "tenant": config["tenants"], "device": config["devices"]}
    for role, count in counts.items():
        slots[role] = (at, count)
        at += count
    slots["total"] = (0, at)
    return slots


cdef dict pool_shapes(dict c):
    """Pool -> (capacity, size of an object, batch). Processes keep up to two batches of free objects each, so a small pool moves
    them one by one: then -ENOMEM means that there is no memory, and not that another process keeps some."""
    kernel = c["handlers"] + c["tenants"] + c["units"] + c["drivers"]
    shapes = {
        POOL_FAULT: (c["faults"], sizeof(iopf_fault), 32),
        POOL_GROUP: (c["groups"], sizeof(iopf_group), 32),
        POOL_PARAM: (3 * c["devices"] + 2 * c["tenants"] + 8, sizeof(fault_param), 1),
        POOL_HANDLE: (c["handles"], sizeof(attach_handle), 1),
        POOL_DOMAIN: (c["mms"] + 2 * c["devices"] + 8, sizeof(iommu_domain), 1),
        POOL_MM: (c["mms"], sizeof(mm_struct), 1),
        POOL_TABLE: (c["tables"], sizeof(table_page), 4),
        POOL_UFAULT: (max(1, c["fault_objects"]), sizeof(ufault), 1),
        POOL_IOASID: (IOASID_OBJECTS, sizeof(ioasid_data), 1),
        POOL_ALLOCATOR: (IOASID_ALLOCATORS, sizeof(ioasid_allocator), 1),
    }
    return {cls: (capacity, size, max(1, min(batch, capacity // (4 * kernel)))) for cls, (capacity, size, batch) in shapes.items()}


def stride(size: int) -> int:
    return (size + 63) & ~63


def plan_layout(config: dict) -> dict:
    """Offsets of every region in bytes from the start of the arena, by number of ``Offset``, and ``total``; all 64-byte aligned."""
    slots = slots_of(config)["total"][1]
    devices = config["devices"]
    pools = 0
    for capacity, size, _ in pool_shapes(config).values():
        pools += stride(sizeof(pool)) + capacity * stride(size)
    sizes = {
        OFF_CREW: sizeof(iopf_crew) + slots * sizeof(iopf_actor),
        OFF_DEVICES: devices * sizeof(device),
        OFF_UPLINKS: devices * (LINK_HEADER_BYTES + UP_SLOTS * 64),
        OFF_DOWNLINKS: devices * (LINK_HEADER_BYTES + DOWN_SLOTS * 64),
        OFF_PASID_TABLES: devices * config["max_pasids"] * 8,
        OFF_PASID_ARRAYS: devices * config["max_pasids"] * 8,
        OFF_PRQ_RECORDS: config["units"] * config["prq_records"] * 32,
        OFF_PRQ_NOTES: config["units"] * config["prq_records"] * sizeof(prq_note),
        OFF_QI_RECORDS: config["units"] * config["qi_records"] * 32,
        OFF_QI_NOTES: config["units"] * config["qi_records"] * sizeof(qi_note),
        OFF_WORK: config["work_rings"] * work_bytes(config),
        OFF_POOLS: pools,
        OFF_TENANTS: max(1, config["tenants"]) * sizeof(tenant),
        OFF_VMAS: config["mms"] * config["max_vmas"] * sizeof(vma),
        OFF_LEDGER_HW: devices * config["ledger_slots"] * 4,
        OFF_LEDGER_KERNEL: devices * config["ledger_slots"] * 4,
        OFF_PROGRAMS: max(1, config["programs"]) * sizeof(prog_op),
        OFF_HISTOGRAMS: slots * STAGES * sizeof(histogram),
        OFF_EVENTS: slots * (sizeof(event_ring) + config["event_records"] * sizeof(event_record)),
        OFF_DONE: devices * MAX_TENANTS * 8,
        OFF_PASID_BITMAP: max(1, config["max_pasids"] // 64) * 8,
        OFF_META: 65536,
        OFF_IOASID: IOASID_BYTES,
        OFF_IOMMUS: config["units"] * sizeof(iommu_regs),
        OFF_QUEUES: config["queues"] * sizeof(iopf_queue),
        OFF_DRIVERS: config["drivers"] * sizeof(driver),
        OFF_RESULTS: max(1, config["programs"]) * sizeof(op_note),
        OFF_PARTIAL_LISTS: devices * 512 * sizeof(listhead) if config["options"] & OPTION_GROUP_LISTS else 64,
        OFF_USER_BUFFERS: max(1, config["tenants"]) * USER_BUFFER if config["fault_objects"] else 64,
        OFF_LABELS: devices * LABELS * sizeof(label_note),
        OFF_SEQUENCES: SEQUENCES * 64,  # a line each: the turn
        OFF_BARRIERS: BARRIERS * sizeof(barrier) + BARRIERS * slots * 4,
        OFF_PRIVATE: slots * STAGE_PRIVATE if config["controlled"] else 64,
        OFF_STAGE: sizeof(stage) + config["controlled"] * (sizeof(stage_step) + 1) if config["controlled"] else 64,
        OFF_STACKS: slots * STAGE_STACK if config["controlled"] else 64,
    }
    offsets = {}
    at = <uint64_t>BOARD_AT + stride(sizeof(board))
    at = (at + PAGE - 1) & ~(PAGE - 1)
    for which in sorted(sizes):
        if which == OFF_STAGE:
            at = (at + PAGE - 1) & ~(PAGE - 1)
        offsets[which] = at
        at += (sizes[which] + 255) & ~255
    offsets["total"] = (at + PAGE - 1) & ~(PAGE - 1)
    return offsets


def work_bytes(config: dict) -> int:
    return stride(sizeof(workring) + config["work_slots"] * sizeof(workslot))


def layout_hash() -> int:
    """Changes whenever the size of a shared structure does: a board of another build is refused."""
    shapes = (sizeof(board), sizeof(config), sizeof(iommu_regs), sizeof(device), sizeof(tenant), sizeof(mm_struct), sizeof(iopf_fault),
              sizeof(iopf_group), sizeof(fault_param), sizeof(attach_handle), sizeof(iommu_domain), sizeof(table_page), sizeof(vma),
              sizeof(iopf_crew), sizeof(iopf_actor), sizeof(workring), sizeof(workslot), sizeof(histogram), sizeof(event_ring),
              sizeof(pool), sizeof(prog_op), sizeof(iopf_queue), sizeof(driver), sizeof(label_note), sizeof(op_note), sizeof(barrier),
              sizeof(ufault), sizeof(ioasid_data), sizeof(ioasid_allocator),
              sizeof(ioasid_state), sizeof(vcmd), IOASID_BYTES, UP_SLOTS, DOWN_SLOTS, STAGES, MAX_TENANTS)
    return zlib.crc32(repr((shapes, CONFIG_FIELDS)).encode()) | 1 << 32


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
    b.cfg.devices, b.cfg.handlers, b.cfg.tenants = config["devices"], config["handlers"], config["tenants"]
    b.cfg.prq_records, b.cfg.qi_records, b.cfg.max_pasids = config["prq_records"], config["qi_records"], config["max_pasids"]
    b.cfg.ledger_slots, b.cfg.max_vmas, b.cfg.work_slots = config["ledger_slots"], config["max_vmas"], config["work_slots"]
    b.cfg.event_records, b.cfg.mms, b.cfg.faults, b.cfg.groups = config["event_records"], config["mms"], config["faults"], config["groups"]
    b.cfg.handles, b.cfg.tables = config["handles"], config["tables"]
    b.cfg.generation, b.cfg.profile = config["generation"], config["profile"]
    b.cfg.units, b.cfg.drivers, b.cfg.options = config["units"], config["drivers"], config["options"]
    b.cfg.queue_mode, b.cfg.queues, b.cfg.work_rings = config["queue_mode"], config["queues"], config["work_rings"]
    b.cfg.fault_objects = config["fault_objects"]
    b.cfg.programs, b.cfg.major_permille, b.cfg.exponential = config["programs"], config["major_permille"], config["exponential"]
    b.cfg.pace, b.cfg.account, b.cfg.minor_ns, b.cfg.major_ns = config["pace"], config["account"], config["minor_ns"], config["major_ns"]
    b.cfg.seed, b.cfg.watchdog_ns, b.cfg.controlled = config["seed"], config["watchdog_ns"], config["controlled"]
    b.cfg.defects = config["defects"]
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
    """Zeroed memory for the state of a part, which lives as long as its process; NULL when there is none."""
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
        return -22
    v.base = base
    v.size = size
    v.board = <board *>(base + BOARD_AT)
    v.cfg = &v.board.cfg
    for i in range(OFF_COUNT):
        if v.board.offsets[i] >= size or v.board.offsets[i] & 63:
            return -22
    v.crew = <iopf_crew *>view_region(v, OFF_CREW)
    if slot >= v.crew.actors or v.cfg.devices > MAX_DEVICES or v.cfg.tenants > MAX_TENANTS or v.cfg.handlers > MAX_HANDLERS:
        return -22
    if not 0 < v.cfg.units <= MAX_UNITS or v.cfg.drivers > MAX_DRIVERS or v.cfg.work_rings == 0:
        return -22
    v.self = crew_actor(v.crew, slot)
    v.devices = <device *>view_region(v, OFF_DEVICES)
    v.tenants = <tenant *>view_region(v, OFF_TENANTS)
    v.work = view_region(v, OFF_WORK)
    v.work_stride = (sizeof(workring) + <uint64_t>v.cfg.work_slots * sizeof(workslot) + 63) & ~<uint64_t>63
    if v.board.offsets[OFF_WORK] + v.cfg.work_rings * v.work_stride > size:
        return -22
    v.events = <event_ring *>(view_region(v, OFF_EVENTS)
                              + <uint64_t>slot * (sizeof(event_ring) + <uint64_t>v.cfg.event_records * sizeof(event_record)))
    at = v.board.offsets[OFF_POOLS]
    for i in range(POOL_CLASSES):
        if at + sizeof(pool) > size:
            return -22
        v.pools[i] = <pool *>(base + at)
        at += v.pools[i].offset + <uint64_t>v.pools[i].capacity * v.pools[i].stride
        if at > size:
            return -22
    return 0
