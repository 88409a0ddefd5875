# SPDX-License-Identifier: MIT
from enum import IntEnum

FIRST_DRAIN: int
KIND_DRAIN: int

class End(IntEnum):
    END_NONE = 0
    END_QUIET = 1
    END_STEPS = 2
    END_VERDICT = 3
    END_DIVERGED = 4
    END_LOST = 5
    END_CUT = 6
