# SPDX-License-Identifier: MIT
"""Progress of a build: in place on a terminal, elsewhere a line every ten seconds. Standard library only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

EVERY_S = 10.0
PROGRESS = "IOPF_BUILD_PROGRESS"  # environment: the descriptor to which a build prints it
_KNOWN = 0.05  # share of the work after which the rest is estimated


class Progress:
    """`module 37 of 89, about 60 s left`. Parts are weighed, so that the estimate holds when they differ in size."""

    def __init__(
        self,
        what: str,
        parts: int,
        weight: float,
        out: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._parts, self._weight, self._out = what, parts, weight, out
        self._clock = clock
        self._in_place = out.isatty()
        self._began = self._told = clock()
        self._done, self._done_weight = 0, 0.0

    def advance(self, weight: float) -> None:
        """One part of this weight is done."""
        self._done += 1
        self._done_weight += weight
        self.tell()

    def tell(self) -> None:
        """Print the state if it is due; call it at least once a second."""
        now = self._clock()
        if self._in_place:
            self._write(f"\r\033[K{self.line()}")
        elif now - self._told >= EVERY_S:
            self._told = now
            self._write(f"{self.line()}\n")

    def line(self) -> str:
        share = self._done_weight / self._weight if self._weight else 1.0
        left = ""
        if share >= _KNOWN:
            left = f", about {_rounded((self._clock() - self._began) * (1 - share) / share)} s left"
        return f"{self._what} {self._done} of {self._parts}{left}"

    def close(self) -> None:
        """Remove the line of a terminal."""
        if self._in_place:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _rounded(seconds: float) -> int:
    """In steps of five above ten seconds, because an estimate is no better."""
    return round(seconds / 5) * 5 if seconds > 10 else round(seconds)
