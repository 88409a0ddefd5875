# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Allocating and freeing numbers of a host. See ``vcmd.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.spec.sites cimport IOASID_FREE


cdef bint vcmd_function(uint32_t fn) noexcept nogil:
    """Whether ``fn`` is the number of a function."""
    return 0 < (fn & 0xFF) <= VCMD_BACKENDS


cdef vcmd *backend_of(view *v, uint32_t fn) noexcept nogil:
    return &ioasid_of(v).backends[(fn & 0xFF) - 1] if vcmd_function(fn) else NULL


cdef bint due(uint32_t *nth) noexcept nogil:
    """Counts an injection down; true in the call that it is meant for."""
    if nth[0] == 0:
        return False
    nth[0] -= 1
    return nth[0] == 0


cdef uint32_t vcmd_alloc(view *v, uint32_t fn, uint32_t min, uint32_t max, uint64_t pdata, uint32_t *claim) noexcept nogil:
    """The lowest number of [min, max] that the host has free, or INVALID_IOASID (none, or refused).

    ``claim`` gets the number before the host marks it: a caller that dies in between can be cleaned up after.
    """
    cdef vcmd *b = backend_of(v, fn)
    cdef uint64_t word
    cdef uint32_t at
    if b == NULL:
        return INVALID_IOASID
    b.allocs += 1
    b.alloc_pdata = pdata
    if due(&b.fail_nth):
        b.refused += 1
        return INVALID_IOASID
    if due(&b.repeat_nth) and b.last < IOASID_IDS and b.bits[b.last >> 6] >> (b.last & 63) & 1:
        return b.last  # a host that has lost its books: the number is out already
    at = min
    while at <= max and at < IOASID_IDS:
        word = ~b.bits[at >> 6] >> (at & 63)
        if word == 0:
            at = (at | 63) + 1
            continue
        at += <uint32_t>trailing_zeros64(word)
        if at > max:
            break
        st32_rel(claim, at)
        st64_rel(&b.bits[at >> 6], b.bits[at >> 6] | <uint64_t>1 << (at & 63))
        b.last = at
        return at
    b.refused += 1
    return INVALID_IOASID


cdef void vcmd_free(view *v, uint32_t fn, uint32_t id, uint64_t pdata) noexcept nogil:
    """Gives a number back; one that is not out is counted."""
    cdef vcmd *b = backend_of(v, fn)
    if b == NULL:
        return
    b.frees += 1
    b.free_pdata = pdata
    if iopf_unlikely(pdata == 0 and b.alloc_pdata != 0):  # it names the vIOMMU that asks the host, and is dereferenced
        verdict_raise(v.self, VERDICT_WILD, 0, 0, 0, 0, 0, IOASID_FREE)
        return
    if id >= IOASID_IDS or not b.bits[id >> 6] >> (id & 63) & 1:
        b.bad_frees += 1
        return
    st64_rel(&b.bits[id >> 6], b.bits[id >> 6] & ~(<uint64_t>1 << (id & 63)))


cdef void vcmd_clear(view *v, uint32_t fn, uint32_t id) noexcept nogil:
    """Makes sure that a number is not out: for the repair of a call that died half-way, so it is no error when it is not."""
    cdef vcmd *b = backend_of(v, fn)
    if b != NULL and id < IOASID_IDS:
        st64_rel(&b.bits[id >> 6], b.bits[id >> 6] & ~(<uint64_t>1 << (id & 63)))
