# SPDX-License-Identifier: MIT
"""Form of an operation: a verb, its words, and its actor. `verbs.py` has the table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from iopf.emulator.program.fields import Fields
from iopf.emulator.program.words import Reader, Value


class Runs(Enum):
    """The actor of an operation; the values are headings of the help page."""

    TENANT = "tenant: runs in the tenant T"
    DEVICE = "device: runs in the device D"
    DRIVER = (
        "driver: runs in the driver process k0, or in another one with a prefix, `k1: flush d0`"
    )
    ANY = "any actor: runs in the actor of the prefix, `t0: pause 5ms`"
    BLOCK = "blocks: run in the actor of the lines inside"


@dataclass(frozen=True, slots=True)
class Word:
    """A value of an operation: a positional subject, or a key (`name=value`).

    A key without a default is required unless it is optional; missing optional ones are absent (None).
    """

    name: str
    reader: Reader
    default: Value | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """One operation. `exactly`, `at_least`, `at_most` one of these words must or may be given."""

    name: str
    op: int
    runs: Runs
    subjects: tuple[Word, ...]
    meaning: str
    keys: tuple[Word, ...] = ()
    flags: tuple[str, ...] = ()
    exactly: tuple[str, ...] = ()
    at_least: tuple[str, ...] = ()
    at_most: tuple[str, ...] = ()
    record: Fields | None = None  # None: the frame of a block, which `blocks` encodes

    @property
    def syntax(self) -> str:
        """The operation in the notation of the help page."""
        parts = [self.name]
        parts += [f"[{w.reader.form}]" if w.optional else w.reader.form for w in self.subjects]
        for key in self.keys:
            given = f"{key.name}={key.reader.form}"
            parts.append(f"[{given}]" if key.optional or key.default is not None else given)
        parts += [f"[{flag}]" for flag in self.flags]
        return " ".join(parts)


# The subject that is the actor, by kind of operation.
ACTOR_SUBJECT = {Runs.TENANT: "tenant", Runs.DEVICE: "device"}
