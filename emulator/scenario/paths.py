# SPDX-License-Identifier: MIT
"""The notation `section.key`, `device[0].key`, `device.key`: parsing it and writing through it.

`device.key` without an index means every device entry, which is the usual intention, in particular with a single entry.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from iopf.emulator.scenario.convert import check_value, field_types, nested_table
from iopf.emulator.scenario.errors import Problem, ScenarioError, did_you_mean
from iopf.emulator.scenario.schema import LISTS, TABLES
from iopf.emulator.scenario.toml_size import excess

_PATH = re.compile(r"(?P<section>\w+)(\[(?P<index>\d{1,6})\])?(?P<keys>(\.\w+)+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A parsed path. `index` is None for plain tables and for "every entry"."""

    section: str
    index: int | None
    keys: tuple[str, ...]

    def __str__(self) -> str:
        number = "" if self.index is None else f"[{self.index}]"
        return f"{self.section}{number}." + ".".join(self.keys)


def parse(text: str) -> tuple[FieldPath, Any]:
    """The path and the type of its field. Raises ScenarioError without a location."""
    match = _PATH.fullmatch(text)
    if match is None:
        raise ScenarioError([f"'{text}' is not a path like system.seed or device[0].credits"])
    section, index = match["section"], match["index"]
    tables = {**TABLES, **LISTS}
    if section not in tables:
        raise ScenarioError([f"unknown section '{section}'{did_you_mean(section, tables)}"])
    if index is not None and section not in LISTS:
        raise ScenarioError([f"[{section}] is a single table: write {section}{match['keys']}"])
    keys = tuple(match["keys"][1:].split("."))
    path = FieldPath(section, None if index is None else int(index), keys)
    return path, _type_at(path)


def _type_at(path: FieldPath) -> Any:
    table = {**TABLES, **LISTS}[path.section]
    for depth, key in enumerate(path.keys):
        types = field_types(table)
        if key not in types:
            raise ScenarioError([f"$.{path}: unknown key '{key}'{did_you_mean(key, types)}"])
        inner = nested_table(types[key])
        last = depth == len(path.keys) - 1
        if inner is None and last:
            return types[key]
        if inner is None:
            raise ScenarioError([f"$.{path}: '{key}' is a value, not a table"])
        if last:
            raise ScenarioError([f"$.{path}: '{key}' is a table; add one of its keys"])
        table = inner
    raise AssertionError("a path has at least one key")


def parse_value(text: str, annotation: Any, path: str) -> Any:
    """Parse `--set path=text`: TOML, or a bare word where the field takes words.

    Raises ScenarioError without a location.
    """
    candidates: list[Any] = []
    # Several lines could define other keys.
    if "\n" not in text and "\r" not in text and not excess(text):
        try:
            candidates.append(tomllib.loads(f"value = {text}")["value"])
        except (ValueError, RecursionError):
            candidates.clear()  # not TOML, so a bare word: `vtd`, `max`, a file name
    candidates.append(text)
    problems: list[Problem] = []
    for candidate in candidates:
        found = list(check_value(candidate, annotation, path))
        if not found:
            return candidate
        problems = problems or found
    raise ScenarioError([problem.line("") for problem in problems])


def assign(document: dict[str, Any], path: FieldPath, value: Any) -> Iterator[str]:
    """Write the value, and yield the full path of each place."""
    if path.section in TABLES:
        _assign_in(document.setdefault(path.section, {}), path.keys, value)
        yield str(path)
        return
    entries = document.setdefault(path.section, [{}])
    if path.index is not None and path.index >= len(entries):
        have = f"{path.section}[0]" + (f" to [{len(entries) - 1}]" if len(entries) > 1 else "")
        raise ScenarioError([f"$.{path}: no such entry; the scenario has {have}"])
    for index, entry in enumerate(entries):
        if path.index in (None, index):
            _assign_in(entry, path.keys, value)
            yield str(FieldPath(path.section, index, path.keys))


def _assign_in(table: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = value


def leaves(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every value with its full path, in the order of the document."""
    for section, content in document.items():
        if section in LISTS:
            for index, entry in enumerate(content):
                yield from _leaves_of(entry, f"{section}[{index}]")
        elif isinstance(content, dict):
            yield from _leaves_of(content, section)
        else:
            yield section, content


def _leaves_of(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves_of(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", value
