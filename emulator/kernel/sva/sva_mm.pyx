# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The end of an address space that devices may use, and its PASID. Phases and owners: see ``sva_mm.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.iommu_ops cimport ops_of
from iopf.emulator.kernel.core.workqueue cimport flush_workqueue
from iopf.emulator.mm.mm cimport mm_exit_tables, mm_index_of, mmdrop, mmput_last
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.changes cimport change_begin, change_end, change_under_way
from iopf.emulator.spec.classes cimport POOL_CLASSES, POOL_MM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.iommus cimport unit_of
from iopf.emulator.board.layout cimport OFF_PASID_BITMAP
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.board.pasid_table cimport PTE_PRESENT, PTE_QUIET, pasid_entry, pasid_table
from iopf.emulator.spec.sites cimport *


cdef uint32_t pasid_alloc(view *v, uint32_t limit) noexcept nogil:
    """The lowest free PASID in 1 .. limit - 1, or 0 (-ENOSPC)."""
    cdef uint64_t *words = <uint64_t *>view_region(v, OFF_PASID_BITMAP)
    cdef uint32_t i, bit, found = 0
    mutex_lock(v.self, &v.board.pasid_lock, PASID_ALLOC)
    for i in range(v.cfg.max_pasids // 64 if v.cfg.max_pasids >= 64 else 1):
        if ~words[i] == 0:
            continue
        bit = <uint32_t>trailing_zeros64(~words[i])
        if i * 64 + bit < min(limit, v.cfg.max_pasids):
            words[i] |= <uint64_t>1 << bit
            found = i * 64 + bit
        break
    mutex_unlock(v.self, &v.board.pasid_lock, PASID_ALLOC)
    return found


cdef void pasid_free(view *v, uint32_t pasid) noexcept nogil:
    cdef uint64_t *words = <uint64_t *>view_region(v, OFF_PASID_BITMAP)
    if pasid == 0 or pasid >= v.cfg.max_pasids:
        return
    mutex_lock(v.self, &v.board.pasid_lock, PASID_FREE)
    if not words[pasid >> 6] >> (pasid & 63) & 1:
        verdict_raise(v.self, VERDICT_DOUBLE_FREE, POOL_CLASSES, pasid, 0, 0, 2, PASID_FREE)
    words[pasid >> 6] &= ~(<uint64_t>1 << (pasid & 63))
    mutex_unlock(v.self, &v.board.pasid_lock, PASID_FREE)


cdef bint freed_elsewhere(view *v) noexcept nogil:
    """Defects that give the PASID back at another place, or nowhere."""
    return (defect(v, DEFECT_PASID_REF_LEAK) or defect(v, DEFECT_PASID_FREED_TOO_EARLY)
            or defect(v, DEFECT_AUX_PASID_DOUBLE_FREE))


cdef void sva_mmdrop(view *v, mm_struct *mm) noexcept nogil:
    """The last holder of the structure frees the PASID with it (2667ed10d9f0), so no live domain can lose its number."""
    if not mmdrop(v, mm):
        return
    if not freed_elsewhere(v):
        flow_of(v).pasid_end(v, mm)
    pool_free(v.self, v.pools[POOL_MM], &mm.hdr, MMPUT)


cdef void sva_mmput(view *v, mm_struct *mm) noexcept nogil:
    """Gives a user back. The last one runs exit_mmap here: quiet abort first, then mappings and tables go."""
    if not mmput_last(v, mm):
        return
    change_begin(v.self, &mm.changes, MM_RELEASE)
    sva_mm_release(v, mm)
    change_end(v.self, &mm.changes, MM_RELEASE)
    if defect(v, DEFECT_MM_RELEASE_FLUSH_SELF_DEADLOCK):
        flush_workqueue(v, 0, MM_RELEASE)
    if defect(v, DEFECT_PASID_FREED_TOO_EARLY):
        flow_of(v).pasid_end(v, mm)
    mm_exit_tables(v, mm)
    sva_mmdrop(v, mm)


cdef bint entry_is(uint64_t entry, mm_struct *mm, uint32_t index) noexcept nogil:
    return entry & PTE_PRESENT and (entry & ~<uint64_t>PTE_QUIET) == pasid_entry(index, mm.mm_id)


cdef void wait_units(view *v, uint32_t units, uint32_t site) noexcept nogil:
    """One invalidation wait on each IOMMU of the bit mask."""
    cdef uint32_t unit
    for unit in range(v.cfg.units):
        if units >> unit & 1:
            ops_of(v).sync(v, unit, site)


cdef uint32_t tell_slot(view *v, uint32_t dev, uint32_t pasid, mm_struct *mm, uint64_t start, uint64_t pages, bint quiet,
                        uint32_t site) noexcept nogil:
    """Invalidates the device's copies under one PASID, if that is this address space or may have been; returns the bit of its IOMMU."""
    cdef uint64_t *slot
    cdef uint64_t entry
    if pasid >= v.cfg.max_pasids:
        return 0
    slot = &pasid_table(v, dev)[pasid]
    entry = read64(v.self, slot, site)
    if not entry_is(entry, mm, mm_index_of(v, mm)):
        # A detach may have cleared the entry and not have invalidated yet: a function can be in the middle of a walk, and the tables go.
        if not quiet or not change_under_way(read64(v.self, &v.devices[dev].changes, site)):
            return 0
    elif quiet:
        point(v.self, MM_RELEASE << 8 | OP_FIELD_WRITE, slot, ACC_RMW)
        cas64(slot, entry, entry | PTE_QUIET)  # fails when a detach has cleared it meanwhile
    ops_of(v).flush_dev_iotlb_range(v, dev, pasid, start, pages)
    return 1 << unit_of(v, dev)


cdef uint32_t tell_device(view *v, uint32_t dev, mm_struct *mm, uint64_t start, uint64_t pages, bint quiet) noexcept nogil:
    """The PASID of the address space, and those under which user space has attached it."""
    cdef uint32_t i, user, units = 0, site = MM_RELEASE if quiet else QI_WAIT
    cdef uint32_t pasid = read32(v.self, &mm.pasid, site)
    if pasid != 0:
        units = tell_slot(v, dev, pasid, mm, start, pages, quiet, site)
    for i in range(8):
        user = read32(v.self, &v.devices[dev].user_pasids[i], site)
        if user != 0:
            units |= tell_slot(v, dev, user - 1, mm, start, pages, quiet, site)
    return units


cdef void sva_mm_release(view *v, mm_struct *mm) noexcept nogil:
    """The notifier: marks every entry of this mm quiet and invalidates the devices. Waits for devices, never for workers."""
    cdef uint32_t dev, units = 0
    for dev in range(v.cfg.devices):
        units |= tell_device(v, dev, mm, 0, 0, True)
    wait_units(v, units, MM_RELEASE)


cdef void mm_invalidate_secondary_tlbs(view *v, mm_struct *mm, uint64_t start, uint64_t end) noexcept nogil:
    """After a change of mappings (caller holds the mmap write lock): devices drop what they keep of [start, end)."""
    cdef uint32_t dev, units = 0
    for dev in range(v.cfg.devices):
        units |= tell_device(v, dev, mm, start, (end - start) >> 12, False)
    wait_units(v, units, QI_WAIT)
