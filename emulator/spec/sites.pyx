# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Names of sites and scheduling points. Numbers: see ``sites.pxd``."""

from iopf.cython_ext.crew import PointOp


def point_name(point: int) -> str:
    """``queue_flush_dev/work_flush`` for a point id (site << 8 | operation)."""
    try:
        site = Site(point >> 8).name.lower()
    except ValueError:
        site = f"site-{point >> 8}"
    try:
        op = PointOp(point & 0xFF).name[3:].lower()
    except ValueError:
        op = f"op-{point & 0xFF}"
    return f"{site}/{op}"
