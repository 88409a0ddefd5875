# SPDX-License-Identifier: MIT
"""The scenario format as a help page and as a JSON schema, both generated from the structs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
from iopf.emulator.scenario.convert import choices, metas, nested_table
from iopf.emulator.scenario.schema import LISTS, SCHEMA, TABLES, Scenario, Section
from msgspec import NODEFAULT, Meta

_WIDTH = 98


def help_lines() -> Iterator[str]:
    """Every section with its fields, as plain text."""
    for name, table in TABLES.items():
        yield from _section_lines(f"[{name}]", table)
    for name, table in LISTS.items():
        yield from _section_lines(f"[[{name}]]", table)


def _section_lines(title: str, table: type[Section]) -> Iterator[str]:
    yield ""
    yield f"{title}  {(table.__doc__ or '').strip()}"
    nested: list[tuple[str, type[Section]]] = []
    for info in msgspec.structs.fields(table):
        inner = nested_table(info.type)
        if inner is not None:
            nested.append((info.name, inner))
            continue
        head = f"  {info.name} = {_toml(_default(info))}"
        text = "; ".join(part for part in (_meaning(info.type), _bounds(info.type)) if part)
        yield from textwrap.wrap(
            f"{head:<34}  {text}", _WIDTH, subsequent_indent=" " * 36, break_on_hyphens=False
        )
    for name, inner in nested:
        yield from _section_lines(f"[{title.strip('[]')}.{name}]", inner)


def _default(info: msgspec.structs.FieldInfo) -> Any:
    if info.default is not NODEFAULT:
        return info.default
    return info.default_factory() if info.default_factory is not NODEFAULT else None


def _toml(value: Any) -> str:
    """A default as TOML. TOML has no null: an unset field is omitted."""
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _meaning(annotation: Any) -> str:
    return next((meta.description for meta in metas(annotation) if meta.description), "")


def _bounds(annotation: Any) -> str:
    words = choices(annotation)
    found = [_range(meta) for meta in metas(annotation) if meta.ge is not None]
    if words:
        found.append(" | ".join(words))
    return " or ".join(found)


def _range(meta: Meta) -> str:
    kind = "power of two, " if (meta.extra or {}).get("power_of_two") else ""
    return f"{kind}{meta.ge}..{meta.le}"


def json_schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a scenario file, for editors that check TOML."""
    schema = msgspec.json.schema(Scenario)
    root = schema["$defs"]["Scenario"]
    # The loader consumes `extends`, so the struct does not have it.
    root["properties"]["extends"] = {
        "type": "string",
        "description": "a scenario file with defaults for this one",
    }
    root["required"] = ["schema"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"iopf scenario, schema {SCHEMA}",
        **schema,
    }
