# SPDX-License-Identifier: MIT
"""Names of board addresses: the object that a step accesses."""

from __future__ import annotations

from collections.abc import Mapping

from iopf.emulator.board import layout as regions
from iopf.emulator.board.layout import plan_layout

# Titles of regions that differ from the names on the board.
_TITLES = {
    "OFF_CREW": "actor",
    "OFF_DEVICES": "device",
    "OFF_UPLINKS": "uplink",
    "OFF_DOWNLINKS": "downlink",
    "OFF_PASID_TABLES": "PASID table",
    "OFF_PASID_ARRAYS": "PASID array",
    "OFF_POOLS": "object",
    "OFF_TENANTS": "tenant",
    "OFF_IOMMUS": "IOMMU registers",
    "OFF_WORK": "workqueue",
    "OFF_QUEUES": "iopf queue",
    "OFF_PROGRAMS": "program",
    "OFF_PRQ_RECORDS": "page request queue",
    "OFF_QI_RECORDS": "command queue",
    "OFF_BARRIERS": "barrier",
}


class Where:
    """Maps offsets in the arena to regions."""

    def __init__(self, config: Mapping[str, int]) -> None:
        names = {value: name for name, value in vars(regions).items() if name.startswith("OFF_")}
        layout = plan_layout(dict(config))
        self._starts = sorted(
            (start, names[which]) for which, start in layout.items() if which in names
        )

    def region(self, offset: int) -> str:
        """`device+0x28`: region and offset in it; empty for an address outside the arena."""
        found = ""
        for start, name in self._starts:
            if start > offset:
                break
            found = f"{_TITLES.get(name, name[4:].lower().replace('_', ' '))}+{offset - start:#x}"
        return found if offset else ""
