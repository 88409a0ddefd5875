"""Looking for races that nobody has written down: random programs and random schedules together, guided by hand-overs.

A program is drawn, or changed from one that has made a new hand-over (`emulator/sched/coverage.pxd`); its schedules are played in
batches for as long as they make new ones. What fails is made small, operations first, then preemptions, and kept with its schedule. A
failure that the generation has by itself and the catalogue knows is counted under its slug; the others are new.
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
from iopf.tools.lab.play.races import save_schedule, tables_of
from iopf.tools.lab.play.system import Lab, LabError, build_lab
from iopf.tools.lab.search.draw import Drawn, draw, mutate, options_of
from iopf.tools.lab.search.minimise_programs import Small, minimise_programs
from iopf.tools.lab.search.search import Found, search

_BATCH = 100
_BATCHES = 20
_KEPT = 200
_FRESH = 0.4
_SEEDS = 40
_AGAIN = 400  # schedules of a variant that may not fail in the same way


@dataclass(slots=True)
class Finding:
    """A way to fail. `known`: the slug of the catalogue, whose fixed variant does not fail so; `defects`: it takes these, which were put
    back; `small` and `file` for the first time it was seen."""

    what: list[str]
    generation: str
    known: str | None = None
    defects: list[str] = field(default_factory=list)
    times: int = 1
    small: Small | None = None
    file: Path | None = None


@dataclass(slots=True)
class Campaign:
    """What a search has come to."""

    generation: str
    seed: int
    programs: int = 0
    refused: int = 0
    schedules: int = 0
    steps: int = 0
    seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)
    growth: list[tuple[float, int]] = field(default_factory=list)  # seconds, hand-overs
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def new(self) -> list[Finding]:
        return [finding for finding in self.findings.values() if finding.known is None]


def signature(what: list[str]) -> str:
    """What a failure is known by: its first line without numbers and without whose step it was."""
    return re.sub(r"by \S+ in", "in", re.sub(r"0x[0-9a-f]+|\d+", "N", what[0]))


def known_failures(generation: str) -> dict[str, str]:
    """Signature -> slug of what the catalogue says that the generation has by itself, and still has with the options of what is drawn. A
    race may be seen in several ways, so several seeds are asked."""
    made = {}
    for race in catalogue().values():
        if race.fixed is not None and generation == race.generation:
            tables = tables_of(race, defective=True)
            options = {*tables["kernel"].get("options", []), *options_of(generation)}
            tables["kernel"] = {**tables["kernel"], "options": sorted(options)}
            with build_lab(*race.programs, **tables) as lab:
                for seed in range(_SEEDS):
                    found = search(lab, seed * 1_000_003, seconds=1, most=2000)
                    if found.what is not None:
                        made[signature(found.what)] = race.slug
    return made


def its_own_fault(drawn: Drawn) -> bool:
    """Whether a program may fail by what it does alone: a device waits for answers that user space has to give and nobody reads, or it is
    plugged in again with requests under way, which its driver would have to refuse."""
    lines = [line for program in drawn.programs for line in program]
    waits = any(line.startswith("await") for line in lines)
    sends = any(line.startswith("send") and "pasid=" in line for line in lines)
    plugs = any("plug d" in line or "recover d" in line for line in lines)
    return (waits and any("domain=fault" in line for line in lines)) or (sends and plugs)


class Fuzzer:
    """One campaign. `defects`: historic bugs that are put back. `tell` hears of progress, a line at a time."""

    def __init__(
        self,
        generation: str,
        seed: int,
        *,
        memory: str = "tso",
        defects: Sequence[str] = (),
        directory: Path | None = None,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.campaign = Campaign(generation, seed)
        self._random = Random(seed)
        self._memory, self._directory, self._tell = memory, directory, tell
        self._defects = list(defects)
        self._known = known_failures(generation)
        self._corpus: list[Drawn] = []

    def run(self, seconds: float, programs: int | None = None) -> Campaign:
        """Until the time is over, or so many programs have been played."""
        began = time.monotonic()
        campaign = self.campaign
        while (campaign.seconds < seconds) and (programs is None or campaign.programs < programs):
            self._one()
            campaign.seconds = time.monotonic() - began
            covered = campaign.coverage.found
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
        """The schedules of one program; it is kept when they make a hand-over that is new."""
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
        """Whether the schedules of this program have made a hand-over that was new."""
        campaign = self.campaign
        lab.scheduler.coverage = campaign.coverage
        before, seed = campaign.coverage.found, self._random.randrange(2**40)
        for batch in range(_BATCHES):
            covered = campaign.coverage.found
            found = search(lab, seed + batch * _BATCH, seconds=10, most=_BATCH)
            campaign.schedules += found.schedules
            campaign.steps += found.steps
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
        key = f"{finding.known} {finding.defects} {signature(found.what)}"
        if key in self.campaign.findings:
            self.campaign.findings[key].times += 1
            return
        self.campaign.findings[key] = finding
        cause = finding.known or ", ".join(finding.defects) or "new"
        self._tell(f"{cause}: {found.what[0]}")
        tables = {**drawn.arguments, "memory": memory}
        finding.small = minimise_programs(drawn.programs, tables, path, failure=found.failure)
        if finding.small is not None:
            finding.what = finding.small.found.what or finding.what
        if finding.small is not None and self._directory is not None:
            try:
                finding.file = self._save(finding.small, tables, len(self.campaign.findings))
            except OSError as error:
                self._tell(f"{self._directory}: cannot be written: {error.strerror}")

    def _caused(self, drawn: Drawn, failed: list[str]) -> Finding:
        """Whose failure it is: that of a defect that was put back when it goes with the defects, that of an entry of the catalogue when it
        goes with the entry's fix, else nobody's."""
        tables, key = drawn.arguments, signature(failed)
        kernel = tables["kernel"]
        whole = {**kernel, "defects": []}
        if self._defects and not self._fails(drawn, {**tables, "kernel": whole}, key):
            return Finding(failed, drawn.generation, defects=self._defects)
        slug = self._known.get(key)
        fixed = catalogue()[slug].fixed if slug is not None else None
        if fixed is not None:
            options = {*kernel.get("options", []), *fixed["kernel"].get("options", [])}
            other = fixed["kernel"].get("generation", drawn.generation) != drawn.generation
            kernel = {**(whole if other else kernel), **fixed["kernel"], "options": sorted(options)}
            if not self._fails(drawn, {**tables, "kernel": kernel}, key):
                return Finding(failed, drawn.generation, slug)
        return Finding(failed, drawn.generation)

    def _fails(self, drawn: Drawn, tables: dict[str, Any], key: str) -> bool:
        """Whether the programs fail in this way in a variant of their system."""
        with build_lab(*drawn.programs, memory=self._memory, **tables) as lab:
            found = search(lab, self.campaign.seed, seconds=1, most=_AGAIN)
        return found.what is not None and signature(found.what) == key

    def _save(self, small: Small, tables: dict[str, Any], number: int) -> Path:
        assert self._directory is not None
        self._directory.mkdir(parents=True, exist_ok=True)
        campaign = self.campaign
        file = self._directory / f"{campaign.generation}-{campaign.seed}-{number}.json"
        tables = {**tables, "memory": small.memory}
        with build_lab(*small.programs, **tables) as lab:
            lab.scheduler.replay(small.failure.path)
            save_schedule(
                lab,
                small.programs,
                tables,
                small.failure,
                small.found,
                seed=campaign.seed,
                strategy="fuzz",
                to=file,
            )
        return file
