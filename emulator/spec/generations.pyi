# SPDX-License-Identifier: MIT
from enum import IntEnum

class Generation(IntEnum):
    GEN_V5_13 = 1
    GEN_V5_18 = 2
    GEN_V6_2 = 3
    GEN_V6_9 = 4
    GEN_V6_11 = 5
    GEN_V6_13 = 6
    GEN_V6_14 = 7
    GEN_V6_16 = 8
    GEN_V7_2 = 9
    GEN_GUNTHORPE = 10
