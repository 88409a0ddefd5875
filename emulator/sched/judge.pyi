# SPDX-License-Identifier: MIT
from enum import IntEnum

class Bug(IntEnum):
    BUG_NONE = 0
    BUG_VERDICT = 1
    BUG_DEADLOCK = 2
    BUG_LIVELOCK = 3
    BUG_LEAK = 4
    BUG_DIVERGED = 5
    BUG_LOST = 6
    BUG_ANSWER = 7
    BUG_FAILED = 8
