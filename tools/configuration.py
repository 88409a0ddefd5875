# SPDX-License-Identifier: MIT
"""The configurations that random systems vary: a value for each parameter that changes which code runs.

`stress` and `race fuzz` draw one at random, and the suite runs a set in which every pair of values occurs. A check that always runs on
the default system sees one queue, one IOMMU and no option, so an error in any other is invisible to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from iopf.emulator.spec.kernels import GENERATIONS, since

# By field of Configuration. 128 records is the smallest queue of a native run.
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "generation": tuple(GENERATIONS),
    "devices": (3, 5),
    "units": (1, 2, 3),
    "queues": ("iommu", "global", "device", "domain"),
    "option": ("", "sync", "eager", "group-lists", "early-private", "match-pasid", "answer-last"),
    "handlers": (1, 2, 4),
    "credits": (4, 32, 256),
    "prq_records": (128, 2048),
    "group_pages": (1, 3, 4),
    "interleave": (1, 3),
    "private_ratio": (0.0, 0.5),
    "stop": ("wait", "marker"),
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One value per parameter, as the tables of a scenario have them. `option`: of the kernel, or an empty string."""

    generation: str
    devices: int
    units: int
    queues: str
    option: str
    handlers: int
    credits: int
    prq_records: int
    group_pages: int
    interleave: int
    private_ratio: float
    stop: str

    @property
    def options(self) -> list[str]:
        return [self.option] if self.option else []

    def tables(self, needed: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
        """Tables `kernel`, `iommu` and one `device`, without a workload's length. `needed`: further options."""
        return {
            "kernel": {
                "generation": self.generation,
                "handlers": self.handlers,
                "queues": self.queues,
                "options": sorted({*self.options, *needed}),
            },
            "iommu": {"units": self.units, "prq_records": self.prq_records},
            "device": {
                "credits": self.credits,
                "group_pages": self.group_pages,
                "stop": self.stop,
                "workload": {"interleave": self.interleave, "private_ratio": self.private_ratio},
            },
        }


def described(tables: Mapping[str, Any]) -> str:
    """What a system has besides its sizes, from the tables `kernel`, `iommu` and `device`, for a report."""
    kernel, iommu = tables.get("kernel", {}), tables.get("iommu", {})
    device = (tables.get("device") or [{}])[0]
    units = iommu.get("units", 1)
    told = [
        f"{units} IOMMU{'s' if units > 1 else ''}",
        f"queues {kernel.get('queues', 'iommu')}",
        f"stop {device.get('stop', 'wait')}",
    ]
    if kernel.get("options"):
        told.append(f"options {' '.join(kernel['options'])}")
    if device.get("workload", {}).get("private_ratio"):
        told.append("private data")
    return ", ".join(told)


def draw_configuration(random: Random, **fixed: Any) -> Configuration:
    """A value of each parameter at random, but for those in `fixed`. No more IOMMUs than devices."""
    values = {name: random.choice(values) for name, values in PARAMETERS.items()} | fixed
    return Configuration(**{**values, "units": min(values["units"], values["devices"])})


def needs(generation: str) -> tuple[str, ...]:
    """Options without which random programs fail in a way that the catalogue has: since v6.11 a refused non-last request is answered."""
    return ("answer-last",) if generation in since("v6.11", proposed=False) else ()
