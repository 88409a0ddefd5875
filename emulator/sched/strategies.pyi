# SPDX-License-Identifier: MIT
from enum import IntEnum

class Strategy(IntEnum):
    STRATEGY_FIRST = 0
    STRATEGY_RANDOM = 1
    STRATEGY_PCT = 2
    STRATEGY_POS = 3
    STRATEGY_URW = 4
    STRATEGY_PATH = 5
    STRATEGY_LOOSE = 6
    STRATEGY_TREE = 7
    STRATEGY_ORDERED = 8
