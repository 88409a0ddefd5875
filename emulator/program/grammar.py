"""What an operation of a program looks like: a verb, its words, and who runs it. `verbs.py` has them all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from iopf.emulator.program.words import Reader, Value


class Runs(Enum):
    """Which actor runs an operation; the values are headings of the help page."""

    TENANT = "tenant: runs in the tenant T"
    DEVICE = "device: runs in the device D"
    DRIVER = (
        "driver: runs in the driver process k0, or in another one with a prefix, `k1: flush d0`"
    )
    ANY = "anybody: runs in the actor of the prefix, `t0: pause 5ms`"
    BLOCK = "blocks: run in the actor of the lines inside"


@dataclass(frozen=True, slots=True)
class Word:
    """A value of an operation: a subject by its place, or a key (`name=value`).

    A key without a default must be given unless it is optional; optional ones are absent (None).
    """

    name: str
    reader: Reader
    default: Value | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """One operation. `exactly`, `at_least`, `at_most`: how many of these words may be given: one."""

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

    @property
    def syntax(self) -> str:
        """The operation as the help page writes it."""
        parts = [self.name]
        parts += [f"[{w.reader.form}]" if w.optional else w.reader.form for w in self.subjects]
        for key in self.keys:
            given = f"{key.name}={key.reader.form}"
            parts.append(f"[{given}]" if key.optional or key.default is not None else given)
        parts += [f"[{flag}]" for flag in self.flags]
        return " ".join(parts)


# Which subject is the actor, by who runs the operation.
ACTOR_SUBJECT = {Runs.TENANT: "tenant", Runs.DEVICE: "device"}
