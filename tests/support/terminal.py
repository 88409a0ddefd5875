# SPDX-License-Identifier: MIT
"""The command on a pseudo-terminal, to its end: what a person sees."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

BOUND_S = 60.0


def on_terminal(
    *args: str, cwd: Path, columns: int = 80, rows: int = 24, environ: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run `iopf` with its output and errors on a terminal of this size; return the exit status and all that was written."""
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    given = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "iopf.tools.cli", *args],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env={**given, "TERM": "xterm", "PAGER": "cat", **(environ or {})},
    )
    os.close(theirs)
    told = []
    try:
        while data := _read(mine):
            told.append(data)
    finally:
        os.close(mine)
        status = process.wait(BOUND_S)
    return status, b"".join(told).decode().replace("\r\n", "\n")


def _read(fd: int) -> bytes:
    """The next bytes; none when the last process has closed the terminal."""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""
