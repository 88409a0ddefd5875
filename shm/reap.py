# SPDX-License-Identifier: MIT
"""Removing the objects of dead systems. Only objects of this user with a dead creator are touched.

The name identifies the creator, so an object under construction is never mistaken for a dead one, and two reapers may run at once.
"""

from __future__ import annotations

import posix_ipc
from iopf.shm.arena import cannot
from iopf.shm.naming import Name, find_all


def dead_objects() -> list[Name]:
    """Objects of this user whose creator is dead, including incomplete ones."""
    return [name for name in find_all() if not name.creator_alive]


def remove(name: Name) -> bool:
    """Remove an object; false if another process was faster. Raises ArenaError."""
    try:
        posix_ipc.unlink_shared_memory(str(name))
    except posix_ipc.ExistentialError:
        return False
    except OSError as error:
        raise cannot(f"remove {name}", error) from error
    return True
