# SPDX-License-Identifier: MIT
"""Checks a raw TOML document against the schema and reports every wrong field.

msgspec stops at its first error, but a user with three typos wants three lines. So the walk below visits every field and lets msgspec
check one value at a time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from iopf.emulator.scenario.errors import UNSUPPORTED, Problem, did_you_mean, first_problems
from iopf.emulator.scenario.schema import LIST_LIMITS, LISTS, SCHEMA, TABLES, Section
from msgspec import Meta, ValidationError, convert

_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def field_types(table: type[Section]) -> dict[str, Any]:
    """Field name -> annotated type, in the order of the schema."""
    return {info.name: info.type for info in msgspec.structs.fields(table)}


def metas(annotation: Any) -> Iterator[Meta]:
    """Every `Meta` of a type or of a member of its union."""
    for part in get_args(annotation):
        if isinstance(part, Meta):
            yield part
        elif get_args(part):
            yield from metas(part)


def choices(annotation: Any) -> list[str]:
    """The words that a type allows, if any."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for part in get_args(annotation) for word in choices(part)]


def nested_table(annotation: Any) -> type[Section] | None:
    """The struct behind a field such as `workload`, or None for a plain value."""
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return inner if isinstance(inner, type) and issubclass(inner, Section) else None


def shown(value: object) -> str:
    """A value in an error line, shortened."""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a number too long to print"
    return text if len(text) <= 40 else text[:37] + "..."


def check_value(value: object, annotation: Any, path: str) -> Iterator[Problem]:
    """Problems of one plain value: type, bounds, words, power of two."""
    if isinstance(value, float) and not math.isfinite(value):
        yield Problem(path, f"expected a finite number, got {value}")
        return
    try:
        convert(value, annotation)
    except ValidationError as error:
        yield _explain(str(error), value, annotation, path)
        return
    wants_power = any((meta.extra or {}).get("power_of_two") for meta in metas(annotation))
    if wants_power and isinstance(value, int) and value & (value - 1):
        below = 1 << (value.bit_length() - 1)
        yield Problem(path, f"expected a power of two, got {value}; try {below} or {below * 2}")


def _explain(message: str, value: object, annotation: Any, path: str) -> Problem:
    """msgspec's message in this project's form, with the value and the allowed words."""
    at = _AT.search(message)
    text = _AT.sub("", message).replace("`", "").replace(" | null", "")
    words = choices(annotation)
    if words and isinstance(value, str) and value not in words:
        text = f"{shown(value)} is not one of {', '.join(words)}{did_you_mean(value, words)}"
    elif "matching regex" in text:
        text = f"expected 1 to 32 letters, digits, '.', '_' or '-', got {shown(value)}"
    else:
        text = f"{text[:1].lower()}{text[1:]} (found {shown(value)})"
    return Problem(path + (at["path"] if at else ""), text)


def check_table(data: object, table: type[Section], path: str) -> Iterator[Problem]:
    """Problems of one table, including nested tables."""
    if not isinstance(data, dict):
        yield Problem(path, f"expected a table, got {shown(data)}")
        return
    types = field_types(table)
    for key, value in data.items():
        where = f"{path}.{key}"
        if key not in types:
            yield Problem(where, f"unknown key{did_you_mean(str(key), types)}")
        elif (inner := nested_table(types[key])) is not None:
            yield from check_table(value, inner, where)
        else:
            yield from check_value(value, types[key], where)


def _check_list(data: object, section: str) -> Iterator[Problem]:
    if not isinstance(data, list):
        text = f"write [[{section}]] with double brackets: it is a list of tables"
        yield Problem(section, text)
        return
    least, most = LIST_LIMITS[section]
    if not least <= len(data) <= most:
        yield Problem(section, f"expected {least} to {most} entries, got {len(data)}")
        return
    for index, entry in enumerate(data):
        yield from check_table(entry, LISTS[section], f"{section}[{index}]")


def _check_version(data: dict[str, Any]) -> Iterator[Problem]:
    if next(iter(data), None) != "schema":
        yield Problem("", f"the first key must be the version of the format: schema = {SCHEMA}")
        return
    version = data["schema"]
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        yield Problem("schema", f"expected {SCHEMA}, got {shown(version)}")
    elif version != SCHEMA:
        text = f"this version reads schema {SCHEMA}, not {shown(version)}; use a newer iopf"
        yield Problem("schema", text, UNSUPPORTED)


def _all_problems(data: dict[str, Any]) -> Iterator[Problem]:
    yield from _check_version(data)
    known = ["schema", "extends", *TABLES, *LISTS]
    for section, content in data.items():
        if section in TABLES:
            yield from check_table(content, TABLES[section], section)
        elif section in LISTS:
            yield from _check_list(content, section)
        elif section not in known:
            yield Problem(section, f"unknown section{did_you_mean(section, known)}")


def check_document(data: dict[str, Any]) -> list[Problem]:
    """The problems of one file alone, at most PROBLEMS_MAX. Rules that span fields are in `crosscheck`."""
    return first_problems(_all_problems(data))
