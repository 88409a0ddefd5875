# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The kernel side of a tenant.

A tenant's system calls run in a process of their own, its *task*. SIGKILL never stops Linux in the middle of kernel code: it takes
effect on the way back to user space. Here the user half may be killed at any instruction; the task then finishes the call it
is in and runs
the exit path: the address space goes first (mm release), the bindings after it, as exit_mm comes before exit_files.

    box.state   idle -> posted: the tenant (release, after op and args)
                posted -> done: the task (release, after ret)
                done -> idle: the tenant
Both sleep on their own bells.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view

cdef int task_main(view *v, uint32_t ten) noexcept nogil
