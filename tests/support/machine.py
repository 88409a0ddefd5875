# SPDX-License-Identifier: MIT
"""A small machine that runs programs with real processes, with its observations in terms for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iopf.emulator.check.case import RECORDS
from iopf.emulator.check.fates import Fate, cell
from iopf.emulator.spec.kernels import GENERATIONS, since, span
from iopf.tools.supervisor.run import run_programs

ALL = GENERATIONS
OLD = span("v5.13", "v6.2")  # report core and queue apart
USER = since("v6.11")  # with delivery to user space
# In v6.16 the last detach takes the device off its queue, which frees what user space still holds.
DETACHABLE = tuple(g for g in USER if cell("unbind-user", g).fate is not Fate.USE_AFTER_FREE)
BEFORE_USER = span("v5.13", "v6.9")
MERGED_USER = since("v6.11", proposed=False)

# Response codes of the device for the fates of the table.
CODES: dict[Fate, list[int]] = {
    Fate.SUCCESS: [0],
    Fate.INVALID: [1],
    Fate.FAILURE: [15],
    Fate.DRIVER: [1],
    Fate.NOTHING: [],
    Fate.ERROR: [],
    Fate.DISCARDED: [],
    Fate.KEPT: [],
}


def fate(event: str, generation: str) -> list[int]:
    """The codes that a device receives for an event of the fate table."""
    return CODES[cell(event, generation).fate]


@dataclass(frozen=True, slots=True)
class Seen:
    """A finished run."""

    generation: str
    result: Mapping[str, Any]

    def codes(self, label: str, device: int = 0) -> list[int]:
        """The answers of the group with a label."""
        name: str = self.result["per_device"][device]["name"]
        return list(self.result["answers"][name][label])

    def returned(self, text: str) -> list[int | None]:
        """The results of the lines with this text, in the order of the programs; a final `try` is ignored."""
        found = [
            line["result"]
            for line in self.result["programs"]
            if line["text"].removesuffix(" try") == text
        ]
        assert found, f"no line '{text}'"
        return found

    def kernel(self, name: str) -> int:
        return int(self.result["sides"]["kernel"][name])

    def hardware(self, name: str) -> int:
        return int(self.result["sides"]["hardware"][name])

    def devices(self, name: str) -> int:
        return int(self.result["sides"]["device"][name])

    def pool(self, name: str, what: str = "allocs") -> int:
        return int(self.result["pools"][name][what])

    @property
    def lost(self) -> dict[str, int]:
        """Unanswered requests, by reason."""
        return dict(self.result["account"]["lost"])

    @property
    def live(self) -> dict[str, int]:
        """Allocated objects, by pool."""
        return {name: pool["live"] for name, pool in self.result["pools"].items() if pool["live"]}


class Machine:
    """Runs programs and keeps the observations."""

    def __init__(self) -> None:
        self.runs: list[Seen] = []

    def __call__(
        self,
        generation: str,
        *programs: Sequence[str],
        devices: int = 1,
        tenants: int = 1,
        finds: str | None = None,
        device: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        kernel: Mapping[str, Any] | None = None,
        iommu: Mapping[str, Any] | None = None,
        checks: Mapping[str, Any] | None = None,
        **tables: Any,
    ) -> Seen:
        """One run. It must end without a finding, or with exactly one that begins with `finds`.

        `device`: changed fields, for all devices or one after the other. Warnings of the kernel are counted, and expected only from
        programs that take a device off its queue.
        """
        kind = {"count": 1, "credits": 256, "groups_in_flight": 512}
        each = [{}] * devices if device is None else device
        kinds = [each] * devices if isinstance(each, Mapping) else each
        result = run_programs(
            *[list(program) for program in programs],
            kernel={"generation": generation, **(kernel or {})},
            iommu={"prq_records": RECORDS, **(iommu or {})},
            device=[{**kind, **changes} for changes in kinds],
            tenant=[{"count": tenants}],
            checks={"warnings": "count", **(checks or {})},
            **tables,
        )
        if not any("queue-remove" in line for program in programs for line in program):
            assert result["warnings"] == {}
        seen = Seen(generation, result)
        self.runs.append(seen)
        problems = result["problems"]
        if finds is None:
            assert (result["status"], problems) == (0, []), (result["end_reason"], result["dump"])
        else:
            assert len(problems) == 1, problems
            assert problems[0].startswith(finds), problems
        return seen

    def check(self) -> None:
        """Nothing is allocated after a successful run."""
        for seen in self.runs:
            if seen.result["status"] == 0:
                assert seen.live == {}, seen.generation
