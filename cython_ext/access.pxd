# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Accesses to shared words outside the primitives, each after its scheduling point.

Loads acquire, stores release, and a read-modify-write is sequentially consistent. Every word that another process may access
concurrently goes through these functions or a primitive. Words protected by a lock, or written by one process before it publishes them,
do not need them. ``tools/points`` finds missing points.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *

cdef inline uint32_t read32(iopf_actor *self, uint32_t *p, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_READ, p, ACC_READ)
    return ld32_acq(p)

cdef inline uint64_t read64(iopf_actor *self, uint64_t *p, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_READ, p, ACC_READ)
    return ld64_acq(p)

cdef inline void write32(iopf_actor *self, uint32_t *p, uint32_t value, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_WRITE, p, ACC_WRITE)
    st32_rel(p, value)

cdef inline void write64(iopf_actor *self, uint64_t *p, uint64_t value, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_WRITE, p, ACC_WRITE)
    st64_rel(p, value)

cdef inline uint32_t add32(iopf_actor *self, uint32_t *p, uint32_t n, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_RMW, p, ACC_RMW)
    return xadd32(p, n)

cdef inline uint64_t add64(iopf_actor *self, uint64_t *p, uint64_t n, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_RMW, p, ACC_RMW)
    return xadd64(p, n)

cdef inline uint32_t or32(iopf_actor *self, uint32_t *p, uint32_t bits, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_RMW, p, ACC_RMW)
    return or_32(p, bits)

cdef inline uint32_t and32(iopf_actor *self, uint32_t *p, uint32_t bits, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_RMW, p, ACC_RMW)
    return and_32(p, bits)

cdef inline uint64_t or64(iopf_actor *self, uint64_t *p, uint64_t bits, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_RMW, p, ACC_RMW)
    return or_64(p, bits)

cdef inline uint64_t and64(iopf_actor *self, uint64_t *p, uint64_t bits, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_RMW, p, ACC_RMW)
    return and_64(p, bits)

cdef inline uint64_t swap64(iopf_actor *self, uint64_t *p, uint64_t value, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_FIELD_RMW, p, ACC_RMW)
    return xchg64(p, value)

cdef inline bint try64(iopf_actor *self, uint64_t *p, uint64_t want, uint64_t value, uint32_t site) noexcept nogil:
    """True when ``*p`` held ``want`` and now holds ``value``."""
    point(self, site << 8 | OP_FIELD_RMW, p, ACC_RMW)
    return cas64(p, want, value)

cdef inline void fence_at(iopf_actor *self, uint32_t site) noexcept nogil:
    """A full fence: earlier stores are visible before later loads execute."""
    point(self, site << 8 | OP_FENCE, NULL, ACC_FENCE)
    fence()
