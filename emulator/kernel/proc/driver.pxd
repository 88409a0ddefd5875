# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Driver processes: kernel threads that act on devices and queues from outside the fault path.

Driver 0 makes the iopf queues, probes and removes devices when the supervisor asks (``order``; a killed device is a
surprise removal), and frees the queues at the end. Drivers 1 and up run programs: hot plug, queue calls, injected
events, injected failures, held stages. They run against everything else.

    device.order    the supervisor; driver 0 reads
    board.hold      drivers, atomically; IRQ threads and workers read before each pass or item
    driver.finished the driver; the supervisor reads
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view

cdef int driver_main(view *v, uint32_t index) noexcept nogil
