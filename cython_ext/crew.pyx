# cython: language_level=3
"""Actors and scheduling points for Python; numbers in ``crew.pxd``, documentation in ``crew.h``."""


def struct_sizes() -> dict:
    """Sizes in bytes of the shared structures, for the layout hash."""
    return {"crew": sizeof(iopf_crew), "actor": sizeof(iopf_actor), "verdict": sizeof(iopf_verdict)}
