# SPDX-License-Identifier: MIT
"""What the commands of `iopf kernel` share: errors as one line, and progress on a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from iopf.emulator.linux.errors import BuildError, CrashError, MachineError
from iopf.tools.status import Failed, Status

_EVERY_S = 0.1


class KernelError(Failed):
    status = Status.USAGE


class KernelMachineError(Failed):
    status = Status.MACHINE


class KernelUnsupportedError(Failed):
    status = Status.UNSUPPORTED


class KernelCrashError(Failed):
    status = Status.DIED


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Turn an error of a build into one of a command."""
    try:
        yield
    except MachineError as error:
        raise KernelMachineError(str(error)) from error
    except CrashError as error:
        raise KernelCrashError(str(error)) from error
    except BuildError as error:
        raise KernelError(str(error)) from error


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A line in place on a terminal's standard error; elsewhere nothing."""
    told = 0.0

    def tell(text: str) -> None:
        nonlocal told
        if sys.stderr.isatty() and time.monotonic() - told >= _EVERY_S:
            told = time.monotonic()
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()

    try:
        yield tell
    finally:
        if told:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
