# SPDX-License-Identifier: MIT
"""Mistakes in a test's marker and calls, as test failures with one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, NoReturn

import pytest
from iopf.tools.api.arguments import Settings
from iopf.tools.api.errors import IopfError

_NAMES = [field.name for field in fields(Settings)]


def fail(text: str) -> NoReturn:
    """Fail the test with these lines only, without a traceback or the original exceptions."""
    raise pytest.fail.Exception(text, pytrace=False) from None


@contextmanager
def plainly() -> Iterator[None]:
    """Turn an error of the Python interface into a failure of the test."""
    try:
        yield
    except IopfError as error:
        fail("\n".join(error.lines))


def settings_of(marker: pytest.Mark | None) -> Settings:
    """Check the arguments of the marker `race`."""
    if marker is None:
        return Settings()
    if marker.args:
        fail("race(): use keyword arguments, like race(schedules=1000)")
    for name in marker.kwargs:
        if name not in _NAMES:
            fail(f"race(): no argument '{name}'; expected one of {', '.join(_NAMES)}")
    made = Settings(**marker.kwargs)
    with plainly():
        made.check("race")
    return made


def check_tables(tables: Mapping[str, Any]) -> None:
    """Fail the test if an argument of the marker is among the tables of a call."""
    for name in tables:
        if name in _NAMES:
            fail(f"{name} is not a table of a scenario; write @pytest.mark.race({name}=...)")
