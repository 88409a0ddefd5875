# SPDX-License-Identifier: MIT
"""Errors in programs and tables, located as their author wrote them.

A lab builds a scenario from both. The scenario's reader reports positions in that scenario, which the author has not seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from iopf.emulator.scenario.errors import ScenarioError

_LAYERS = ("programs: ", "defaults: ")
_PLACE = re.compile(r"program\[(\d+)\]\.ops(?:\[(\d+)\])?")
_OTHER = re.compile(r"\bprogram\[(\d+)\]")


def located_errors(
    error: ScenarioError, programs: Sequence[Sequence[str]], tables: str = ""
) -> list[str]:
    """The lines of the error. `tables`: prefix of the tables' names, as in `scenario.kernel`, or empty."""
    return [_said(line, programs, tables) for line in error.lines]


def _said(line: str, programs: Sequence[Sequence[str]], tables: str) -> str:
    """Replace the position in the document by the program's own line."""
    text = line
    for layer in _LAYERS:
        text = text.removeprefix(layer)
    in_table = text.startswith("$.")
    text = text.removeprefix("$.")
    place = _PLACE.match(text)
    if place is not None:
        number, rest = int(place[1]), _OTHER.sub(r"program \1", text[place.end() :])
        line_of_it = "" if place[2] is None else f", {programs[number][int(place[2])]!r}"
        return f"program {number}{line_of_it}{rest}"
    return f"{tables}.{text}" if in_table and tables else text
