# SPDX-License-Identifier: MIT
"""Help pages on a terminal: headings in bold, words in backticks underlined instead of quoted; the columns of tables stay in place.

rich renders Markdown, but joins lines: the pages have tables made of spaces, which it would reflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click

_CODE = re.compile(r"`([^`\n]+)`( {2,})?")
_VERBATIM = "    "


def rendered(lines: Iterable[str]) -> Iterator[str]:
    """The lines with the control sequences of a terminal. Lines indented by four spaces or more are code, and stay as they are."""
    for line in lines:
        if line.startswith("#"):
            yield click.style(_CODE.sub(r"\1", line.lstrip("#").strip()), bold=True)
        elif line.startswith(_VERBATIM):
            yield line
        else:
            yield _CODE.sub(_styled, line)


def _styled(match: re.Match[str]) -> str:
    """The word without its backticks; a gap after it, which aligns a column, becomes wider by two."""
    gap = f"{match[2]}  " if match[2] else ""
    return click.style(match[1], underline=True) + gap
