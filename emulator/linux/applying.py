# SPDX-License-Identifier: MIT
"""Applying patches to the copy of a tree. Context must match exactly; a hunk may have moved, as `git apply` allows."""

from __future__ import annotations

import shutil
from pathlib import Path

from iopf.emulator.linux.errors import BuildError
from iopf.emulator.linux.patches import Change, Hunk, Patch
from iopf.emulator.linux.versions import FOLDERS


def is_looked_at(path: str) -> bool:
    """Whether a change of this file is applied: nothing else is compiled."""
    return path.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and ".." not in path.split(
        "/"
    )


def apply(patch: Patch, tree: Path, copy: Path) -> tuple[list[str], list[str]]:
    """Apply to `copy`, to which files come from `tree` when they are changed. Returns what was changed and what was left out."""
    changed, left_out = [], []
    for change in patch.changes:
        paths = [path for path in (change.old, change.new) if path]
        if not all(is_looked_at(path) for path in paths):
            left_out.append(change.path)
            continue
        _apply(patch, change, tree, copy)
        changed.append(change.path)
    return changed, left_out


def _apply(patch: Patch, change: Change, tree: Path, copy: Path) -> None:
    if change.old:
        fetch(change.old, tree, copy)
        if not (copy / change.old).is_file():
            raise BuildError(f"patch {patch.name}: {change.old}: no such file in this tree")
        lines = _lines(copy / change.old)
    elif (copy / change.new).exists() or (tree / change.new).exists():
        raise BuildError(
            f"patch {patch.name}: {change.new}: the file to create exists in this tree"
        )
    else:
        lines = []
    shift = 0
    for number, hunk in enumerate(change.hunks, 1):
        at = _find(lines, hunk, hunk.start - 1 + shift)
        if at is None:
            raise BuildError(_refused(patch, change, number, hunk, lines, shift))
        shift = at - (hunk.start - 1) + len(hunk.after) - len(hunk.before)
        lines[at : at + len(hunk.before)] = hunk.after
    if change.old and change.old != change.new:
        (copy / change.old).unlink()
    if change.new:
        target = copy / change.new
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")


def fetch(path: str, tree: Path, copy: Path) -> None:
    """Copy a file of the tree, unless it is there."""
    if not (copy / path).exists() and (tree / path).is_file():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, copy / path)


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


def _find(lines: list[str], hunk: Hunk, expected: int) -> int | None:
    """Where the hunk's old lines are, nearest to `expected`."""
    before = hunk.before
    if not before:
        return max(0, min(hunk.start, len(lines)))
    for distance in range(len(lines) + 1):
        for at in {expected + distance, expected - distance}:
            if 0 <= at <= len(lines) - len(before) and lines[at : at + len(before)] == before:
                return at
    return None


def _refused(
    patch: Patch, change: Change, number: int, hunk: Hunk, lines: list[str], shift: int
) -> str:
    """Names the hunk and the first line that is not what it expects."""
    at = hunk.start - 1 + shift
    here = f" in {hunk.context}" if hunk.context else ""
    text = f"patch {patch.name}: hunk {number} of {len(change.hunks)} of {change.path} (line {hunk.start}{here}) does not apply"
    for offset, line in enumerate(hunk.before):
        found = lines[at + offset] if 0 <= at + offset < len(lines) else None
        if found != line:
            is_there = "the end of the file" if found is None else f"'{found.strip()}'"
            return f"{text}: line {at + offset + 1} is {is_there}, not '{line.strip()}'"
    return text
