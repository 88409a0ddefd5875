# SPDX-License-Identifier: MIT
from enum import IntEnum

class Getter(IntEnum):
    GETTER_NONE = 0
    GETTER_FALSE = 1
    GETTER_MMGET = 2

class IoasidStep(IntEnum):
    STEP_HOST = 0
    STEP_REPEAT = 1
    STEP_RECORD = 2

class IoasidSet(IntEnum):
    IOASID_SET_NONE = 0
    IOASID_SET_SVA = 1

IOASID_IDS: int
IOASID_OBJECTS: int
IOASID_ALLOCATORS: int
IOASID_SHARERS: int
VCMD_BACKENDS: int
