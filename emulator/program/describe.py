# SPDX-License-Identifier: MIT
"""The operations as a help page, generated from the table of verbs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from iopf.emulator.program.grammar import Runs
from iopf.emulator.program.verbs import VERBS

_WIDTH = 98
_INDENT = 6


def help_lines() -> Iterator[str]:
    """All operations grouped by actor: form and meaning."""
    for runs in Runs:
        yield ""
        yield runs.value
        for verb in VERBS.values():
            if verb.runs != runs:
                continue
            yield from textwrap.wrap(
                f"  {verb.syntax}",
                _WIDTH,
                subsequent_indent=" " * 8,
                break_on_hyphens=False,
                break_long_words=False,
            )
            indent = " " * _INDENT
            yield from textwrap.wrap(
                verb.meaning,
                _WIDTH,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
            )
