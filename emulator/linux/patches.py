# SPDX-License-Identifier: MIT
"""Reading patches: a file of `git diff` or `git format-patch`, a mailbox, a directory with a series, or standard input."""

from __future__ import annotations

import email
import email.policy
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from iopf.emulator.linux.errors import BuildError

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$")
_NUMBER = re.compile(r"\[[^\]]*PATCH[^\]]*?(\d+)/\d+\]", re.IGNORECASE)
_NOWHERE = "/dev/null"


@dataclass
class Hunk:
    """`lines` keep their first character: space, minus, plus."""

    start: int
    context: str
    lines: list[str] = field(default_factory=list)

    @property
    def before(self) -> list[str]:
        return [line[1:] for line in self.lines if line[0] in " -"]

    @property
    def after(self) -> list[str]:
        return [line[1:] for line in self.lines if line[0] in " +"]


@dataclass
class Change:
    """What a patch does to a file. `old` or `new` is empty if it is created or deleted."""

    old: str
    new: str
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.new or self.old


@dataclass
class Patch:
    name: str
    changes: list[Change]


def read(argument: str) -> list[Patch]:
    """The patches of one argument, in order. Raises BuildError."""
    if argument == "-":
        return _from_text("standard input", sys.stdin.buffer.read())
    path = Path(argument)
    try:
        if path.is_dir():
            return [patch for each in _series(path) for patch in _from_text(each, None)]
        return _from_text(path, None)
    except OSError as error:
        raise BuildError(f"patch {error.filename or argument}: {error.strerror}") from error


def _series(folder: Path) -> list[Path]:
    """As quilt lists them, otherwise sorted by name."""
    if (folder / "series").is_file():
        lines = (folder / "series").read_text(encoding="utf-8").splitlines()
        names = [line.split("#")[0].split() for line in lines]
        return [folder / words[0] for words in names if words]
    found = sorted(path for path in folder.iterdir() if path.suffix in (".patch", ".diff"))
    if not found:
        raise BuildError(f"patch {folder}: no series file, *.patch or *.diff in this directory")
    return found


def _from_text(where: Path | str, data: bytes | None) -> list[Patch]:
    data = Path(where).read_bytes() if data is None else data
    name = where if isinstance(where, str) else where.name
    if data.startswith(b"From ") or re.match(rb"(?:[A-Za-z-]+: .*\n(?:[ \t].*\n)*)+\n", data):
        found = _from_mails(name, data)
    else:
        found = [Patch(name, parse(name, data.decode("utf-8", "replace")))]
    found = [patch for patch in found if patch.changes]
    if not found:
        raise BuildError(
            f"patch {where}: no diff in it; expected the output of git diff or git format-patch"
        )
    return found


def _from_mails(name: str, data: bytes) -> list[Patch]:
    """One patch of each mail that has a diff, in the order of their numbers ([PATCH 2/5])."""
    mails = re.split(rb"(?m)^(?=From \S+.*\d{4}\n)", data)
    found: list[tuple[int, Patch]] = []
    for text in mails:
        if not text.strip():
            continue
        mail = email.message_from_bytes(
            text.partition(b"\n")[2] if text.startswith(b"From ") else text,
            policy=email.policy.default,
        )
        body = mail.get_body(preferencelist=("plain",))
        content = str(body.get_content()) if body is not None else text.decode("utf-8", "replace")
        subject = " ".join(str(mail["subject"] or name).split())
        number = _NUMBER.search(subject)
        changes = parse(subject, content.replace("\r\n", "\n"))
        found.append((int(number[1]) if number else 0, Patch(subject, changes)))
    return [patch for _, patch in sorted(found, key=lambda each: each[0])]


def parse(name: str, text: str) -> list[Change]:
    """The changes of a unified diff. What is between diffs (messages, signatures) is skipped."""
    lines = text.removesuffix("\n").split("\n")
    found: list[Change] = []
    i = 0
    while i < len(lines):
        line = lines[i]
        if line.startswith("rename from "):
            found.append(Change(line[12:], lines[i + 1][10:] if i + 1 < len(lines) else ""))
        elif line.startswith("--- ") and i + 1 < len(lines) and lines[i + 1].startswith("+++ "):
            old, new = _path(line[4:]), _path(lines[i + 1][4:])
            if not (found and not found[-1].hunks and (found[-1].old, found[-1].new) == (old, new)):
                found.append(Change(old, new))
            i += 1
        elif (head := _HUNK.match(line)) and found:
            hunk, i = _hunk(name, found[-1], head, lines, i + 1)
            found[-1].hunks.append(hunk)
            continue
        i += 1
    return [change for change in found if change.hunks or change.old != change.new]


def _path(text: str) -> str:
    """Without the time behind a tab, and without a/ or b/."""
    path = text.split("\t", maxsplit=1)[0].strip()
    return "" if path == _NOWHERE else path.partition("/")[2] or path


def _hunk(
    name: str, change: Change, head: re.Match[str], lines: list[str], i: int
) -> tuple[Hunk, int]:
    """The hunk whose head is before line `i`, and the index of the line behind it."""
    hunk = Hunk(int(head[1]), head[5])
    old, new = (int(head[k]) if head[k] is not None else 1 for k in (2, 4))
    while old > 0 or new > 0:
        line = lines[i] if i < len(lines) else None
        if line == "":
            line = " "  # mailers cut the blank of an empty line
        if line is None or line[0] not in " +-\\":
            at = f"hunk {len(change.hunks) + 1} of {change.path}"
            raise BuildError(f"patch {name}: {at} is cut off: {old + new} lines are missing")
        i += 1
        if line[0] == "\\":
            continue
        old -= line[0] in " -"
        new -= line[0] in " +"
        hunk.lines.append(line)
    return hunk, i
