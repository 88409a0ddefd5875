# SPDX-License-Identifier: MIT
"""Lines of a trace, from a shipped name, a plain or compressed file, or standard input.

A trace is text.  It may come compressed (xz or gzip, told by the first bytes and not by the name
of the file), cut off in the middle, or it may not be a trace at all.  Whatever is wrong is raised
as a :class:`TraceError`, whose text is one line ``FILE:LINE: what; what to do``.

In lenient mode a file that ends early ends the iteration normally after every complete line that
could be recovered, and lines that are not text are passed over; both are counted in a
:class:`SkipLog`.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from iopf.emulator.spec.text import printable
from iopf.emulator.trace.decompress import (
    CHUNK_BYTES,
    GZ_MAGIC,
    XZ_MAGIC,
    BrokenData,
    unpack_gz,
    unpack_xz,
)

DATA_DIR = Path(__file__).resolve().parent / "data"
_SUFFIX = ".ftrace.xz"
_LINE_LIMIT_BYTES = 64 * 1024
_BINARY_MAGICS = {
    b"\x17\x08\x44tracing": ("a binary trace-cmd file", "convert it with `trace-cmd report`"),
    b"PERFILE2": ("a binary perf file", "convert it with `perf script`"),
    b"\x7fELF": ("an ELF binary", "give the text of a trace"),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "unpack it first with `zstd -d`"),
    b"BZh": ("compressed with bzip2", "unpack it first with `bunzip2`"),
}

TRUNCATED = "truncated input"
UNDECODABLE = "line that is not text"


class TraceError(Exception):
    """A trace that cannot be read: location, problem, and advice."""

    def __init__(self, path: str, line_number: int | None, what: str, advice: str) -> None:
        super().__init__(path, line_number, what, advice)
        self.path = path
        self.line_number = line_number
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        where = self.path if self.line_number is None else f"{self.path}:{self.line_number}"
        return printable(f"{where}: {self.what}; {self.advice}")


@dataclass
class Skip:
    """Number of skipped items, and the first three lines."""

    count: int = 0
    lines: list[int] = field(default_factory=list)


class SkipLog:
    """Everything of a trace that was skipped, counted by reason."""

    def __init__(self) -> None:
        self.reasons: dict[str, Skip] = {}

    def add(self, reason: str, line_number: int | None = None) -> None:
        """Count one occurrence of ``reason``, remembering the line of the first three."""
        skip = self.reasons.setdefault(reason, Skip())
        skip.count += 1
        if line_number is not None and len(skip.lines) < 3:
            skip.lines.append(line_number)

    def count(self, reason: str) -> int:
        """Return how often ``reason`` was counted."""
        skip = self.reasons.get(reason)
        return skip.count if skip else 0


def shipped_traces() -> list[str]:
    """Return the names of the traces that come with the emulator, sorted."""
    return sorted(p.name[: -len(_SUFFIX)] for p in DATA_DIR.glob("*" + _SUFFIX))


def resolve(name: str) -> Path:
    """Return the file of ``name`` (a shipped name or a path), or raise TraceError."""
    shipped = shipped_traces()
    if name in shipped:
        return DATA_DIR / (name + _SUFFIX)
    path = Path(name)
    try:
        if path.is_dir():
            raise TraceError(name, None, "is a directory", "give a trace file inside it")
        if path.exists():
            return path
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TraceError(name, None, f"cannot open ({reason})", "check the path") from error
    close = difflib.get_close_matches(name, shipped, n=1, cutoff=0.5)
    if close:
        advice = f"did you mean the shipped trace {close[0]!r}?"
    else:
        advice = "give a path or a shipped trace: " + ", ".join(shipped)
    raise TraceError(name, None, "no such file or shipped trace", advice)


def open_trace(
    name: str, *, lenient: bool = False, skips: SkipLog | None = None
) -> Iterator[tuple[int, str]]:
    """Iterate over ``(line_number, text)`` of a trace; line numbers start at 1.

    ``name`` is a shipped name, a path, or ``-`` for standard input.  A name that stands for no
    file raises TraceError at once, everything else while iterating.  What ``lenient`` passes over
    is counted in ``skips``.
    """
    log = skips if skips is not None else SkipLog()
    if name == "-":
        return _lines("<stdin>", _stdin_chunks(), lenient, log)
    return _file_lines(name, resolve(name), lenient, log)


def _file_lines(name: str, path: Path, lenient: bool, log: SkipLog) -> Iterator[tuple[int, str]]:
    """Open the file with the first line asked for, and close it with the last."""
    try:
        stream = path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise TraceError(
            name, None, f"cannot open ({reason})", "check that the file is readable"
        ) from error
    with stream:
        yield from _lines(name, _file_chunks(name, stream), lenient, log)


def _stdin_chunks() -> Iterator[bytes]:
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    while True:
        if stream is not None:
            chunk = stream.read(CHUNK_BYTES)
        else:
            chunk = sys.stdin.read(CHUNK_BYTES).encode("utf-8", "surrogateescape")
        if not chunk:
            return
        yield chunk


def _file_chunks(name: str, stream: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(CHUNK_BYTES)
        except OSError as error:
            reason = error.strerror or str(error)
            raise TraceError(
                name, None, f"cannot read ({reason})", "check the file and its disk"
            ) from error
        if not chunk:
            return
        yield chunk


def _prepend(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _text_chunks(name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield decompressed chunks after a look at the first bytes."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(XZ_MAGIC):
            break
    if not first:
        raise TraceError(name, None, "is empty", "record a trace first, or use a shipped one")
    stream = _prepend(first, chunks)
    if XZ_MAGIC.startswith(first[:6]) or first.startswith(XZ_MAGIC):
        return _checked(name, unpack_xz(stream))
    if GZ_MAGIC.startswith(first[:2]) or first.startswith(GZ_MAGIC):
        return _checked(name, unpack_gz(stream))
    return _checked(name, stream)


def _checked(name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Refuse data whose first decompressed chunk shows that it is not text."""
    first = True
    for chunk in chunks:
        if first:
            first = False
            for magic, (what, advice) in _BINARY_MAGICS.items():
                if chunk.startswith(magic):
                    raise TraceError(name, None, f"is {what}", advice)
            if b"\0" in chunk[:4096]:
                raise TraceError(name, None, "is a binary file", "give the text of a trace")
        yield chunk
    if first:
        raise TraceError(name, None, "is empty", "record a trace first, or use a shipped one")


def _lines(
    name: str, raw: Iterator[bytes], lenient: bool, log: SkipLog
) -> Iterator[tuple[int, str]]:
    number = 0
    rest = b""
    try:
        for chunk in _text_chunks(name, raw):
            data = rest + chunk
            cut = data.rfind(b"\n") + 1
            rest = data[cut:]
            for count, text in _split(name, data[:cut], number, lenient, log):
                number = count
                if text is not None:
                    yield number, text
            if len(rest) > _LINE_LIMIT_BYTES:
                what = f"line is longer than {_LINE_LIMIT_BYTES} bytes"
                raise TraceError(name, number + 1, what, "give the text of a trace")
    except BrokenData as broken:
        if not lenient:
            raise TraceError(
                name,
                number or None,
                f"{broken} after {number} lines",
                "fetch the file again, or read the rest with --lenient",
            ) from broken.__cause__
        log.add(TRUNCATED, number)
        return
    for count, text in _split(name, rest, number, lenient, log):
        if text is not None:
            yield count, text


def _split(
    name: str, data: bytes, number: int, lenient: bool, log: SkipLog
) -> Iterator[tuple[int, str | None]]:
    """Cut ``data`` into numbered lines; a line that is not text is None (lenient) or an error."""
    raw_lines = data.split(b"\n")
    if not raw_lines[-1]:
        raw_lines.pop()
    for raw_line in raw_lines:
        number += 1
        try:
            text: str | None = raw_line.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError:
            text = None
        if text is None or "\0" in text:
            if not lenient:
                raise TraceError(
                    name,
                    number,
                    "line is not UTF-8 text",
                    "remove the line, or skip it with --lenient",
                )
            log.add(UNDECODABLE, number)
            text = None
        yield number, text
