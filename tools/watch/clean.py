# SPDX-License-Identifier: MIT
"""`iopf clean`: remove the shared memory of dead systems. Objects of living processes and of others are kept."""

from __future__ import annotations

import json
import sys

from iopf.emulator.spec.text import counted
from iopf.shm.objects import dead_objects, remove, scan


def main(json_out: bool, dry_run: bool, verbose: bool) -> int:
    dead = dead_objects()
    removed = [str(name) for name in dead if dry_run or remove(name)]
    ours, foreign = scan()
    kept = len(ours) - (len(dead) if dry_run else 0)
    if json_out:
        row = {
            "type": "clean",
            "schema": "iopf/1",
            "removed": removed,
            "running": kept,
            "skipped": [{"name": str(each.name), "reason": each.reason} for each in foreign],
            "dry_run": dry_run,
        }
        sys.stdout.write(json.dumps(row) + "\n")
        return 0
    verb = "would remove" if dry_run else "removed"
    for name in removed:
        sys.stdout.write(f"{verb} {name}\n")
    if verbose:
        for each in foreign:
            sys.stdout.write(f"skipped {each.name}: {each.reason}\n")
    sys.stderr.write(f"iopf: {verb} {counted(len(removed), 'dead object')}; {kept} running\n")
    return 0
