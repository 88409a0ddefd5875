# cython: language_level=3, cdivision=True
"""Operations of tenant and device programs. The packed records are described in ``emulator/trace/program.py``, with the same numbers."""

cdef enum:
    T_MAP = 1
    T_UNMAP = 2
    T_PROTECT = 3
    T_ZAP = 4
    T_MREMAP = 5
    T_FORK = 6
    T_EXEC = 7
    T_EXIT = 8
    T_BIND = 9
    T_UNBIND = 10
    T_NEW_MM = 11
    T_WAIT_FORK = 12
    T_GATE = 13
    T_WAIT_DEVICES = 14      # until every device of the tenant has finished its workload
    D_REQUEST = 32
    F_READ = 1
    F_WRITE = 2
    F_EXEC = 4
    F_PRIV = 8
    F_LAST = 16
