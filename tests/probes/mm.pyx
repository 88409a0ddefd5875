# SPDX-License-Identifier: MIT
# cython: language_level=3
"""One address space on a board, driven from Python: for tests of the model and for tools that show it."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.pool cimport pool_free, pool_try
from iopf.emulator.mm.mm cimport *
from iopf.emulator.mm.pgtable cimport PT_PRESENT, leaf_of
from iopf.emulator.mm.vmas cimport mm_vmas
from iopf.emulator.spec.classes cimport POOL_MM
from iopf.emulator.board.objects cimport mm_struct, vma
from iopf.emulator.board.process cimport Process
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.sites cimport MM_EXIT


cdef class AddressSpace:
    """A new mm on the board of ``process``. Methods return 0 or a negative errno, as the calls behind them do."""

    cdef Process process
    cdef mm_struct *mm

    def __cinit__(self, Process process not None):
        cdef uint64_t ref = mm_alloc(&process.v, 0)
        self.process = process
        self.mm = <mm_struct *>pool_try(process.v.self, process.v.pools[POOL_MM], ref, MM_ALLOC)
        if self.mm == NULL:
            raise MemoryError("no mm or page table is left on the board")

    def map(self, uint64_t start, uint64_t end, uint32_t prot, uint32_t flags=2) -> int:
        return mm_map(&self.process.v, self.mm, start, end, prot, flags)

    def unmap(self, uint64_t start, uint64_t end) -> int:
        return mm_unmap(&self.process.v, self.mm, start, end)

    def protect(self, uint64_t start, uint64_t end, uint32_t prot) -> int:
        return mm_protect(&self.process.v, self.mm, start, end, prot)

    def zap(self, uint64_t start, uint64_t end) -> int:
        return mm_zap(&self.process.v, self.mm, start, end)

    def move(self, uint64_t old_start, uint64_t old_end, uint64_t start, uint64_t end) -> int:
        return mm_move(&self.process.v, self.mm, old_start, old_end, start, end)

    def fault(self, uint64_t address, uint32_t rwx) -> int:
        """0 SUCCESS, 1 INVALID."""
        return handle_mm_fault(&self.process.v, self.mm, address, rwx)

    def fork(self, AddressSpace child not None) -> int:
        return mm_fork(&self.process.v, self.mm, child.mm)

    def entry(self, uint64_t address) -> int:
        """The leaf of an address: bit 0 present, 1 writable, 2 executable; 0 without one."""
        cdef uint64_t *at = leaf_of(&self.process.v, self.mm.pgd, address)
        return at[0] & 7 if at != NULL and at[0] & PT_PRESENT else 0

    def areas(self) -> list:
        """(start, end, prot, flags) of every VMA, in order."""
        cdef vma *a = mm_vmas(&self.process.v, mm_index_of(&self.process.v, self.mm))
        return [(a[i].start, a[i].end, a[i].prot, a[i].flags) for i in range(self.mm.nvmas)]

    @property
    def rss(self) -> int:
        return self.mm.rss

    def exit(self) -> None:
        """Free pages, tables and the mm itself. The object must not be used afterwards."""
        mm_exit_tables(&self.process.v, self.mm)
        pool_free(self.process.v.self, self.process.v.pools[POOL_MM], &self.mm.hdr, MM_EXIT)
