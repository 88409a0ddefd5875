# SPDX-License-Identifier: MIT
"""`iopf clean`: remove the shared memory of dead systems. Objects of living processes are kept."""

from __future__ import annotations

import json
import sys

from iopf.shm.naming import find_all
from iopf.shm.reap import dead_objects, remove


def main(json_out: bool, dry_run: bool) -> int:
    dead = dead_objects()
    removed = [str(name) for name in dead if dry_run or remove(name)]
    kept = len(find_all()) - (len(dead) if dry_run else 0)
    if json_out:
        row = {
            "type": "clean",
            "schema": "iopf/1",
            "removed": removed,
            "running": kept,
            "dry_run": dry_run,
        }
        sys.stdout.write(json.dumps(row) + "\n")
        return 0
    verb = "would remove" if dry_run else "removed"
    for name in removed:
        sys.stdout.write(f"{verb} {name}\n")
    sys.stderr.write(f"iopf: {verb} {len(removed)} dead object(s); {kept} running\n")
    return 0
