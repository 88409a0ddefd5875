# SPDX-License-Identifier: MIT
"""Standard streams that are closed, full, or have lost their terminal."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO


def open_streams() -> None:
    """Replace closed standard streams (`>&-`) by /dev/null, so that no other file gets their descriptors. What the encoding of an output
    lacks (file names may have any bytes) is written as an escape."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def can_print(text: str) -> bool:
    """Whether the encoding of standard output has these characters. click would write them as UTF-8 anyway."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def discard(stream: TextIO) -> None:
    """Discard buffered and further output."""
    with open(os.devnull, "w") as devnull, contextlib.suppress(OSError, ValueError):
        os.dup2(devnull.fileno(), stream.fileno())


def leave_terminal() -> None:
    """After a hang-up: discard output to the closed terminal, keep output to files."""
    for stream in (sys.stdout, sys.stderr):
        try:
            os.write(stream.fileno(), b"")
        except (OSError, ValueError):
            discard(stream)
