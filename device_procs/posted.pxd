# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Posted writes that are slower than the completion of an invalidation: the defect of QAT devices on Sapphire Rapids.

Such a function (``device.dtlb_extra_inval``) completes an invalidation while writes that it had posted with an invalidated translation are
still on their way. They land before it completes the next invalidation, so a driver sends two (e65a6897be5e, v6.2).
All of it is private to the device process; a write that lands is a use of its translation (``stale.pxd``).
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.device_procs.pri cimport function

# The writes that use pages of an invalidation: what was posted before lands first. At most POSTED_MAX are kept.
cdef void post_writes(function *f, uint32_t pasid, uint64_t start, uint64_t pages) noexcept nogil
# Lands what is posted; false when nothing was.
cdef bint land_posted(function *f) noexcept nogil
