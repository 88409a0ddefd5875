# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Where the time of a request goes: the stages of its way, with a histogram of each in every actor."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.histogram cimport histogram
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_HISTOGRAMS

cdef enum Stage:
    STAGE_LINK = 0           # device to hardware
    STAGE_QUEUE = 1          # hardware queue to IRQ thread
    STAGE_REPORT = 2         # IRQ thread until the group is queued
    STAGE_WORK = 3           # queued until a handler takes it
    STAGE_MM = 4             # handler: faults until the last page is done
    STAGE_RESPOND = 5        # mm done until the response is submitted
    STAGE_COMMAND = 6        # response submitted until the hardware executes it
    STAGE_RETURN = 7         # hardware to device
    STAGE_ROUND = 8          # group sent until its response arrives
    STAGES = 9

cdef inline histogram *stage_hist(view *v, uint32_t slot, uint32_t stage) noexcept nogil:
    """The histogram of one stage kept by one actor."""
    return <histogram *>view_region(v, OFF_HISTOGRAMS) + <uint64_t>slot * STAGES + stage
