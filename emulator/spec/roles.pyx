# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The numbers of ``roles.pxd`` for Python, and the crew slots of each role."""


def slots_of(config: dict) -> dict:
    """Crew slots: first slot and number of each role, and the total."""
    slots, at = {}, 0
    counts = {"supervisor": 1, "iommu": config["units"], "irq": config["units"], "handler": config["handlers"],
              "task": config["tenants"], "driver": config["drivers"], "tenant": config["tenants"], "device": config["devices"]}
    for role, count in counts.items():
        slots[role] = (at, count)
        at += count
    slots["total"] = (0, at)
    return slots
