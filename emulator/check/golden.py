# SPDX-License-Identifier: MIT
"""Recorded results of the kernel's own text, and the model against them.

A file has one history per line, as JSON: `gen`, the generation; `seed`; `steps`, each with a line of the program language (or `mm-dies tN`,
see `model/stepwise.py`), what it returned, the answers and the pages that it led to; `left`, the faults, groups and parameters alive after
teardown, or how that ended. A `ret` that begins with STOP is a memory error of the kernel. Files may be compressed (.xz).
"""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from iopf.emulator.check.model.stepwise import STOP, Answer, Seen, play
from iopf.emulator.program.errors import ProgramError
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.emulator.spec.text import printable

_LINE_BYTES_MOST = 1 << 20


class GoldenError(Exception):
    """The file is not one of recorded results; the text says where and what to do."""


class _Step(msgspec.Struct, forbid_unknown_fields=True):
    op: str
    ret: int | str
    answers: list[Answer]
    handled: list[tuple[int, int]]


class History(msgspec.Struct, forbid_unknown_fields=True):
    """One recorded history."""

    gen: str
    steps: list[_Step]
    left: tuple[int, int, int] | str | None
    seed: int

    @property
    def lines(self) -> list[str]:
        return [step.op for step in self.steps]

    def recorded(self, at: int) -> Seen:
        step = self.steps[at]
        stopped = isinstance(step.ret, str) and step.ret.startswith(STOP)
        result = STOP if stopped else step.ret
        return Seen(result, tuple(step.answers), tuple(step.handled))


@dataclass(frozen=True, slots=True)
class Difference:
    """The first line of a history in which the model differs."""

    history: History
    at: int
    recorded: Seen
    model: Seen

    @property
    def kind(self) -> str:
        """The operation and what differs, such as `report answers`."""
        names = (("result", "result"), ("answers", "answers"), ("pages", "handled"))
        what = [
            name for name, key in names if getattr(self.recorded, key) != getattr(self.model, key)
        ]
        return f"{self.history.steps[self.at].op.split()[0]}: {' and '.join(what)}"


@dataclass(slots=True)
class Compared:
    """All histories of one generation. `first`: the difference after the fewest lines, by kind."""

    histories: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    first: dict[str, Difference] = field(default_factory=dict)

    @property
    def differing(self) -> int:
        return self.kinds.total()

    def add(self, difference: Difference | None) -> None:
        self.histories += 1
        if difference is None:
            return
        kind = difference.kind
        self.kinds[kind] += 1
        if kind not in self.first or difference.at < self.first[kind].at:
            self.first[kind] = difference


def compare(history: History) -> Difference | None:
    """Run a history in the model; what differs first. Objects left are not compared: the model frees nothing of its own accord. A line that
    stops the kernel ends the history. Raises ProgramError."""
    seen = play(history.lines, history.gen)
    for at, model in enumerate(seen):
        recorded = history.recorded(at)
        if recorded.result == STOP and model.result == STOP:
            return None
        if recorded != model:
            return Difference(history, at, recorded, model)
        if recorded.result == STOP:
            return None
    return None


def histories(path: Path) -> Iterator[History]:
    """Read a file. Raises GoldenError."""
    decoder = msgspec.json.Decoder(History)
    number = 0
    try:
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as opened:
            while line := opened.readline(_LINE_BYTES_MOST + 1):
                number += 1
                yield _checked(decoder, line, f"{path}:{number}")
    except EOFError:
        raise GoldenError(f"{path}: cut off behind line {number}; get it again") from None
    except lzma.LZMAError as error:
        raise GoldenError(f"{path}: not an .xz file: {str(error).lower()}") from None
    except OSError as error:
        raise GoldenError(f"{path}: cannot read: {error.strerror}") from None
    if number == 0:
        raise GoldenError(f"{path}: empty; expected a recorded history per line")


def _checked(decoder: msgspec.json.Decoder[History], line: bytes, where: str) -> History:
    if len(line) > _LINE_BYTES_MOST:
        raise GoldenError(f"{where}: longer than {_LINE_BYTES_MOST} bytes")
    try:
        history = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GoldenError(printable(f"{where}: not a recorded history: {error}")) from None
    if history.gen not in GENERATIONS:
        known = ", ".join(GENERATIONS)
        raise GoldenError(printable(f"{where}: no generation '{history.gen}'; expected {known}"))
    return history


def checked_compare(history: History, where: str) -> Difference | None:
    """As `compare`. Raises GoldenError for lines that are no operations."""
    try:
        return compare(history)
    except (ProgramError, ValueError, IndexError) as error:
        raise GoldenError(printable(f"{where}: {error}")) from None


def shown(seen: Seen) -> dict[str, Any]:
    return {"ret": seen.result, "answers": list(seen.answers), "handled": list(seen.handled)}
