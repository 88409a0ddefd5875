# SPDX-License-Identifier: MIT
"""Help pages on a terminal: headings in bold, words in backticks underlined instead of quoted; the columns of tables stay in place.

rich renders Markdown, but joins lines: the pages have tables made of spaces, which it would reflow.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

import click

_CODE = re.compile(r"`([^`\n]+)`( {2,})?")
_PROSE = re.compile(r"[^\s#](?:(?! {2}).)*")
_VERBATIM = "    "
_NO_BREAK = "\0"  # a space inside a word in backticks
WIDTH = 100  # of the pages


def rendered(lines: Iterable[str], width: int = WIDTH) -> Iterator[str]:
    """The lines with the control sequences of a terminal. Lines indented by four spaces or more are code, and stay as they are. Prose
    is filled anew for a terminal narrower than the pages."""
    for line in lines if width >= WIDTH else _filled(lines, width):
        if line.startswith("#"):
            yield click.style(_CODE.sub(r"\1", line.lstrip("#").strip()), bold=True)
        elif line.startswith(_VERBATIM):
            yield line
        else:
            yield _CODE.sub(_styled, line)


def _filled(lines: Iterable[str], width: int) -> Iterator[str]:
    """The lines, with paragraphs of prose broken at `width`: those that begin at the margin and have no columns."""
    for prose, group in groupby(lines, key=lambda line: bool(_PROSE.fullmatch(line))):
        if not prose:
            yield from group
            continue
        text = _CODE.sub(lambda code: code[0].replace(" ", _NO_BREAK), " ".join(group))
        for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False):
            yield line.replace(_NO_BREAK, " ")


def _styled(match: re.Match[str]) -> str:
    """The word without its backticks; a gap after it, which aligns a column, becomes wider by two."""
    gap = f"{match[2]}  " if match[2] else ""
    return click.style(match[1], underline=True) + gap
