# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""PASIDs of address spaces with the IOASID allocator, driven from Python, and the calls that a test kills in the middle.

The loops run against each other in separate processes: binders that end their address spaces, and lookups as in the fault worker.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport pool_ref, pool_try
from iopf.cython_ext.trap cimport trap_here
from iopf.emulator.kernel.ioasid.ioasid cimport *
from iopf.emulator.kernel.ioasid.allocator cimport *
from tests.probes.ioasid cimport Ioasid, allocator_ops
from iopf.emulator.kernel.sva.sva_lib cimport *
from iopf.emulator.kernel.sva.sva_mm cimport sva_mmdrop, sva_mmput
from iopf.emulator.mm.mm cimport mm_alloc, mmgrab
from iopf.emulator.spec.classes cimport POOL_MM
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.spec.sites cimport *

cpdef enum Call:
    """The calls of ``victim``."""
    CALL_ALLOC = 0               # an id of 10 .. 20
    CALL_FREE = 1                # the id ``arg``
    CALL_REGISTER = 2            # ops 9 at function ``arg``
    CALL_UNREGISTER = 3          # ops ``arg``
    CALL_SVA_ALLOC = 4           # a PASID for the mm ``arg``
    CALL_SVA_FREE = 5            # and its free


cdef class SvaLib(Ioasid):
    """The framework and the PASIDs of address spaces, named by their references."""

    cdef mm_struct *_mm(self, uint64_t ref) except NULL:
        cdef mm_struct *mm = <mm_struct *>pool_try(self.v.self, self.v.pools[POOL_MM], ref, MMGET_NOT_ZERO)
        if mm == NULL:
            raise ValueError(f"no mm lives at reference {ref:#x}")
        return mm

    def mm_new(self) -> int:
        """A new address space with one user: its reference."""
        cdef uint64_t ref = mm_alloc(self.v, 0)
        if ref == 0:
            raise MemoryError("no mm or page table is left on the board")
        return ref

    def mm_grab(self, uint64_t ref) -> None:
        mmgrab(self.v, self._mm(ref))

    def mm_put(self, uint64_t ref) -> None:
        sva_mmput(self.v, self._mm(ref))

    def mm_drop(self, uint64_t ref) -> None:
        sva_mmdrop(self.v, self._mm(ref))

    def mm(self, uint64_t ref) -> dict:
        cdef mm_struct *mm = self._mm(ref)
        return {"users": mm.users, "count": mm.count, "pasid": mm.pasid}

    def sva_alloc(self, uint64_t ref, uint32_t min, uint32_t max) -> tuple:
        """(error, PASID)."""
        cdef mm_struct *mm = self._mm(ref)
        cdef uint32_t pasid
        cdef int err
        with nogil:
            pasid = iommu_sva_alloc_pasid(self.v, mm, min, max, &err)
        return err, pasid

    def sva_free(self, uint64_t ref) -> None:
        cdef mm_struct *mm = self._mm(ref)
        with nogil:
            iommu_sva_free_pasid(self.v, mm)

    def sva_find(self, uint32_t pasid) -> int:
        """The reference of the mm with a user taken, or 0."""
        cdef mm_struct *mm
        cdef int err = 0
        with nogil:
            mm = iommu_sva_find(self.v, pasid, &err)
        return pool_ref(self.v.pools[POOL_MM], &mm.hdr) if mm != NULL else 0

    def bind_loop(self, uint64_t rounds, uint32_t max) -> int:
        """Create an address space, give it a PASID, end both in either order; return the rounds without memory or id."""
        cdef uint64_t i, ref, without = 0
        cdef mm_struct *mm
        cdef int err
        with nogil:
            for i in range(rounds):
                ref = mm_alloc(self.v, 0)
                mm = <mm_struct *>pool_try(self.v.self, self.v.pools[POOL_MM], ref, MMGET_NOT_ZERO)
                if mm == NULL:
                    without += 1
                    continue
                mmgrab(self.v, mm)
                without += iommu_sva_alloc_pasid(self.v, mm, 1, max, &err) == 0
                if i & 1:
                    sva_mmput(self.v, mm)  # the process exits while it is bound
                    iommu_sva_free_pasid(self.v, mm)
                else:
                    iommu_sva_free_pasid(self.v, mm)
                    sva_mmput(self.v, mm)
                sva_mmdrop(self.v, mm)
                self.v.self.heartbeat += 1
        return without

    def find_loop(self, uint64_t timeout_ns, uint32_t max, uint64_t want) -> dict:
        """The fault worker's lookups: take the mm of each PASID, check it, drop the user, until ``want`` were found or the timeout.
        ``dead``: mms without a user."""
        cdef uint64_t found = 0, dead = 0, until = clock_ns() + timeout_ns
        cdef mm_struct *mm
        cdef uint32_t pasid
        cdef int err = 0
        with nogil:
            while found < want and clock_ns() < until:
                for pasid in range(1, max + 1):
                    mm = iommu_sva_find(self.v, pasid, &err)
                    if mm == NULL:
                        continue
                    found += 1
                    dead += ld32_acq(&mm.users) == 0
                    sva_mmput(self.v, mm)
        return {"found": found, "dead": dead}

    def victim(self, Call what, uint64_t armed_at, uint64_t arg) -> None:
        """One call between two marks in the word at ``armed_at``: 1 and a trap before it, 2 after it. Only under a tracer: the trap kills
        any other process."""
        cdef uint32_t *armed = <uint32_t *>self.process.memory.at(armed_at, 8)
        cdef ioasid_ops ops = allocator_ops(9 if what == CALL_REGISTER else <uint32_t>arg, <uint32_t>arg, <uint32_t>arg, 0x99)
        cdef mm_struct *mm = self._mm(arg) if what in (CALL_SVA_ALLOC, CALL_SVA_FREE) else NULL
        cdef int err = 0
        with nogil:
            st32_rel(armed, 1)
            trap_here()
            if what == CALL_ALLOC:
                ioasid_alloc(self.v, 7, 10, 20, 0xABC)
            elif what == CALL_FREE:
                ioasid_free(self.v, <uint32_t>arg)
            elif what == CALL_REGISTER:
                ioasid_register_allocator(self.v, &ops)
            elif what == CALL_UNREGISTER:
                ioasid_unregister_allocator(self.v, &ops)
            elif what == CALL_SVA_ALLOC:
                iommu_sva_alloc_pasid(self.v, mm, 1, 20, &err)
            else:
                iommu_sva_free_pasid(self.v, mm)
            st32_rel(armed, 2)
