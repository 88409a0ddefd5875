# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Sizes and offsets of all regions, from a configuration; and the mark by which two builds know that theirs are the same."""

import zlib

from libc.stdint cimport uint64_t

from iopf.cython_ext.crew cimport iopf_actor, iopf_crew
from iopf.cython_ext.event_ring cimport event_record, event_ring
from iopf.cython_ext.histogram cimport histogram
from iopf.cython_ext.link cimport LINK_HEADER_BYTES
from iopf.cython_ext.pool cimport listhead, pool
from iopf.cython_ext.runqueue cimport runqueue, rq_step
from iopf.cython_ext.work_ring cimport workring, workslot
from iopf.emulator.board.board cimport board
from iopf.emulator.spec.classes cimport *
from iopf.emulator.board.config cimport OPTION_GROUP_LISTS
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.flow cimport barrier, op_note
from iopf.emulator.board.ioasid cimport IOASID_ALLOCATORS, IOASID_BYTES, IOASID_OBJECTS
from iopf.emulator.board.iommus cimport iommu_regs, prq_note, qi_note
from iopf.emulator.board.latency cimport STAGES
from iopf.emulator.board.links cimport DOWN_SLOTS, UP_SLOTS
from iopf.emulator.board.objects cimport *
from iopf.emulator.spec.program cimport BARRIERS, LABELS, SEQUENCES, prog_op
from iopf.emulator.board.progress cimport driver, label_note
from iopf.emulator.board.queues cimport iopf_queue
from iopf.emulator.board.tenants cimport tenant

from iopf.emulator.board.config import CONFIG_FIELDS as _FIELDS
from iopf.emulator.spec.roles import slots_of

cdef extern from *:
    """
    #ifndef IOPF_LAYOUT_MARK
    #error "tools/build_ext.py gives the mark of the structures' fields (tools/structs.py)"
    #endif
    """
    unsigned int IOPF_LAYOUT_MARK

PAGE = 4096


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


cdef dict region_sizes(dict config):
    """Bytes of every region, by number of ``OFF_*``."""
    slots = slots_of(config)["total"][1]
    devices = config["devices"]
    pools = 0
    for capacity, size, _ in pool_shapes(config).values():
        pools += stride(sizeof(pool)) + capacity * stride(size)
    return {
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
        OFF_PRIVATE: slots * RQ_PRIVATE if config["controlled"] else 64,
        OFF_RUNQUEUE: sizeof(runqueue) + config["controlled"] * (sizeof(rq_step) + 1) if config["controlled"] else 64,
        OFF_STACKS: slots * RQ_STACK if config["controlled"] else 64,
    }


def plan_layout(config: dict) -> dict:
    """Offsets of every region in bytes from the start of the arena, by number of ``OFF_*``, and ``total``; all 64-byte aligned."""
    sizes = region_sizes(config)
    offsets = {}
    at = <uint64_t>BOARD_AT + stride(sizeof(board))
    at = (at + PAGE - 1) & ~(PAGE - 1)
    for which in sorted(sizes):
        if which == OFF_RUNQUEUE:
            at = (at + PAGE - 1) & ~(PAGE - 1)
        offsets[which] = at
        at += (sizes[which] + 255) & ~255
    offsets["total"] = (at + PAGE - 1) & ~(PAGE - 1)
    return offsets


def work_bytes(config: dict) -> int:
    return stride(sizeof(workring) + config["work_slots"] * sizeof(workslot))


def layout_hash() -> int:
    """Changes with every field of a shared structure, and with every size: a board of another build is refused."""
    every = {name: 1 for name in _FIELDS}  # a system that has one of everything
    every["options"] = OPTION_GROUP_LISTS
    parts = (sizeof(board), sizeof(iopf_crew), sizeof(rq_step), sizeof(mm_struct), MAX_TENANTS, UP_SLOTS, DOWN_SLOTS)
    shapes = sorted(pool_shapes(every).items()), sorted(region_sizes(every).items())
    return zlib.crc32(repr((IOPF_LAYOUT_MARK, parts, shapes, _FIELDS)).encode()) | 1 << 32
