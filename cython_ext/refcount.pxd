# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""A reference count that saturates.

Every holder of a reference writes the word. ``ref_get_not_zero`` is a compare-and-swap that fails on 0, so a reader under RCU can try
an object whose last reference may be dropped concurrently. Above ``REF_SATURATED`` the count no longer changes: a leak is better than a
use after free, and a verdict reports it. A put below zero is a verdict too, and so is a count that reaches the crew's ``ref_limit``,
because leaked references accumulate long before they overflow. Increments need no ordering (the caller already has access to the
object); the put that reaches zero is a locked instruction and orders every earlier use before the free that follows.
"""

from libc.stdint cimport uint32_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *

cdef enum:
    REF_SATURATED = 0x40000000

cdef inline void ref_set(uint32_t *r, uint32_t n) noexcept nogil:
    st32_rel(r, n)

cdef inline bint ref_get_not_zero(iopf_actor *self, uint32_t *r, uint32_t site) noexcept nogil:
    cdef uint32_t old
    point(self, site << 8 | OP_REF_GET, r, ACC_RMW)
    while True:
        old = ld32_rlx(r)
        if old == 0:
            return False
        if iopf_unlikely(old >= REF_SATURATED):
            return True
        if cas32(r, old, old + 1):
            if iopf_unlikely(old + 1 == REF_SATURATED or old + 1 == crew_of(self).ref_limit):
                verdict_raise(self, VERDICT_REFCOUNT, 0, old, 0, 0, 1, site)
            return True

cdef inline void ref_get(iopf_actor *self, uint32_t *r, uint32_t site) noexcept nogil:
    """Take a reference; the caller already holds one, so a count of 0 is a verdict."""
    if iopf_unlikely(not ref_get_not_zero(self, r, site)):
        verdict_raise(self, VERDICT_REFCOUNT, 0, 0, 0, 0, 2, site)

cdef inline bint ref_put(iopf_actor *self, uint32_t *r, uint32_t site) noexcept nogil:
    """Drop a reference. True if it was the last one and the caller has to free."""
    cdef uint32_t old
    point(self, site << 8 | OP_REF_PUT, r, ACC_RMW)
    while True:
        old = ld32_rlx(r)
        if iopf_unlikely(old >= REF_SATURATED):
            return False
        if iopf_unlikely(old == 0):
            verdict_raise(self, VERDICT_REFCOUNT, 0, 0, 0, 0, 3, site)
            return False
        if cas32(r, old, old - 1):
            return old == 1
