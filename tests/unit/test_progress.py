# SPDX-License-Identifier: MIT
"""The progress of a build, by a clock of the test."""

from __future__ import annotations

import io

from iopf.tools.progress import EVERY_S, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_file_gets_a_line_every_ten_seconds() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress("module", 4, 40.0, out, clock)
    for _ in range(4):
        clock.now += EVERY_S / 2
        progress.advance(10.0)
    progress.close()
    assert out.getvalue() == ("module 2 of 4, about 10 s left\nmodule 4 of 4, about 0 s left\n")


def test_a_terminal_has_one_line_which_is_removed() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress("module", 100, 100.0, out, clock)
    clock.now += 1
    progress.advance(1.0)
    clock.now += 19
    progress.advance(24.0)
    progress.close()
    first, second, last = out.getvalue().split("\r\033[K")[1:]
    assert first == "module 1 of 100"  # too early for an estimate
    assert second == "module 2 of 100, about 60 s left"
    assert last == ""


def test_large_parts_count_for_more() -> None:
    clock = Clock()
    progress = Progress("module", 3, 100.0, io.StringIO(), clock)
    clock.now += 40
    progress.advance(80.0)
    assert progress.line() == "module 1 of 3, about 10 s left"
