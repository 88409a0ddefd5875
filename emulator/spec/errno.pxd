# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Linux's error numbers as functions return them: negative (uapi/asm-generic/errno*.h)."""

cdef enum:
    ENOENT = -2
    ESRCH = -3
    E2BIG = -7
    EBADF = -9
    EAGAIN = -11
    ENOMEM = -12
    EACCES = -13
    EFAULT = -14
    EBUSY = -16
    EEXIST = -17
    ENODEV = -19
    EINVAL = -22
    ENOSPC = -28
    ESPIPE = -29
    ENOSYS = -38
    EPROTO = -71
    EOVERFLOW = -75
    EOPNOTSUPP = -95
    EALREADY = -114
