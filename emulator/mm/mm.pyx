# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Address spaces: life cycle, faults and the calls that change mappings. Writers: see ``mm.pxd``."""

from libc.math cimport log
from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.refcount cimport *
from iopf.emulator.mm.pgtable cimport *
from iopf.emulator.mm.vmas cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport LOCK_MMAP, POOL_MM, POOL_TABLE
from iopf.emulator.board.objects cimport mm_struct, table_page, vma
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EINVAL

cdef enum:
    WALK_ZAP = 0         # clear what is present
    WALK_PROTECT = 1     # take away what the new protection forbids
    WALK_FREE = 2        # clear and free the tables
    RESPONSE_SUCCESS = 0
    RESPONSE_INVALID = 1


cdef uint32_t mm_index_of(view *v, mm_struct *mm) noexcept nogil:
    return ref_index(pool_ref(v.pools[POOL_MM], &mm.hdr))


cdef uint64_t mm_alloc(view *v, uint32_t ten) noexcept nogil:
    """A new, empty address space with one user; its reference, or 0 (-ENOMEM)."""
    cdef mm_struct *mm = <mm_struct *>pool_alloc(v.self, v.pools[POOL_MM], MM_ALLOC)
    cdef objhdr *root
    if mm == NULL:
        return 0
    root = pool_alloc(v.self, v.pools[POOL_TABLE], MM_ALLOC)
    if root == NULL:
        pool_free(v.self, v.pools[POOL_MM], &mm.hdr, MM_ALLOC)
        return 0
    mm.mmap_lock.cls = LOCK_MMAP
    write64(v.self, &mm.mm_id, add64(v.self, &v.board.mm_generation, 1, MM_ALLOC) + 1, MM_ALLOC)
    write64(v.self, &mm.pgd, pool_ref(v.pools[POOL_TABLE], root), MM_ALLOC)
    mm.tenant = ten
    ref_set(&mm.users, 1)
    ref_set(&mm.count, 1)
    return pool_ref(v.pools[POOL_MM], &mm.hdr)


cdef bint mmget_not_zero(view *v, mm_struct *mm) noexcept nogil:
    return ref_get_not_zero(v.self, &mm.users, MMGET_NOT_ZERO)


cdef bint mmput_last(view *v, mm_struct *mm) noexcept nogil:
    """Gives a user back; true when the caller was the last and has to run exit_mmap."""
    return ref_put(v.self, &mm.users, MMPUT)


cdef void mmgrab(view *v, mm_struct *mm) noexcept nogil:
    ref_get(v.self, &mm.count, MMGET_NOT_ZERO)


cdef bint mmdrop(view *v, mm_struct *mm) noexcept nogil:
    """Gives the structure back; true when it was the last holder: the caller frees the PASID first, then the structure."""
    return ref_put(v.self, &mm.count, MMPUT)


cdef void mm_exit_tables(view *v, mm_struct *mm) noexcept nogil:
    """The end of the address space: no VMAs, no pages, no tables. The caller was the last user."""
    cdef table_page *root = <table_page *>pool_try(v.self, v.pools[POOL_TABLE], mm.pgd, MM_TABLE)
    mm.nvmas = 0
    if root == NULL:
        return
    walk(v, mm, root, PT_LEVELS - 1, 0, 0, <uint64_t>1 << 48, WALK_FREE, 0)
    write64(v.self, &mm.pgd, 0, MM_EXIT)
    pool_free(v.self, v.pools[POOL_TABLE], &root.hdr, MM_EXIT)


cdef void walk(view *v, mm_struct *mm, table_page *page, uint32_t level, uint64_t base, uint64_t start, uint64_t end,
               uint32_t mode, uint32_t prot) noexcept nogil:
    """Applies ``mode`` to every present leaf in [start, end) below one table. Depth is at most four."""
    cdef uint64_t span = <uint64_t>1 << (12 + 9 * level), at, entry
    cdef uint32_t i = level_index(start, level) if start > base else 0
    cdef table_page *below
    at = base + i * span
    while i < 512 and at < end:
        entry = ld64_rlx(&page.entries[i])
        if entry & PT_PRESENT:
            if level > 0:
                below = table_of(v, entry)
                if below != NULL:
                    walk(v, mm, below, level - 1, at, start, end, mode, prot)
                    if mode == WALK_FREE:
                        write64(v.self, &page.entries[i], 0, MM_EXIT)
                        pool_free(v.self, v.pools[POOL_TABLE], &below.hdr, MM_EXIT)
            elif mode == WALK_PROTECT and prot & PROT_READ:
                if not prot & PROT_WRITE:
                    entry &= ~<uint64_t>PT_WRITE
                if not prot & PROT_EXEC:
                    entry &= ~<uint64_t>PT_EXEC
                write64(v.self, &page.entries[i], entry, MM_PROTECT)
            else:
                write64(v.self, &page.entries[i], 0, MM_ZAP)
                xadd64_rlx(&mm.rss, <uint64_t>-1)
        i += 1
        at += span


cdef void walk_range(view *v, mm_struct *mm, uint64_t start, uint64_t end, uint32_t mode, uint32_t prot) noexcept nogil:
    cdef table_page *root = <table_page *>pool_try(v.self, v.pools[POOL_TABLE], mm.pgd, MM_TABLE)
    if root != NULL:
        walk(v, mm, root, PT_LEVELS - 1, 0, start, end, mode, prot)


cdef uint64_t *leaf_make(view *v, mm_struct *mm, uint64_t address) noexcept nogil:
    """The leaf of an address, with the tables above it made where they are missing; NULL when no table is left."""
    cdef pool *p = v.pools[POOL_TABLE]
    cdef table_page *page = <table_page *>pool_try(v.self, p, mm.pgd, MM_TABLE)
    cdef table_page *below
    cdef uint64_t *slot
    cdef uint64_t entry
    cdef objhdr *fresh
    cdef uint32_t level = PT_LEVELS - 1
    while page != NULL and level > 0:
        slot = &page.entries[level_index(address, level)]
        point(v.self, MM_TABLE << 8 | OP_FIELD_READ, slot, ACC_READ)
        entry = ld64_acq(slot)
        if not entry & PT_PRESENT:
            fresh = pool_alloc(v.self, p, MM_TABLE)
            if fresh == NULL:
                return NULL
            entry = table_entry(ref_index(pool_ref(p, fresh)))
            if not try64(v.self, slot, 0, entry, MM_TABLE):
                pool_free(v.self, p, fresh, MM_TABLE)
                entry = read64(v.self, slot, MM_TABLE)
        below = table_of(v, entry)
        page = below
        level -= 1
    return &page.entries[level_index(address, 0)] if page != NULL else NULL


cdef void service_time(view *v, mm_struct *mm) noexcept nogil:
    """What bringing a page in costs, by the scenario's distribution. Short times are spun, long ones slept."""
    cdef uint64_t ns = v.cfg.minor_ns, until
    cdef double u
    if v.cfg.major_permille and xorshift64(&v.self.rng) % 1000 < v.cfg.major_permille:
        ns = v.cfg.major_ns
        xadd64_rlx(&mm.major, 1)
    else:
        xadd64_rlx(&mm.minor, 1)
    if ns == 0:
        return
    if v.cfg.exponential:
        u = <double>((xorshift64(&v.self.rng) >> 11) + 1) / 9007199254740993.0
        ns = <uint64_t>(-log(u) * <double>ns)
    until = actor_clock(v.self) + ns
    while ns >= 20000 or v.self.mode == POINT_CONTROLLED:
        # In slices, so that a slow page does not look like a process that has stopped.
        point_nap(v.self, HANDLE_MM_FAULT << 8 | OP_NAP, ns if ns < 100000000 else 100000000)  # service time: there is nothing to ring
        v.self.heartbeat += 1
        if actor_clock(v.self) >= until:
            return
        ns = until - actor_clock(v.self)
    while actor_clock(v.self) < until:
        cpu_pause()


cdef uint32_t handle_mm_fault(view *v, mm_struct *mm, uint64_t address, uint32_t rwx) noexcept nogil:
    """One fault of a live mm (the caller holds a user): SUCCESS 0 or INVALID 1.

    VMA lookup without stack growth (vma_lookup; the growing lookup was given up with v6.5), permissions, then the page. A page is mapped
    writable only by a write, as for private memory, so a later write faults again.
    """
    cdef vma *area
    cdef uint64_t *leaf
    cdef uint64_t entry, fresh
    cdef uint32_t code = RESPONSE_INVALID
    address &= ~<uint64_t>0xFFF
    read_lock(v.self, &mm.mmap_lock, HANDLE_MM_FAULT)
    area = vma_lookup(v, mm, mm_index_of(v, mm), address)
    if area != NULL and (area.prot & rwx) == rwx and area.prot != 0:
        leaf = leaf_make(v, mm, address)
        while leaf != NULL:
            entry = read64(v.self, leaf, HANDLE_MM_FAULT)
            fresh = entry | PT_PRESENT | (PT_WRITE if rwx & PROT_WRITE else 0) | (PT_EXEC if area.prot & PROT_EXEC else 0)
            if entry == fresh:
                code = RESPONSE_SUCCESS
                break
            if not entry & PT_PRESENT:
                service_time(v, mm)
            point(v.self, HANDLE_MM_FAULT << 8 | OP_FIELD_WRITE, leaf, ACC_RMW)
            if cas64(leaf, entry, fresh):
                if not entry & PT_PRESENT:
                    xadd64_rlx(&mm.rss, 1)
                code = RESPONSE_SUCCESS
                break
    read_unlock(v.self, &mm.mmap_lock, HANDLE_MM_FAULT)
    return code


cdef bint range_bad(uint64_t start, uint64_t end) noexcept nogil:
    return (start | end) & 0xFFF or start >= end or end > <uint64_t>1 << ADDRESS_LIMIT_BITS


cdef int mm_map(view *v, mm_struct *mm, uint64_t start, uint64_t end, uint32_t prot, uint32_t flags) noexcept nogil:
    """Maps [start, end), replacing what is there (MAP_FIXED). Caller holds the write lock. 0, -EINVAL, -ENOMEM."""
    cdef int ret
    if range_bad(start, end):
        return EINVAL
    ret = vma_carve(v, mm, mm_index_of(v, mm), start, end)
    if ret != 0:
        return ret
    walk_range(v, mm, start, end, WALK_ZAP, 0)
    return vma_insert(v, mm, mm_index_of(v, mm), start, end, prot & 7, flags)


cdef int mm_unmap(view *v, mm_struct *mm, uint64_t start, uint64_t end) noexcept nogil:
    cdef int ret
    if range_bad(start, end):
        return EINVAL
    ret = vma_carve(v, mm, mm_index_of(v, mm), start, end)
    if ret == 0:
        walk_range(v, mm, start, end, WALK_ZAP, 0)
    return ret


cdef int mm_zap(view *v, mm_struct *mm, uint64_t start, uint64_t end) noexcept nogil:
    """madvise(MADV_DONTNEED): the pages go, the mappings stay."""
    if range_bad(start, end):
        return EINVAL
    walk_range(v, mm, start, end, WALK_ZAP, 0)
    return 0


cdef int mm_protect(view *v, mm_struct *mm, uint64_t start, uint64_t end, uint32_t prot) noexcept nogil:
    """Changes the protection of what is mapped in [start, end). 0, -EINVAL, -ENOMEM."""
    cdef vma *a = mm_vmas(v, mm_index_of(v, mm))
    cdef uint32_t i, index = mm_index_of(v, mm)
    cdef uint64_t low, high
    cdef vma piece
    cdef int ret
    if range_bad(start, end):
        return EINVAL
    low = start
    while low < end:
        i = vma_lower(a, mm.nvmas, low)
        if i == mm.nvmas or a[i].start >= end:
            break
        piece = a[i]
        low = low if low > piece.start else piece.start
        high = end if end < piece.end else piece.end
        ret = vma_carve(v, mm, index, low, high)
        if ret == 0:
            ret = vma_insert(v, mm, index, low, high, prot & 7, piece.flags)
        if ret != 0:
            return ret
        low = high
    walk_range(v, mm, start, end, WALK_PROTECT, prot & 7)
    return 0


cdef void move_pages(view *v, mm_struct *mm, uint64_t old_start, uint64_t old_end, uint64_t start) noexcept nogil:
    """Pages move with their mapping; one that finds no table is faulted in again later."""
    cdef uint64_t at = old_start, entry
    cdef uint64_t *source
    cdef uint64_t *target
    while at < old_end:
        source = leaf_of(v, mm.pgd, at)
        if source == NULL:
            at = ((at >> 21) + 1) << 21  # no table here: nothing is present up to the next 2 MiB
            v.self.heartbeat += 1
            continue
        entry = ld64_acq(source)
        if entry & PT_PRESENT:
            target = leaf_make(v, mm, start + (at - old_start))
            if target != NULL:
                write64(v.self, target, entry, MM_MAP)
                xadd64_rlx(&mm.rss, 1)
        at += 4096


cdef int mm_move(view *v, mm_struct *mm, uint64_t old_start, uint64_t old_end, uint64_t start, uint64_t end) noexcept nogil:
    """mremap to another place: what is mapped in the old range appears in the new one, with its pages; what the new range has
    more extends the last mapping moved. 0, -EFAULT (nothing mapped there), -EINVAL (ranges), -ENOMEM."""
    cdef uint32_t index = mm_index_of(v, mm), i
    cdef vma *a = mm_vmas(v, index)
    cdef uint64_t low = old_start, high
    cdef vma piece
    cdef int ret = -14
    if range_bad(old_start, old_end) or range_bad(start, end) or end - start < old_end - old_start:
        return EINVAL
    if start < old_end and old_start < end:
        return EINVAL
    while low < old_end:
        i = vma_lower(a, mm.nvmas, low)
        if i == mm.nvmas or a[i].start >= old_end:
            break
        piece = a[i]
        low = low if low > piece.start else piece.start
        high = old_end if old_end < piece.end else piece.end
        ret = mm_map(v, mm, start + (low - old_start), end if high == old_end else start + (high - old_start), piece.prot, piece.flags)
        if ret != 0:
            return ret
        low = high
    if ret != 0:
        return ret
    move_pages(v, mm, old_start, old_end, start)
    return mm_unmap(v, mm, old_start, old_end)


cdef int mm_fork(view *v, mm_struct *parent, mm_struct *child) noexcept nogil:
    """Copies the mappings of ``parent`` (caller holds its write lock) into the new ``child``; private pages become copy-on-write.

    The child starts without pages: its device faults them in again, as a child does for everything that is not anonymous.
    """
    cdef vma *source = mm_vmas(v, mm_index_of(v, parent))
    cdef vma *target = mm_vmas(v, mm_index_of(v, child))
    cdef uint32_t i
    for i in range(parent.nvmas):
        target[i] = source[i]
        if not source[i].flags & VMA_SHARED and source[i].prot & PROT_WRITE:
            walk_range(v, parent, source[i].start, source[i].end, WALK_PROTECT, source[i].prot & ~<uint32_t>PROT_WRITE)
    child.nvmas = parent.nvmas
    return 0
