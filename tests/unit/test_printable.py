# SPDX-License-Identifier: MIT
"""Text from elsewhere on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iopf.emulator.program.actors import default_names
from iopf.emulator.program.errors import LineError
from iopf.emulator.program.lines import parse_line
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.scenario.resolution import resolve
from iopf.emulator.spec.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 字", "plain é 字"),
        ("a\x1b[2J\nb\rc\x7f\x9b", r"a\x1b[2J\x0ab\x0dc\x7f\x9b"),
        ("\u2028\u202e", r"\u2028\u202e"),
        ("\U000e0001", r"\U000e0001"),
        ("\udcff", r"\xff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_any_text_is_one_line_that_can_be_written(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert printable(shown) == shown


@pytest.mark.parametrize("space", ["\n", "\r", "\x0b", "\x1c", "\x85", "\u2028"])
def test_a_line_of_a_program_has_no_control_characters(space: str) -> None:
    names = default_names(1, 1)
    with pytest.raises(LineError, match="control character"):
        parse_line(f"map t0{space}4", names)
    assert parse_line("map\tt0 4", names).verb.name == "map"


@pytest.mark.parametrize("where", ["system.name", "device.name", "tenant.name", "device.tenant"])
def test_a_name_cannot_end_in_a_newline(where: str) -> None:
    with pytest.raises(ScenarioError):
        resolve(None, [f'{where}="x\\n"'], environ={})
