# SPDX-License-Identifier: MIT
from enum import IntEnum

class Walk(IntEnum):
    WALK_REDUCED = 0
    WALK_PREEMPTIONS = 1
    WALK_DELAYS = 2
