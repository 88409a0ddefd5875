# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Changes that take translations away, as a word that a device reads to tell a late invalidation from a missing one.

    writer   the process that unmaps, protects, detaches or ends an address space; atomically, since two may work on one device
    reader   the device process that checks what it has cached (``device_procs/stale.pyx``)

Low half: changes under way. High half: changes begun. A change is begun before the first store that takes something away and ended when
the device-TLB invalidation has completed. So when the word is the same before and after a look at the tables and nothing is under way,
no cached translation may grant more than the tables did.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport add64
from iopf.cython_ext.crew cimport iopf_actor

cdef enum:
    CHANGE_BITS = 32

cdef inline void change_begin(iopf_actor *self, uint64_t *changes, uint32_t site) noexcept nogil:
    add64(self, changes, (<uint64_t>1 << CHANGE_BITS) + 1, site)

cdef inline void change_end(iopf_actor *self, uint64_t *changes, uint32_t site) noexcept nogil:
    add64(self, changes, <uint64_t>-1, site)

cdef inline bint change_under_way(uint64_t changes) noexcept nogil:
    return <uint32_t>changes != 0
