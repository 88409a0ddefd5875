# SPDX-License-Identifier: MIT
from enum import IntEnum

class FlowState(IntEnum):
    FLOW_OP = 0
    FLOW_MOVED = 1
    FLOW_BLOCKED = 2
    FLOW_END = 3

def operations() -> list[int]: ...
