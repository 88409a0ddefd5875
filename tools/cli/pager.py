# SPDX-License-Identifier: MIT
"""Long output on a terminal goes through a pager, as git's does: $PAGER, or `less -FRX`, which ends at once when all fits.

Without a terminal, without a pager, or with an empty PAGER or PAGER=cat, lines are printed as always.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping

import click

LESS = "FRX"


def pager_command(environ: Mapping[str, str]) -> list[str]:
    """The words of the pager, empty for none."""
    try:
        words = shlex.split(environ.get("PAGER", "less"))
    except ValueError:  # an open quotation
        return []
    return words if words and words != ["cat"] and shutil.which(words[0]) else []


def page_lines(lines: Iterable[str], *, color: bool | None = None) -> None:
    """Print lines that are printable already."""
    command = pager_command(os.environ) if sys.stdout.isatty() else []
    if not command:
        for line in lines:
            click.echo(line, color=color)
        return
    sys.stdout.flush()
    environ = {"LESS": LESS, **os.environ}
    pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=environ)
    assert pager.stdin is not None
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's
    try:
        with pager.stdin as to:
            for line in lines:
                shown = line if color else click.unstyle(line)
                to.write(f"{shown}\n".encode(errors="backslashreplace"))
    except BrokenPipeError:  # the reader has seen enough
        pass
    finally:
        pager.wait()
        signal.signal(signal.SIGINT, before)
