# SPDX-License-Identifier: MIT
"""The conformance suite, C17: every allocation of a short life fails once, in turn.

A round is the life of a process and of a device, with groups in all states and with whatever is
done to an attachment. In round n the n-th allocation from one pool fails; in the last rounds none
does any more. All rounds are one run, so what a failure leaves behind meets the rounds after it.
"""

from __future__ import annotations

import pytest

from tests.support.machine import ALL, DETACHABLE, Machine

_ROUNDS = 12
# The pools of `fail`, and their names in the result.
_POOLS = {
    "fault": "fault",
    "group": "group",
    "param": "fault_param",
    "handle": "attach_handle",
    "domain": "domain",
    "mm": "mm",
}
_LIFE = (
    "spawn t0 try",
    "map t0 16 try",
    "plug d0 try",
    "bind d0 t0 try",
    "send d0 t0 pages=3 try",
    "send d0 t0 pages=2 at=4 group=bN open try",
    "settle",
    "send d0 t0 pages=1 at=6 group=bN try",
    "send d0 t0 pages=2 at=8 group=cN open try",
    "settle",
)
_ATTACHED = (
    "fault-alloc t0 f0 try",
    "attach d0 t0 pasid=5 domain=paging try",
    "replace d0 t0 pasid=5 domain=fault fault=f0 try",
    "send d0 pasid=5 pages=2 try",
    "send d0 pasid=5 pages=1 try",
    "settle",
    "read f0 t0 bytes=80 try",
    "write f0 t0 code=success try",
    "read f0 t0 bytes=80 try",
    "replace d0 t0 pasid=5 domain=blocking try",
    "detach d0 t0 pasid=5 try",
    "fault-close t0 f0 try",
)
_END = ("unbind d0 t0 try", "remove d0 try", "settle")


@pytest.mark.parametrize("pool", _POOLS)
@pytest.mark.parametrize("generation", ALL)
def test_c17_every_allocation_fails_once(generation: str, pool: str, machine: Machine) -> None:
    """Whatever allocation fails, everything is answered, undone and given back (I28, I32)."""
    life = [*_LIFE, *(_ATTACHED if generation in DETACHABLE else ()), *_END]
    rounds = [
        line.replace("N", str(n))
        for n in range(1, _ROUNDS + 1)
        for line in (f"fail {pool} nth={n}", *life)
    ]
    seen = machine(generation, ["remove d0", *rounds])
    failed = seen.pool(_POOLS[pool], "fails")
    assert 1 <= failed < _ROUNDS
    # The last round is a whole life again.
    assert seen.returned("bind d0 t0")[-1] == 0
    last = f"send d0 t0 pages=1 at=6 group=b{_ROUNDS}"
    assert seen.returned(last) == [0]
    assert seen.codes(f"b{_ROUNDS}") == [0]
