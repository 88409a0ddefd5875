"""Where the schedule files of a test are: how they are called, and from where a path is meant.

A test may change the current directory, and pytest is started where somebody likes. So a path that is not absolute is meant from the
directory in which pytest was started, and is printed so that it can be used there.
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
    """The file of a test's `call`-th schedule: always the same one, and no other test's.

    In a plain id only `/` and `::` become `-`, and a function has no dot, so neither another plain id nor what is put behind a dot is
    called the same. Every other id has its hash there.
    """
    name = _ODD.sub("-", nodeid).strip("-")
    if not _SIMPLE.fullmatch(nodeid) or len(name) > _LONGEST:
        whole = nodeid.encode(errors="backslashreplace")
        name = f"{name[:_LONGEST]}.{hashlib.blake2s(whole, digest_size=4).hexdigest()}"
    return f"{name}.json" if call == 1 else f"{name}.{call}.json"


def shown(path: Path, start: Path, given: Path) -> Path:
    """A path below `given` as somebody in `start` may use it: like `given`, absolute or not."""
    return path if given.is_absolute() else Path(os.path.relpath(path, start))


def places(file: Path, start: Path, test: Path) -> list[Path]:
    """Where `file` may be: below `start`, else beside the test."""
    return list(dict.fromkeys([start / file, test.parent / file]))
