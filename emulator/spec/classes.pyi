# SPDX-License-Identifier: MIT
from enum import IntEnum

class LockClass(IntEnum):
    LOCK_SVA = 1
    LOCK_GROUP = 2
    LOCK_QUEUE = 3
    LOCK_DEV_PARAM = 4
    LOCK_FAULT_PARAM = 5
    LOCK_MMAP = 6
    LOCK_PASID = 7
    LOCK_QI = 8
    LOCK_IOPF = 9
    LOCK_WQ = 10
    LOCK_IOASID = 11
    LOCK_FAULT_OBJECT = 12
    LOCK_DELIVER = 13
    LOCK_DEVICE = 14

POOL_FAULT: int
POOL_GROUP: int
POOL_PARAM: int
POOL_HANDLE: int
POOL_DOMAIN: int
POOL_MM: int
POOL_TABLE: int
POOL_UFAULT: int
POOL_IOASID: int
POOL_ALLOCATOR: int
POOL_CLASSES: int
POOLS: tuple[str, ...]
