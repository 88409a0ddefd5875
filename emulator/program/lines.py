# SPDX-License-Identifier: MIT
"""One line of a program: from text to a checked `Line`, and back to its canonical text.

A line is checked alone here; `blocks`, `groups` and `checks` check it in its context. `show_line` is the inverse of reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from iopf.emulator.program.actors import Actor, Kind, Names
from iopf.emulator.program.errors import LineError
from iopf.emulator.program.grammar import ACTOR_SUBJECT, Runs, Verb, Word
from iopf.emulator.program.verbs import VERBS
from iopf.emulator.program.words import Value
from iopf.emulator.scenario.errors import did_you_mean
from iopf.emulator.spec import program as spec

LINE_MAX = 400
TRY = "try"
_KINDS = {Runs.TENANT: Kind.TENANT, Runs.DEVICE: Kind.DEVICE, Runs.DRIVER: Kind.DRIVER}


@dataclass(frozen=True, slots=True)
class Line:
    """A checked operation. `values` has every subject and key that was given or has a default.

    `actor` is None only for the lines of blocks without a prefix.
    """

    verb: Verb
    actor: Actor | None
    values: dict[str, Value] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()

    def number(self, name: str) -> int:
        """A numeric value. Raises KeyError if absent."""
        return int(self.values[name])

    def maybe(self, name: str) -> int | None:
        """A numeric value, or None if absent."""
        return int(self.values[name]) if name in self.values else None

    @property
    def label(self) -> str | None:
        """The group named in the line."""
        return str(self.values["group"]) if "group" in self.values else None


def parse_line(text: str, names: Names) -> Line:
    """Parse one line. Raises LineError with the reason."""
    if len(text) > LINE_MAX:
        raise LineError(f"a line of {len(text)} characters; at most {LINE_MAX}")
    if not text.replace("\t", " ").isprintable():
        raise LineError("a control character in the line; separate words by spaces")
    tokens = text.split()
    prefix = tokens.pop(0).removesuffix(":") if tokens and tokens[0].endswith(":") else None
    named = None if prefix is None else names.actor(prefix)
    if not tokens:
        raise LineError("no operation in this line")
    if tokens[0] not in VERBS:
        raise LineError(f"'{tokens[0]}' is not an operation{did_you_mean(tokens[0], VERBS)}")
    verb = VERBS[tokens[0]]
    values, flags = _words(verb, tokens[1:], names)
    _choices(verb, values, flags)
    return Line(verb, _actor(verb, named, values), values, flags)


def _words(
    verb: Verb, tokens: Sequence[str], names: Names
) -> tuple[dict[str, Value], frozenset[str]]:
    subjects = [token for token in tokens if "=" not in token and not _is_flag(verb, token)]
    values = _subjects(verb, subjects, names)
    keys = {key.name: key for key in verb.keys}
    for token in tokens:
        name, equals, word = token.partition("=")
        if not equals:
            continue
        if name not in keys:
            raise LineError(
                f"{verb.name} has no '{name}='{did_you_mean(name, keys)}; syntax: {verb.syntax}"
            )
        if name in values:
            raise LineError(f"'{name}=' is given twice")
        values[name] = _read(keys[name], word, names, f"{name}: ")
    for key in verb.keys:
        if key.name in values:
            continue
        if key.default is not None:
            values[key.name] = key.default
        elif not key.optional:
            raise LineError(f"{verb.name} needs {key.name}=; syntax: {verb.syntax}")
    flags = [token for token in tokens if _is_flag(verb, token)]
    if len(set(flags)) != len(flags):
        raise LineError(f"'{next(f for f in flags if flags.count(f) > 1)}' is given twice")
    return values, frozenset(flags)


def _is_flag(verb: Verb, token: str) -> bool:
    return token in verb.flags or (token == TRY and verb.runs != Runs.BLOCK)


def _subjects(verb: Verb, tokens: Sequence[str], names: Names) -> dict[str, Value]:
    if len(tokens) > len(verb.subjects):
        extra = tokens[len(verb.subjects)]
        hint = did_you_mean(extra, [*verb.flags, *(f"{key.name}=" for key in verb.keys)])
        raise LineError(f"unexpected '{extra}'{hint}; syntax: {verb.syntax}")
    needed = [word for word in verb.subjects if not word.optional]
    if len(tokens) < len(needed):
        raise LineError(f"{verb.name} needs a {needed[len(tokens)].name}; syntax: {verb.syntax}")
    return {
        word.name: _read(word, token, names, "")
        for word, token in zip(verb.subjects, tokens, strict=False)
    }


def _read(word: Word, token: str, names: Names, prefix: str) -> Value:
    try:
        return word.reader.read(token, names)
    except LineError as error:
        raise LineError(f"{prefix}{error}") from None


def _choices(verb: Verb, values: dict[str, Value], flags: frozenset[str]) -> None:
    """Check groups of words of which one is required, or at most one is allowed."""
    for wanted, low, high in (
        (verb.exactly, 1, 1),
        (verb.at_least, 1, 3),
        (verb.at_most, 0, 1),
    ):
        given = sum(name in values or name in flags for name in wanted)
        if wanted and given < low:
            raise LineError(f"{verb.name} needs {' or '.join(wanted)}; syntax: {verb.syntax}")
        if wanted and given > high:
            raise LineError(f"{verb.name} takes only one of {' and '.join(wanted)}")
    if "domain" in values and (values["domain"] == spec.DOMAIN_FAULT) != ("fault" in values):
        raise LineError("domain=fault and fault=F must be used together")


def _actor(verb: Verb, named: Actor | None, values: dict[str, Value]) -> Actor | None:
    if verb.runs == Runs.BLOCK:
        if named is not None:
            raise LineError(f"{verb.name} runs in the actor of its lines; remove '{named}:'")
        return None
    if verb.runs == Runs.ANY:
        if named is None:
            raise LineError(f"{verb.name} needs an actor, like `t0: {verb.name} ...`")
        return named
    kind = _KINDS[verb.runs]
    if verb.runs == Runs.DRIVER:
        own = named if named is not None and named.kind == kind else Actor(kind, 0)
    else:
        own = Actor(kind, int(values[ACTOR_SUBJECT[verb.runs]]))
    if named is not None and named != own:
        raise LineError(f"{verb.name} runs in {own}, not in {named}")
    return own


def show_line(line: Line) -> str:
    """The line in canonical form: short names, values that are not defaults, flags in order."""
    verb, parts = line.verb, []
    shown = line.verb.runs == Runs.ANY or (
        verb.runs == Runs.DRIVER and line.actor != Actor(Kind.DRIVER, 0)
    )
    if line.actor is not None and shown:
        parts.append(f"{line.actor}:")
    parts.append(verb.name)
    parts += [w.reader.show(line.values[w.name]) for w in verb.subjects if w.name in line.values]
    for key in verb.keys:
        if key.name in line.values and line.values[key.name] != key.default:
            parts.append(f"{key.name}={key.reader.show(line.values[key.name])}")
    parts += [flag for flag in (*verb.flags, TRY) if flag in line.flags]
    return " ".join(parts)
