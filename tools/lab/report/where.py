"""Names for addresses of the board: what a step of a schedule touches."""

from __future__ import annotations

from collections.abc import Mapping

from iopf.emulator.board import layout as regions
from iopf.emulator.board.layout import plan_layout

# What people call the regions; the others go by the names of the board.
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
    """Finds the region of an offset in the arena."""

    def __init__(self, config: Mapping[str, int]) -> None:
        names = {value: name for name, value in vars(regions).items() if name.startswith("OFF_")}
        layout = plan_layout(dict(config))
        self._starts = sorted(
            (start, names[which]) for which, start in layout.items() if which in names
        )

    def region(self, offset: int) -> str:
        """`device+0x28`: the region and how far into it; empty for an address outside the arena."""
        found = ""
        for start, name in self._starts:
            if start > offset:
                break
            found = f"{_TITLES.get(name, name[4:].lower().replace('_', ' '))}+{offset - start:#x}"
        return found if offset else ""
