# SPDX-License-Identifier: MIT
"""The mistakes that the programs of tests/probes/order must see: each fence, locked instruction, release store and re-check taken out in
turn, and the survivors with the reason.

`EVERY_ORDERING` says which lines a file may not have without a mutant here, so a new fence needs one, too.
"""

from __future__ import annotations

import re

from tests.support import (
    order_mutants_gates,
    order_mutants_locks,
    order_mutants_rings,
    order_mutants_waits,
)

# Full fences and stores that publish. Loads with acquire are for the check of scheduling points: here loads stay in their order.
EVERY_ORDERING = re.compile(r"\b(?:fence|fence_at|st(?:32|64)_rel|write(?:32|64))\(")
# Functions that never meet another actor of these programs: repair after a death, formatting, wake-ups that a test loses on purpose.
ELSEWHERE = {"work_format", "work_repair", "chan_format", "wait_lost"}

MUTANTS = (
    *order_mutants_waits.MUTANTS,
    *order_mutants_locks.MUTANTS,
    *order_mutants_rings.MUTANTS,
    *order_mutants_gates.MUTANTS,
)
