# SPDX-License-Identifier: MIT
"""The command's first module: until the command can end in order, Ctrl-C ends it at once, without a traceback of its imports."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from iopf.tools.cli.main import main

__all__ = ["main"]
