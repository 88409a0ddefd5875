# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The device's look into the books of the other two sides, when it retires a request.

Hardware and kernel each note in a ledger of their own what they did with a request (``emulator/board/ledger.pxd``:
``ledger``). The device reads both after the response has come, so whatever led to the response is visible; only what the
hardware answered by itself may have its remains still under way in the kernel.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport read32
from iopf.emulator.board.board cimport view
from iopf.emulator.board.ledger cimport *
from iopf.emulator.spec.sites cimport DEV_RECEIVE

cdef enum:
    EARLY_REFUSED = 1            # the last request was refused before its partials were collected; they stay
    EARLY_ANSWER = 2             # one of the others was answered by itself: the answer says nothing about the rest

cdef inline uint32_t fate_of(view *v, uint32_t dev, uint32_t which, uint32_t prgi, uint64_t uid) noexcept nogil:
    cdef uint32_t word = read32(v.self, ledger(v, which, dev, prgi, uid), DEV_RECEIVE)
    return word & 0xFF if word >> 8 == <uint32_t>(uid & 0xFFFFFF) else FATE_NONE


cdef inline bint fates_agree(uint32_t hw, uint32_t kernel, bint last, bint by_hardware, uint32_t early) noexcept nogil:
    """Whether the two sides can both be right about a request whose group has just been answered."""
    if last and by_hardware:
        return hw == FATE_AUTO_SUCCESS or hw == FATE_AUTO_INVALID
    if early == EARLY_ANSWER and kernel == FATE_NONE:
        return True  # it may be anywhere, also still on the link
    if hw == FATE_ENQUEUED:
        if by_hardware:
            return True  # its record may still be in the queue or on the partial list
        if kernel == FATE_ANSWERED or kernel == FATE_REJECTED:
            return True
        if last:
            return False
        return (kernel == FATE_DISCARDED or kernel == FATE_FREED or kernel == FATE_NOMEM or kernel == FATE_UNANSWERED or
                (early == EARLY_ANSWER and kernel == FATE_ACKNOWLEDGED) or (early == EARLY_REFUSED and kernel == FATE_NONE))
    return not last and (hw == FATE_DROP_OVERFLOW or hw == FATE_DROP_REFUSED)
