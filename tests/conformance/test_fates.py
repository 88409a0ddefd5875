# SPDX-License-Identifier: MIT
"""The fate table, cell by cell: what the processes do is what the table says, and what the model says.

Expectations are written down in `iopf.emulator.check.cases`; tests/unit/test_model.py holds the model against them.
"""

from __future__ import annotations

import pytest
from iopf.emulator.check.case import Case, differences
from iopf.emulator.check.cases import CASES
from iopf.emulator.spec.kernels import GENERATIONS

from tests.support.cases import run_real


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("case", CASES, ids=[case.event for case in CASES])
def test_cell(case: Case, generation: str) -> None:
    seen, result = run_real(case, generation)
    assert differences(case.expected[generation], seen) == [], result["problems"]
