# cython: language_level=3, cdivision=True
"""The IOPF queue: which devices report through it, flushing it, discarding what overflow left half done."""

from libc.stdint cimport uint32_t

from emulator.spec.board cimport *

cdef int iopf_queue_add_device(view *v, uint32_t dev) noexcept nogil
cdef void iopf_queue_remove_device(view *v, uint32_t dev) noexcept nogil
cdef int iopf_queue_flush_dev(view *v, uint32_t dev) noexcept nogil
cdef int iopf_queue_discard_partial(view *v) noexcept nogil
