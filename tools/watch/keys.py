# SPDX-License-Identifier: MIT
"""Single keys from the terminal, while it is on screen."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator


@contextlib.contextmanager
def single_keys() -> Iterator[int | None]:
    """The descriptor to read keys from, without echo or line editing; None if standard input is no terminal. Ctrl-C stays a signal."""
    try:
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
    except (OSError, ValueError, termios.error):
        yield None
        return
    tty.setcbreak(fd)
    try:
        yield fd
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def key_within(fd: int | None, seconds: float) -> str:
    """The next key, or an empty text when none was pressed in time."""
    ready, _, _ = select.select([] if fd is None else [fd], [], [], seconds)
    return os.read(ready[0], 1).decode(errors="replace") if ready else ""
