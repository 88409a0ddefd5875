# cython: language_level=3
"""Python's view of actors and scheduling points; the numbers stand in ``crew.pxd``, the essay in ``crew.h``."""


def struct_sizes() -> dict:
    """Sizes in bytes of the shared structures, for the layout hash."""
    return {"crew": sizeof(iopf_crew), "actor": sizeof(iopf_actor), "verdict": sizeof(iopf_verdict)}
