# SPDX-License-Identifier: MIT
"""Files of results: whole or not there, and readable by this user alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def make_private(directory: Path) -> None:
    """Create the directory, with its parents, for this user alone. One that exists keeps its mode. Raises OSError."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    if not directory.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(directory))


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write. It gets its name, with mode 0600, when all of it is written; after an error nothing of it is left.

    Raises OSError with the final name."""
    scratch: str | None = None
    try:
        fd, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(fd, "wb") as file:
            yield file
        os.replace(scratch, path)
    except BaseException as error:
        if scratch is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(scratch)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all. Raises OSError with the final name."""
    with whole(path) as file:
        file.write(text.encode(errors="backslashreplace"))
