# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The numbers of ``classes.pxd`` for Python, and the names of the pools."""

POOLS = ("fault", "group", "fault_param", "attach_handle", "domain", "mm", "page table", "fault object", "ioasid", "allocator")
