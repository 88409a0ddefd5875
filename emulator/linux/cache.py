# SPDX-License-Identifier: MIT
"""Where builds are kept: XDG_CACHE_HOME/iopf/kernels.

    HASH/          a build: image, runner, the copied sources, build.json
    names/NAME     a name for a build, with what only the name knows: source and patches
    sources/KEY    which build came from an archive with certain patches, so that it is not unpacked again
    .building-*    builds under way; whoever builds holds a lock on the directory

A build appears by a rename, so it is whole or absent. Of two builds of the same the first one stays. What a killed build left is
removed by the next, which finds its lock free. `.lock` orders names against removals.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iopf.emulator.linux.errors import BuildError, MachineError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,63}")
_WORK = ".building-"
BUILD = "build.json"
SCHEMA = 1


def root() -> Path:
    """XDG requires to ignore relative paths in its variables."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if os.path.isabs(home) else Path.home() / ".cache"
    return base / "iopf" / "kernels"


def checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BuildError(f"'{name}' is not a name: letters, digits and . _ + ~ -, up to 64")
    return name


@contextlib.contextmanager
def locked() -> Iterator[Path]:
    """Exclusive use of the names; returns the cache's root, which is created."""
    where = root()
    try:
        (where / "names").mkdir(parents=True, exist_ok=True)
        (where / "sources").mkdir(exist_ok=True)
        file = os.open(where / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MachineError(f"{error.filename}: cannot write the cache: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield where
    finally:
        os.close(file)


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A directory to build in, removed at the end unless it was put in place."""
    with locked() as where:
        _sweep(where)
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=where))
        hold = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(hold, fcntl.LOCK_EX)
    try:
        yield work
    finally:
        os.close(hold)
        shutil.rmtree(work, ignore_errors=True)


def _sweep(where: Path) -> None:
    """Remove what killed builds left."""
    for path in where.glob(f"{_WORK}*"):
        with contextlib.suppress(FileNotFoundError):
            hold = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            except BlockingIOError:
                continue  # its builder lives
            finally:
                os.close(hold)


def put(work: Path, digest: str) -> None:
    """Move a finished directory into place; one that is there already stays."""
    try:
        work.rename(root() / digest)
    except OSError:
        if not exists(digest):
            raise


def exists(digest: str) -> bool:
    return (root() / digest / BUILD).is_file()


def write(path: Path, document: dict[str, Any]) -> None:
    """A whole file or none."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    scratch.replace(path)


def read(path: Path) -> dict[str, Any]:
    """A document of ours, or nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def name(label: str, digest: str, record: dict[str, Any]) -> bool:
    """Let a name mean a build. False if the build has been removed meanwhile."""
    with locked() as where:
        if not exists(digest):
            return False
        write(where / "names" / label, {**record, "build": digest})
        return True


def names() -> dict[str, dict[str, Any]]:
    """Name -> its record, of those whose build is there."""
    folder = root() / "names"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    found = {path.name: read(path) for path in paths if _NAME.fullmatch(path.name)}
    return {each: record for each, record in found.items() if exists(str(record.get("build", "")))}


def look_up(label: str) -> tuple[dict[str, Any], dict[str, Any], Path]:
    """A name's record, its build's, and the build's directory. Raises BuildError."""
    record = names().get(label)
    if record is None:
        raise BuildError(f"no kernel '{label}'; iopf kernel list shows those that were built")
    folder = root() / str(record["build"])
    return record, read(folder / BUILD), folder


def remove(label: str) -> bool:
    """Remove a name, and its build unless another name means it. Returns whether the build went too."""
    look_up(label)
    with locked() as where:
        digest = str(read(where / "names" / label).get("build", ""))
        (where / "names" / label).unlink(missing_ok=True)
        if any(record["build"] == digest for record in names().values()):
            return False
        shutil.rmtree(where / digest, ignore_errors=True)
        for path in (where / "sources").iterdir():
            if read(path).get("build") == digest:
                path.unlink(missing_ok=True)
        return True
