# SPDX-License-Identifier: MIT
"""Names of a test's schedule files, and the directory that paths are relative to.

A test may change the current directory. Relative paths are therefore resolved against pytest's start directory, and printed relative
to it.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

_SIMPLE = re.compile(r"(?:[\w.]+/)*[\w.]+\.py(?:::\w+)+", re.ASCII)
_ODD = re.compile(r"[^\w.-]+", re.ASCII)
_LONGEST = 100


def file_name(nodeid: str, call: int) -> str:
    """Unique and stable file name of a test's `call`-th schedule.

    In a plain id only `/` and `::` become `-`. A function name has no dot, so a suffix after a dot cannot collide with another plain id.
    Every other id gets a hash as its suffix.
    """
    name = _ODD.sub("-", nodeid).strip("-")
    if not _SIMPLE.fullmatch(nodeid) or len(name) > _LONGEST:
        whole = nodeid.encode(errors="backslashreplace")
        name = f"{name[:_LONGEST]}.{hashlib.blake2s(whole, digest_size=4).hexdigest()}"
    return f"{name}.json" if call == 1 else f"{name}.{call}.json"


def shown(path: Path, start: Path, given: Path) -> Path:
    """A path below `given`, relative to `start` unless `given` is absolute."""
    return path if given.is_absolute() else Path(os.path.relpath(path, start))


def places(file: Path, start: Path, test: Path) -> list[Path]:
    """Candidate paths of `file`: relative to `start`, then to the test's directory."""
    return list(dict.fromkeys([start / file, test.parent / file]))
