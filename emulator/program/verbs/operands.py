# SPDX-License-Identifier: MIT
"""Words that several verbs take, and their bounds."""

from __future__ import annotations

from iopf.emulator.program import words
from iopf.emulator.program.grammar import Word

GROUP_PAGES_MAX = 64
PASID_MAX = (1 << 20) - 1
PRGI_MAX = 511
TYPE_PAGE_REQ = 1  # IOMMU_FAULT_PAGE_REQ since v6.9; other types are not page requests

D = Word("device", words.DEVICE)
T = Word("tenant", words.TENANT)
MAYBE_T = Word("tenant", words.TENANT, optional=True)
F = Word("fault", words.FAULT)
PAGES = Word("pages", words.PAGES)
AT = Word("at", words.AT, default=0)
PROT = Word("prot", words.PROT, default=3)
RW = Word("rw", words.PERM, default=1)
LABEL = Word("group", words.LABEL, optional=True)
ANY_PASID = Word("pasid", words.number(0, PASID_MAX), optional=True)
PASID = Word("pasid", words.number(1, PASID_MAX))
MAYBE_PASID = Word("pasid", words.number(1, PASID_MAX), optional=True)
PRGI = Word("prgi", words.number(0, PRGI_MAX))
MAYBE_PRGI = Word("prgi", words.number(0, PRGI_MAX), optional=True)
CODE = Word("code", words.CODE)
DOMAIN = Word("domain", words.DOMAIN)
SINK = Word("fault", words.FAULT, optional=True)
WEIGHT = Word("weight", words.number(1, 1_000_000), default=1)
COUNT = words.number(1, 0xFFFFFFFF)
