"""Removing what dead systems left behind. Only objects of this user whose creator is gone are touched.

The creator stands in the name, so an object that is being made is never mistaken for a dead one, and two reapers may run at once.
"""

from __future__ import annotations

import posix_ipc
from iopf.shm.arena import cannot
from iopf.shm.naming import Name, find_all


def dead_objects() -> list[Name]:
    """Objects of this user whose creator is gone. The creator stands in the name, so half-made objects count too."""
    return [name for name in find_all() if not name.creator_alive]


def remove(name: Name) -> bool:
    """False when somebody else was faster. Raises ArenaError when it cannot be removed."""
    try:
        posix_ipc.unlink_shared_memory(str(name))
    except posix_ipc.ExistentialError:
        return False
    except OSError as error:
        raise cannot(f"remove {name}", error) from error
    return True
