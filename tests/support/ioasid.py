# SPDX-License-Identifier: MIT
"""A board for tests of the IOASID framework: handles of several actors, words for handshakes, and the final checks."""

from __future__ import annotations

from typing import Any

from iopf.cython_ext.memory import Memory
from iopf.emulator.board.ioasid import IOASID_IDS, VCMD_BACKENDS
from iopf.emulator.board.layout import OFF_CREW
from iopf.emulator.board.process import Process
from iopf.emulator.board.snapshot import Snapshot

from tests.probes.crew import Crew
from tests.probes.sva_lib import SvaLib
from tests.support.boards import make_board

SUPERVISOR, KERNEL = 0, 3
POOLS = ("ioasid", "allocator", "mm", "page table")


class IoasidBoard:
    """``stop`` and ``owners`` are offsets of zeroed words that are unused in these tests."""

    def __init__(self, **changes: int) -> None:
        self.memory: Memory = make_board(**changes)
        self.snapshot = Snapshot(self.memory)
        self.crew = self.as_slot(SUPERVISOR)
        self.kernel = self.actor(KERNEL)
        self.stop = self.snapshot.meta_offset
        self.owners = self.stop + 64

    def as_slot(self, slot: int) -> Crew:
        return Crew(self.memory, slot, self.snapshot.region(OFF_CREW))

    def actor(self, slot: int) -> SvaLib:
        return SvaLib(Process(self.memory, slot))

    def host(self, backend: int = 0) -> dict[str, Any]:
        return self.kernel.host(backend)

    def ids(self) -> dict[int, tuple[int, int]]:
        return self.kernel.ids()

    def free_all(self) -> None:
        for number in self.ids():
            self.kernel.free(number)

    def remove_all(self) -> None:
        """Free what a test left on purpose: ids first, then every ops on the list."""
        self.free_all()
        while listed := self.kernel.state()["list"]:
            self.kernel.unregister(listed[0][0])
            self.free_all()

    def check_end(self, lost: int = 0) -> None:
        """No id is allocated, no object lives, no violation was counted; at most ``lost`` slots of the pools are unreachable."""
        self.kernel.settle()
        state = self.kernel.state()
        assert (state["ids"], state["list"], state["op"], state["locked"]) == ({}, [], 0, False)
        pools = self.snapshot.pools()
        assert {name: pools[name]["live"] for name in POOLS} == dict.fromkeys(POOLS, 0)
        assert sum(pools[name]["lost"] for name in POOLS) <= lost, pools
        assert self.snapshot.verdicts() == []

    def hosts_empty(self) -> bool:
        return all(not self.host(backend)["out"] for backend in range(VCMD_BACKENDS))

    def report(self) -> str:
        """Positions of all actors, for the message of a test that timed out."""
        lines = [f"slot {slot}: {self.crew.actor(slot)}" for slot in range(self.crew.actors)]
        return "\n".join([*lines, f"verdicts: {self.snapshot.verdicts()}"])


assert IOASID_IDS * 8 + 64 <= 65536, (
    "owners must fit in the region that the supervisor does not use in tests"
)
