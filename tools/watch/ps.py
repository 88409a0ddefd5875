# SPDX-License-Identifier: MIT
"""`iopf ps`: the systems of this user, running and dead."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from iopf.emulator.spec.text import printable
from iopf.shm.objects import ArenaError
from iopf.tools.supervisor.status_line import PHASES, short
from iopf.tools.watch.attach import Board, Found, systems


def row_of(found: Found) -> dict[str, Any]:
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
        with Board(found.name) as board:
            read = {
                "state": PHASES[min(board.snapshot.phase, 5)],
                "name": board.run_name,
                "devices": len(board.snapshot.devices()),
                "sent": board.snapshot.sent(),
                "trouble": None,
            }
            board.check()
    except ArenaError as error:
        row["trouble"] = str(error)
        return row
    return row | read


def main(json_out: bool) -> int:
    rows = [row_of(found) for found in systems()]
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
            f"{short(row['sent']):>9}  {printable(row['name'] or row['trouble'] or '')}\n"
        )
    return 0
