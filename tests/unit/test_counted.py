# SPDX-License-Identifier: MIT
"""Numbers with their noun."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from iopf.emulator.spec.text import counted

from tests.support.running import iopf


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("request",), "0 requests"),
        (1, ("request",), "1 request"),
        (1440, ("request",), "1,440 requests"),
        (1, ("retry", "retries"), "1 retry"),
        (2, ("retry", "retries"), "2 retries"),
    ],
)
def test_one_is_singular(number: int, words: tuple[str, ...], text: str) -> None:
    assert counted(number, *words) == text


def test_the_report_of_one_request_has_no_plural_of_one(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(
        'schema = 1\nkernel.handlers = 1\nprogram = [{ ops = ["map t0 1", "bind d0 t0", '
        '"send d0 t0 pages=1", "await d0"] }]\n'
    )
    done = iopf("run", "./one.toml", cwd=tmp_path)
    assert done.returncode == 0
    assert "1 device, 1 handler, 1 tenant, seed " in done.stdout
    assert "1 group done" in done.stdout
    nouns = [
        "devices",
        "handlers",
        "tenants",
        "groups",
        "retries",
        "accesses",
        "overflows",
        "interrupts",
        "passes",
    ]
    assert not [noun for noun in nouns if re.search(rf"(?<![\d,.])1 {noun}\b", done.stdout)]
