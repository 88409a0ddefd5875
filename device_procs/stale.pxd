# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The check of cached translations: none may be used after what took it away has returned.

The device process compares an entry of its ATC with the tables as they are. An entry that grants more is wrong only when no change is
under way (``emulator/board/changes.pxd``): while one is, its invalidation may still be on the link. Only this process drops entries of its
ATC, so an entry that it holds was not dropped before. Nothing is decided about a function that is gone, or that was reset and has not
emptied its cache yet.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.device_procs.pri cimport function

# One use of an entry that address space ``mm_id`` has granted; raises VERDICT_STALE_TRANSLATION.
cdef void check_use(function *f, uint32_t pasid, uint64_t address, uint32_t rwx, uint32_t mm_id) noexcept nogil
# Every entry, as if it was used now.
cdef void check_cache(function *f) noexcept nogil
