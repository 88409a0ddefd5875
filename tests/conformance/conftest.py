# SPDX-License-Identifier: MIT
"""The machine of the conformance tests: every run of every test is looked at for leaks when the test is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.machine import Machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.check()
