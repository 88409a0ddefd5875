# SPDX-License-Identifier: MIT
"""`iopf ps`: the systems of this user, running and dead."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from iopf.emulator.board.layout import layout_hash
from iopf.emulator.board.snapshot import Snapshot
from iopf.shm.arena import Arena, ArenaError
from iopf.tools.supervisor.status_line import PHASES, short
from iopf.tools.watch.attach import Found, read_meta, systems


def _row(found: Found) -> dict[str, Any]:
    row: dict[str, Any] = {
        "system": str(found.name),
        "pid": found.name.pid,
        "state": "dead",
        "name": "",
        "devices": 0,
        "sent": 0,
        "mib": round(found.header.size / 2**20, 1) if found.header else 0.0,
        "age_s": round(time.time() - found.header.created_ns / 1e9, 1) if found.header else 0.0,
        "trouble": found.trouble,
    }
    if not found.alive:
        row["trouble"] = "its supervisor died; 'iopf clean' removes it"
        return row
    row["state"] = "starting"
    try:
        arena = Arena.attach(found.name, layout_hash())
    except ArenaError as error:
        row["trouble"] = str(error)
        return row
    try:
        snapshot = Snapshot(arena.memory)
        meta = read_meta(arena, snapshot)
        row |= {
            "state": PHASES[min(snapshot.phase, 5)],
            "name": str(meta.get("name", "")),
            "devices": len(snapshot.devices()),
            "sent": snapshot.sent(),
            "trouble": None,
        }
    finally:
        del snapshot
        arena.close()
    return row


def main(json_out: bool) -> int:
    rows = [_row(found) for found in systems()]
    if json_out:
        sys.stdout.write(json.dumps({"type": "ps", "schema": "iopf/1", "systems": rows}) + "\n")
        return 0
    if not rows:
        sys.stderr.write("iopf: no running systems\n")
        return 0
    sys.stdout.write(
        f"{'SYSTEM':36}{'PID':>8} {'STATE':9}{'AGE':>8}{'MIB':>8}{'DEV':>5}{'SENT':>9}  NAME\n"
    )
    for row in rows:
        sys.stdout.write(
            f"{row['system']:36}{row['pid']:>8} {row['state']:9}{row['age_s']:>7.0f}s{row['mib']:>8.1f}{row['devices']:>5}"
            f"{short(row['sent']):>9}  {row['name'] or row['trouble'] or ''}\n"
        )
    return 0
