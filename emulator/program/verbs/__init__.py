# SPDX-License-Identifier: MIT
"""The operations of programs: one row per verb, the source of parser, encoder and help page.

A row has the verb's number (`emulator/spec/program.pxd`), its actor, its words, the fields of its record and its meaning. The actors
dispatch by number through a table of functions (`tests/unit/test_operations.py` compares the two): a new verb is a number, a row and
a function.
"""

from __future__ import annotations

from iopf.emulator.program.grammar import Verb
from iopf.emulator.program.verbs import control, device, driver, ioasid, tenant

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        *tenant.VERBS,
        *device.VERBS,
        *driver.VERBS,
        *ioasid.VERBS,
        *control.VERBS,
        *control.BLOCKS,
    )
}
