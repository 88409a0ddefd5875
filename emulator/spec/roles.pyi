# SPDX-License-Identifier: MIT
from enum import IntEnum

class Role(IntEnum):
    ROLE_SUPERVISOR = 0
    ROLE_IOMMU = 1
    ROLE_IRQ = 2
    ROLE_HANDLER = 3
    ROLE_TASK = 4
    ROLE_DRIVER = 5
    ROLE_TENANT = 6
    ROLE_DEVICE = 7

class Phase(IntEnum):
    PHASE_STARTING = 0
    PHASE_PROBING = 1
    PHASE_RUNNING = 2
    PHASE_STOPPING = 3
    PHASE_RELEASING = 4
    PHASE_ENDING = 5

class Order(IntEnum):
    ORDER_NONE = 0
    ORDER_PROBE = 1
    ORDER_REMOVE = 2

def slots_of(config: dict[str, int]) -> dict[str, tuple[int, int]]: ...
