# SPDX-License-Identifier: MIT
"""Help pages: rendered on a terminal, as written in a pipe, and no line too long for either."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from iopf.tools.cli.commands.help import page, topics
from iopf.tools.cli.markup import WIDTH, rendered
from iopf.tools.status import Status

from tests.support.running import iopf
from tests.support.terminal import on_terminal


def test_a_terminal_gets_headings_in_bold_and_no_markup(tmp_path: Path) -> None:
    status, text = on_terminal("help", "races", cwd=tmp_path, columns=110)
    assert status == Status.OK
    assert "\x1b[1mRaces: searching, replaying and minimising interleavings\x1b[0m\n" in text
    assert "\x1b[1mWhere the actors run\x1b[0m\n" in text
    assert "\n#" not in text
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert not [line for line in prose if "`" in line]
    status, text = on_terminal("help", "races", cwd=tmp_path, environ={"NO_COLOR": "1"})
    assert "\x1b" not in text


def test_a_pipe_gets_the_page_as_it_is_written(tmp_path: Path) -> None:
    assert iopf("help", "exit-codes", cwd=tmp_path).stdout == page("exit-codes")


@pytest.mark.parametrize("topic", topics())
def test_rendering_keeps_words_and_columns(topic: str) -> None:
    text = page(topic)
    assert max(map(len, text.splitlines())) <= WIDTH
    shown = [click.unstyle(line) for line in rendered(text.splitlines())]
    for before, after in zip(text.splitlines(), shown, strict=True):
        if before.startswith("    "):
            assert after == before
        else:
            bare = before.replace("`", "").lstrip("#")
            assert after.split() == bare.split()
            if "`  " in before:
                assert after.rindex("  ") == before.rindex("  ")


def words(lines: list[str]) -> list[str]:
    """The words without markup."""
    return re.sub("[`#]", "", " ".join(lines)).split()


@pytest.mark.parametrize("topic", topics())
def test_prose_fits_a_narrow_terminal(topic: str) -> None:
    lines = page(topic).splitlines()
    shown = [click.unstyle(line) for line in rendered(lines, 80)]
    prose = [line for line in shown if line[:1].strip() and "  " not in line]
    assert prose
    assert max(map(len, prose)) <= 80
    assert words(shown) == words(lines)
