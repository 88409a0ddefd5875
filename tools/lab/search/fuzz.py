# SPDX-License-Identifier: MIT
"""Search for unknown races: random programs and random schedules, guided by hand-over coverage.

A program is drawn, or mutated from one that made a new hand-over (`emulator/sched/coverage.pxd`). Its schedules run in batches as long
as they make new hand-overs. A failure is minimised, operations first, then settings, then preemptions, and saved with its schedule. A
failure that the catalogue knows for the generation is counted under its slug; any other failure is new.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from iopf.emulator.races.catalogue import catalogue
from iopf.emulator.races.schedule_file import segments
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.sched.coverage import Coverage
from iopf.emulator.spec.text import counted
from iopf.tools.configuration import described, needs
from iopf.tools.lab.play.races import Origin, save_schedule, tables_of
from iopf.tools.lab.play.system import Lab, LabError, build_lab
from iopf.tools.lab.search.draw import Drawn, draw, mutate
from iopf.tools.lab.search.meetings import Meetings, lines_of
from iopf.tools.lab.search.minimise_programs import Small, minimise_programs
from iopf.tools.lab.search.search import Found, search

_BATCH = 100
_BATCHES = 20
_KEPT = 200
_FRESH = 0.4
_SEEDS = 40
_AGAIN = 400  # schedules of a variant that must not fail in the same way


@dataclass(slots=True)
class Finding:
    """A failure. `known`: slug of the catalogue entry whose fixed variant does not fail in this way; `defects`: enabled bugs that it
    needs; `small`, `file` and `system`: of its first occurrence."""

    what: list[str]
    generation: str
    known: str | None = None
    defects: list[str] = field(default_factory=list)
    times: int = 1
    small: Small | None = None
    file: Path | None = None
    system: str = ""


@dataclass(slots=True)
class Campaign:
    """State of a search."""

    generation: str
    seed: int
    programs: int = 0
    refused: int = 0
    schedules: int = 0
    steps: int = 0
    seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)
    unwritten: str = ""  # why a schedule could not be saved
    growth: list[tuple[float, int]] = field(default_factory=list)  # seconds, hand-overs
    coverage: Coverage = field(default_factory=Coverage)
    meetings: Meetings = field(init=False)

    def __post_init__(self) -> None:
        self.meetings = Meetings(self.generation)

    def line(self) -> str:
        found = len(self.findings)
        return (
            f"{counted(self.programs, 'program')}, {counted(self.schedules, 'schedule')}, "
            f"{counted(self.coverage.found, 'hand-over')}, {counted(found, 'kind')} of failure"
        )

    @property
    def new(self) -> list[Finding]:
        return [finding for finding in self.findings.values() if finding.known is None]


def signature(what: list[str]) -> str:
    """Identity of a failure: its first line without numbers and actors."""
    return re.sub(r"by \S+ in", "in", re.sub(r"0x[0-9a-f]+|\d+", "N", what[0]))


def known_failures(
    generation: str, show: Callable[[str], None] = lambda _line: None
) -> dict[str, str]:
    """Signature -> slug of the catalogue's failures that the generation has with the options of drawn systems. A race may fail in
    several ways, so several seeds are searched."""
    made = {}
    for race in catalogue().values():
        if race.fixed is not None and generation == race.generation:
            show(f"preparing: how {race.slug} fails")
            tables = tables_of(race, defective=True)
            options = {*tables["kernel"].get("options", []), *needs(generation)}
            tables["kernel"] = {**tables["kernel"], "options": sorted(options)}
            with build_lab(*race.programs, **tables) as lab:
                for seed in range(_SEEDS):
                    found = search(lab, seed * 1_000_003, seconds=1, most=2000)
                    if found.what is not None:
                        made[signature(found.what)] = race.slug
    return made


def its_own_fault(drawn: Drawn) -> bool:
    """Whether a program may fail without a kernel bug: a device waits for answers of user space that no actor reads, or a device is
    plugged again with outstanding requests, which its driver would have to refuse."""
    lines = [line for program in drawn.programs for line in program]
    waits = any(line.startswith("await") for line in lines)
    sends = any(line.startswith("send") and "pasid=" in line for line in lines)
    plugs = any("plug d" in line or "recover d" in line for line in lines)
    return (waits and any("domain=fault" in line for line in lines)) or (sends and plugs)


class Fuzzer:
    """One campaign. `defects`: historic bugs to enable. `tell`: called with each finding, `show` with the progress, a line each."""

    def __init__(
        self,
        generation: str,
        seed: int,
        *,
        memory: str = "tso",
        defects: Sequence[str] = (),
        directory: Path | None = None,
        tell: Callable[[str], None] = lambda _line: None,
        show: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.campaign = Campaign(generation, seed)
        self._show = show
        self._random = Random(seed)
        self._memory, self._directory, self._tell = memory, directory, tell
        self._defects = list(defects)
        self._known = known_failures(generation, show)
        self._corpus: list[Drawn] = []

    def run(self, seconds: float, programs: int | None = None) -> Campaign:
        """Run until the time ends or `programs` programs have run."""
        began = time.monotonic()
        campaign = self.campaign
        while (campaign.seconds < seconds) and (programs is None or campaign.programs < programs):
            self._one()
            campaign.seconds = time.monotonic() - began
            covered = campaign.coverage.found
            self._show(f"{campaign.line()}, {campaign.seconds:.0f} of {seconds:g} s")
            if not campaign.growth or campaign.growth[-1][1] != covered:
                campaign.growth.append((campaign.seconds, covered))
        return campaign

    def _one(self) -> None:
        random = self._random
        fresh = not self._corpus or random.random() < _FRESH
        generation = self.campaign.generation
        drawn = draw(random, generation, self._defects) if fresh else random.choice(self._corpus)
        for _ in range(random.randrange(1, 4)):
            drawn = mutate(random, drawn)
        if its_own_fault(drawn):
            self.campaign.refused += 1
        else:
            self.play(drawn)

    def play(self, drawn: Drawn) -> None:
        """Run schedules of one program; keep it if they make a new hand-over."""
        try:
            with build_lab(*drawn.programs, memory=self._memory, **drawn.arguments) as lab:
                new = self._play(lab, drawn)
        except (ScenarioError, LabError):
            self.campaign.refused += 1
            return
        self.campaign.programs += 1
        if new:
            self._corpus.append(drawn)
            del self._corpus[:-_KEPT]

    def _play(self, lab: Lab, drawn: Drawn) -> bool:
        """Whether the schedules of this program made a new hand-over."""
        campaign = self.campaign
        lab.scheduler.coverage = campaign.coverage
        before, seed = campaign.coverage.found, self._random.randrange(2**40)
        lines = lines_of(lab)
        for batch in range(_BATCHES):
            covered = campaign.coverage.found
            found = search(lab, seed + batch * _BATCH, seconds=10, most=_BATCH)
            campaign.schedules += found.schedules
            campaign.steps += found.steps
            campaign.meetings.add(lab.scheduler.trace, lines)  # the last schedule of the batch
            if found.what is not None:
                self._note(lab, drawn, found)
                break
            if campaign.coverage.found == covered:
                break
        lab.scheduler.coverage = None
        return campaign.coverage.found > before

    def _note(self, lab: Lab, drawn: Drawn, found: Found) -> None:
        assert found.what is not None
        assert found.failure is not None
        path, memory = segments(found.failure.path, lab.names), lab.memory
        lab.close()
        finding = self._caused(drawn, found.what)
        finding.system = described(drawn.tables)
        key = f"{finding.known} {finding.defects} {signature(found.what)}"
        if key in self.campaign.findings:
            self.campaign.findings[key].times += 1
            return
        self.campaign.findings[key] = finding
        cause = finding.known or ", ".join(finding.defects) or "new"
        self._tell(f"{cause}: {found.what[0]}")
        tables = {**drawn.arguments, "memory": memory}
        self._show(f"minimising: {found.what[0]}")
        finding.small = minimise_programs(
            drawn.programs,
            tables,
            path,
            failure=found.failure,
            tell=lambda text: self._show(f"minimising: {text}"),
        )
        if finding.small is not None:
            finding.what = finding.small.found.what or finding.what
            finding.system = described(finding.small.tables)
        if finding.small is not None and self._directory is not None:
            try:
                finding.file = self._save(finding.small, len(self.campaign.findings))
            except OSError as error:
                self.campaign.unwritten = f"{self._directory}: cannot write: {error.strerror}"

    def _caused(self, drawn: Drawn, failed: list[str]) -> Finding:
        """Attribute a failure: to the enabled defects if it disappears without them, to a catalogue entry if it disappears with the entry's
        fix, else to none."""
        tables, key = drawn.arguments, signature(failed)
        kernel = tables["kernel"]
        whole = {**kernel, "defects": []}
        if self._defects and not self._fails(drawn, {**tables, "kernel": whole}, key):
            return Finding(failed, drawn.generation, defects=self._defects)
        slug = self._known.get(key)
        fixed = catalogue()[slug].fixed if slug is not None else None
        if fixed is not None:
            generation = fixed["kernel"].get("generation", drawn.generation)
            options = {*kernel.get("options", []), *fixed["kernel"].get("options", [])}
            options |= {*needs(generation)}
            other = generation != drawn.generation
            kernel = {**(whole if other else kernel), **fixed["kernel"], "options": sorted(options)}
            if not self._fails(drawn, {**tables, "kernel": kernel}, key):
                return Finding(failed, drawn.generation, slug)
        return Finding(failed, drawn.generation)

    def _fails(self, drawn: Drawn, tables: dict[str, Any], key: str) -> bool:
        """Whether the programs fail in this way in a variant of their system."""
        with build_lab(*drawn.programs, memory=self._memory, **tables) as lab:
            found = search(lab, self.campaign.seed, seconds=1, most=_AGAIN)
        return found.what is not None and signature(found.what) == key

    def _save(self, small: Small, number: int) -> Path:
        assert self._directory is not None
        self._directory.mkdir(parents=True, exist_ok=True)
        campaign = self.campaign
        file = self._directory / f"{campaign.generation}-{campaign.seed}-{number}.json"
        tables = {**small.tables, "memory": small.memory}
        with build_lab(*small.programs, **tables) as lab:
            lab.scheduler.replay(small.failure.path)
            origin = Origin(small.programs, tables, small.found, campaign.seed, "fuzz")
            save_schedule(lab, origin, small.failure, file)
        return file
