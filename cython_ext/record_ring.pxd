# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The record ring: head and tail are hardware registers in byte offsets, N records of which N - 1 are usable.

The VT-d page request queue and invalidation queue have this form: no wrap bit, empty when head == tail, full when the tail is one
record behind the head.

    tail    the producer writes (release) after the records; the consumer reads (acquire)
    head    the consumer writes (release) after reading them; the producer reads (acquire)
One producer and one consumer at a time: the IOMMU writes the page request queue; the holder of its lock writes the invalidation queue
(the tail is written last, so a holder that dies leaves no partial descriptor in it). A register with an offset beyond the ring or not
aligned to a record is a verdict and counts as empty (full).
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *

cdef struct ring_regs:
    uint64_t head        # bytes
    uint64_t pad0[7]
    uint64_t tail        # bytes
    uint64_t pad1[7]

cdef struct ring_end:
    ring_regs *regs
    char *records
    uint64_t bytes_mask  # ring size in bytes - 1
    uint32_t record_bytes

cdef inline void ring_attach(ring_end *e, ring_regs *regs, char *records, uint64_t count, uint32_t record_bytes) noexcept nogil:
    """``count`` and ``record_bytes`` are powers of two."""
    e.regs = regs
    e.records = records
    e.record_bytes = record_bytes
    e.bytes_mask = count * record_bytes - 1

cdef inline bint ring_offset_ok(ring_end *e, uint64_t offset) noexcept nogil:
    return offset <= e.bytes_mask and (offset & (e.record_bytes - 1)) == 0

cdef inline uint64_t ring_tail(iopf_actor *self, ring_end *e, uint32_t site) noexcept nogil:
    cdef uint64_t tail
    point(self, site << 8 | OP_RING_READ_TAIL, &e.regs.tail, ACC_READ)
    tail = ld64_acq(&e.regs.tail)
    if iopf_unlikely(not ring_offset_ok(e, tail)):
        verdict_raise(self, VERDICT_BAD_WORD, 0, tail, e.bytes_mask, 0, 4, site)
        return ld64_rlx(&e.regs.head) & e.bytes_mask & ~<uint64_t>(e.record_bytes - 1)
    return tail

cdef inline uint64_t ring_head(iopf_actor *self, ring_end *e, uint32_t site) noexcept nogil:
    cdef uint64_t head
    point(self, site << 8 | OP_RING_READ_HEAD, &e.regs.head, ACC_READ)
    head = ld64_acq(&e.regs.head)
    if iopf_unlikely(not ring_offset_ok(e, head)):
        verdict_raise(self, VERDICT_BAD_WORD, 0, head, e.bytes_mask, 0, 5, site)
        return (ld64_rlx(&e.regs.tail) + e.record_bytes) & e.bytes_mask & ~<uint64_t>(e.record_bytes - 1)
    return head

cdef inline uint64_t ring_advance(ring_end *e, uint64_t offset) noexcept nogil:
    return (offset + e.record_bytes) & e.bytes_mask

cdef inline uint64_t ring_used(ring_end *e, uint64_t head, uint64_t tail) noexcept nogil:
    """Number of records between head and tail."""
    return ((tail - head) & e.bytes_mask) // e.record_bytes

cdef inline uint64_t *ring_record(ring_end *e, uint64_t offset) noexcept nogil:
    return <uint64_t *>(e.records + offset)

cdef inline void ring_publish(iopf_actor *self, ring_end *e, uint64_t tail, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_RING_PUBLISH, &e.regs.tail, ACC_WRITE)
    st64_rel(&e.regs.tail, tail)  # pairs with the acquire load in ring_tail

cdef inline void ring_consume(iopf_actor *self, ring_end *e, uint64_t head, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_RING_CONSUME, &e.regs.head, ACC_WRITE)
    st64_rel(&e.regs.head, head)  # pairs with the acquire load in ring_head
