# SPDX-License-Identifier: MIT
from enum import IntEnum

class Pattern(IntEnum):
    PATTERN_REPLAY = 0
    PATTERN_SEQUENTIAL = 1
    PATTERN_STRIDED = 2
    PATTERN_ZIPF = 3
    PATTERN_CHASE = 4
    PATTERN_BURSTS = 5
    PATTERN_PROGRAM = 6

class Synthetic(IntEnum):
    SYNTH_BASE = 0x100000000000
    SYNTH_OUTSIDE = 0x600000000000
