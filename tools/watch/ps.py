# SPDX-License-Identifier: MIT
"""`iopf ps`: the systems of this user, running, searching and dead, and the processes of each."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iopf.emulator.board.snapshot import Snapshot
from iopf.emulator.spec.roles import Role
from iopf.emulator.spec.sites import point_name
from iopf.emulator.spec.text import printable
from iopf.shm.arena import STATE_CONTROLLED
from iopf.shm.objects import ArenaError
from iopf.shm.procs import is_alive, state
from iopf.tools.supervisor.status_line import PHASES, short, span
from iopf.tools.watch.attach import Board, Found, systems

SEARCHING = "search"


def row_of(found: Found) -> dict[str, Any]:
    """One system. `idle_s`: time since a process of it has recorded an event, None if none has."""
    row: dict[str, Any] = {
        "system": str(found.name),
        "pid": found.name.pid,
        "state": "dead",
        "name": "",
        "devices": 0,
        "sent": 0,
        "mib": round(found.header.size / 2**20, 1) if found.header else 0.0,
        "age_s": round(time.time() - found.header.created_ns / 1e9, 1) if found.header else 0.0,
        "idle_s": None,
        "processes": [],
        "trouble": found.trouble,
    }
    if not found.alive:
        row["trouble"] = "its supervisor died; 'iopf clean' removes it"
        return row
    if found.header is not None and found.header.state == STATE_CONTROLLED:
        # A campaign has a new board for every program, so the age is that of the process.
        row |= {"state": SEARCHING, "name": _command(found.name.pid), "trouble": None}
        row["age_s"] = round(_uptime_s() - found.name.started / os.sysconf("SC_CLK_TCK"), 1)
        return row
    row["state"] = "starting"
    try:
        with Board(found.name) as board:
            read = _running(board)
            board.check()
    except ArenaError as error:
        row["trouble"] = str(error)
        return row
    return row | read


def _running(board: Board) -> dict[str, Any]:
    snapshot = board.snapshot
    processes = list(_processes(snapshot))
    quiet = [each["idle_s"] for each in processes if each["idle_s"] is not None]
    return {
        "state": PHASES[min(snapshot.phase, 5)],
        "name": board.run_name,
        "devices": len(snapshot.devices()),
        "sent": snapshot.sent(),
        "idle_s": min(quiet, default=None),
        "processes": processes,
        "trouble": None,
    }


def _processes(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """The living processes besides the supervisor, in the order of their slots."""
    for actor in snapshot.actors()[1:]:
        if not actor["pid"] or not is_alive(actor["pid"], actor["start_time"]):
            continue
        quiet = snapshot.quiet_ns(actor["slot"])
        yield {
            "pid": actor["pid"],
            "role": Role(actor["role"]).name.removeprefix("ROLE_").lower(),
            "index": actor["index"],
            "state": state(actor["pid"]),
            "at": point_name(actor["last_point"]),
            "idle_s": None if quiet is None else round(quiet / 1e9, 3),
        }


def _command(pid: int) -> str:
    """The command line of a process, as far as it can be read."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    shown = [word.decode(errors="surrogateescape") for word in words if word]
    # Of `python -m iopf.tools.cli race run` and `python .../bin/iopf race run`, what a person has typed.
    while len(shown) > 1 and Path(shown[0]).name.startswith("python"):
        del shown[0]
    return " ".join([Path(shown[0]).name, *shown[1:]]) if shown else ""


def _uptime_s() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def _age(seconds: float | None) -> str:
    return "-" if seconds is None else span(seconds * 1e9)


def main(json_out: bool, processes: bool) -> int:
    rows = [row_of(found) for found in systems()]
    if json_out:
        sys.stdout.write(json.dumps({"type": "ps", "schema": "iopf/1", "systems": rows}) + "\n")
        return 0
    if not rows:
        sys.stderr.write("iopf: no running systems\n")
        return 0
    wide = max(len("SYSTEM"), *(len(row["system"]) for row in rows))
    sys.stdout.write(
        f"{'SYSTEM':{wide}}{'PID':>9} {'STATE':9}{'AGE':>8}{'IDLE':>9}{'PROCS':>6}{'DEV':>5}{'SENT':>8}{'MIB':>7}  NAME\n"
    )
    for row in rows:
        sys.stdout.write(
            f"{row['system']:{wide}}{row['pid']:>9} {row['state']:9}{row['age_s']:>7.0f}s{_age(row['idle_s']):>9}"
            f"{len(row['processes']) or '-':>6}{row['devices'] or '-':>5}{short(row['sent']):>8}{row['mib']:>7.1f}"
            f"  {printable(row['name'] or row['trouble'] or '')}\n"
        )
        for each in row["processes"] if processes else ():
            idle = _age(each["idle_s"])
            sys.stdout.write(
                f"  {each['role']:8}{each['index']:>4}  pid {each['pid']:<8}{each['state']}  idle {idle:<9}{each['at']}\n"
            )
    return 0
