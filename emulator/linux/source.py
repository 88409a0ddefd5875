# SPDX-License-Identifier: MIT
"""A tree from what the user has: a directory, a tarball, or Debian's package of one (a tarball in a tarball in an archive)."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from iopf.emulator.linux.errors import BuildError, MachineError
from iopf.emulator.linux.versions import FOLDERS, MAKEFILE

_AR = b"!<arch>\n"
_AR_HEADER = 60
_MAGIC = 6  # bytes that tell a compression
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, EOFError, lzma.LZMAError, zlib.error)


def unpack(archive: Path, into: Path, tell: Callable[[str], None]) -> Path:
    """Unpack what is built of a tarball or a .deb, and return the tree. Raises BuildError."""
    try:
        with archive.open("rb") as file:
            if file.read(len(_AR)) == _AR:
                _from_package(_member_of_package(file, archive), archive, into, tell)
            else:
                file.seek(0)
                _from_tarball(file, archive, into, tell)
    except _BROKEN as error:
        raise BuildError(f"{archive}: not a readable tarball: {error or 'truncated'}") from error
    except OSError as error:
        if error.filename is None or str(error.filename).startswith(str(into)):
            raise MachineError(f"{into}: cannot write: {error.strerror or error}") from error
        raise BuildError(f"{archive}: {error.strerror}") from error
    return into


def identity(archive: Path) -> str:
    """Changes whenever the file does, as far as its directory entry shows."""
    found = archive.stat()
    return "\0".join(
        (
            os.path.realpath(archive),
            f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns}",
        )
    )


def _from_tarball(file: IO[bytes], archive: Path, into: Path, tell: Callable[[str], None]) -> None:
    """A release tarball has one folder at its top; it is left out."""
    found = 0
    with tarfile.open(fileobj=_plain(file, archive), mode="r|") as opened:
        for member in opened:
            inside = PurePosixPath(member.name).parts
            inside = inside[1:] if inside[:1] == (".",) else inside
            path = "/".join(inside[1:])
            if not member.isreg() or not _is_wanted(path):
                # Archives are sorted: what comes after the folders is not waited for.
                if found and path > f"{FOLDERS[-1]}0" and (into / MAKEFILE).exists():
                    break
                continue
            target = into / path
            if ".." in inside:
                raise BuildError(f"{archive}: '{member.name}' leads out of the tree")
            data = opened.extractfile(member)
            assert data is not None
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data.read())
            found += 1
            if found % 500 == 0:
                tell(f"unpacking, {found} files")
    if not found:
        raise BuildError(f"{archive}: not a kernel tree: no {MAKEFILE}, {' or '.join(FOLDERS)}")


def _plain(file: Any, archive: Path) -> Any:
    """Without its compression. tarfile's own decompression of streams copies its buffer at every read: six times slower."""
    head = file.peek(_MAGIC)[:_MAGIC]
    if head.startswith(b"\xfd7zXZ"):
        return lzma.open(file)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(file)
    if head.startswith(b"BZh"):
        return bz2.open(file)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        raise BuildError(f"{archive}: compressed with zstd; unpack it first and give the directory")
    return file


def _is_wanted(path: str) -> bool:
    return path == MAKEFILE or path.startswith(tuple(f"{folder}/" for folder in FOLDERS))


def _member_of_package(file: IO[bytes], archive: Path) -> Any:
    """The data member of a .deb, as a file."""
    while len(header := file.read(_AR_HEADER)) == _AR_HEADER:
        name, size = header[:16].decode("ascii", "replace").strip(" /"), int(header[48:58])
        if name.startswith("data.tar"):
            return io.BufferedReader(_Part(file, size))
        file.seek(size + size % 2, io.SEEK_CUR)
    raise BuildError(f"{archive}: not a Debian package: no data.tar in it")


class _Part(io.RawIOBase):
    """The next `size` bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(self._left, len(buffer)))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _from_package(data: IO[bytes], archive: Path, into: Path, tell: Callable[[str], None]) -> None:
    with tarfile.open(fileobj=_plain(data, archive), mode="r|") as opened:
        for member in opened:
            name = PurePosixPath(member.name).name
            if member.isreg() and name.startswith("linux-source-") and ".tar" in name:
                inner = opened.extractfile(member)
                assert inner is not None
                _from_tarball(inner, archive, into, tell)
                return
    raise BuildError(f"{archive}: no linux-source-*.tar in this package")
