# SPDX-License-Identifier: MIT
"""Random programs, the hand-overs that guide them, and the handling of failures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from iopf.cython_ext.runqueue import FIRST_DRAIN
from iopf.emulator.races.catalogue import catalogue
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.sched.coverage import Coverage
from iopf.emulator.sched.judge import Bug
from iopf.emulator.sched.strategies import Strategy
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.emulator.spec.sites import point_name
from iopf.tools.lab.play.system import Lab, LabError, build_lab
from iopf.tools.lab.search.draw import Drawn, draw, mutate
from iopf.tools.lab.search.fuzz import (
    Campaign,
    Finding,
    Fuzzer,
    its_own_fault,
    known_failures,
    signature,
)
from iopf.tools.lab.search.search import PORTFOLIO
from iopf.tools.status import Status

from tests.support.running import iopf

EACH_GENERATION = pytest.mark.parametrize("generation", list(GENERATIONS))
SEEDS = range(40)
BIND = ["map t0 4", "t0: start", "bind d0 t0"]
SEND = ["d0: start", "wait-bound d0 t0", "send d0 t0 pages=1 group=a"]
QUIET = (0, 8, 9)  # ACC_LOCAL, ACC_NAP, ACC_FENCE: no word is accessed
ONE_AFTER_THE_OTHER = [(int(Strategy.STRATEGY_PCT), 1)]


@EACH_GENERATION
def test_a_seed_is_a_program(generation: str) -> None:
    def drawn(seed: int) -> list[Drawn]:
        random = Random(seed)
        made = [draw(random, generation)]
        made += [mutate(random, made[-1]) for _ in range(3)]
        return made

    assert [drawn(seed) for seed in SEEDS] == [drawn(seed) for seed in SEEDS]
    assert len({str(drawn(seed)[0].programs) for seed in SEEDS}) > len(SEEDS) * 3 / 4
    assert all(each.generation == generation for each in drawn(1))


@EACH_GENERATION
def test_most_drawn_programs_are_valid(generation: str) -> None:
    refused = 0
    for seed in SEEDS:
        drawn = draw(Random(seed), generation)
        try:
            with build_lab(*drawn.programs, **drawn.arguments) as lab:
                assert lab.scheduler.explore(ONE_AFTER_THE_OTHER, seed, 0, 1)[1] <= 1
                assert lab.scheduler.steps > 0
        except (ScenarioError, LabError):
            refused += 1
    assert refused < len(SEEDS) / 2


def actor(program: list[str]) -> str:
    """The actor of a program with one `start`."""
    (start,) = [line for line in program if line.endswith("start")]
    return start.removesuffix(": start")


def check(drawn: Drawn) -> None:
    """After `start`, a driver's lines have its prefix and no other line has one; lines of a tenant or device name it first, or after the
    object they open or the device they address."""
    for program in drawn.programs:
        who = actor(program)
        behind = program[program.index(f"{who}: start") + 1 :]
        for line in behind:
            words = line.split()
            if who.startswith("k"):
                assert words[0] == f"{who}:", line
                continue
            assert ":" not in line, line
            tells = ("send", "await", "translate", "marker")
            assert (words[0] in tells) == who.startswith("d"), line
            assert who in words, line
            assert line.endswith(" try"), line


@EACH_GENERATION
def test_a_mutation_keeps_the_actor_and_the_start_of_every_program(generation: str) -> None:
    changed = 0
    for seed in SEEDS:
        random = Random(seed)
        drawn = draw(random, generation)
        check(drawn)
        actors = [actor(program) for program in drawn.programs]
        assert len(set(actors)) == len(actors)
        for _ in range(20):
            before, drawn = drawn, mutate(random, drawn)
            check(drawn)
            assert [actor(program) for program in drawn.programs] == actors
            assert drawn.generation == generation
            lines = [len(program) for program in drawn.programs]
            assert sum(abs(a - len(b)) for a, b in zip(lines, before.programs, strict=True)) <= 1
            changed += drawn.programs != before.programs
    assert changed > len(SEEDS) * 10


def handed_over(lab: Lab, slots: int = FIRST_DRAIN) -> set[tuple[str, str]]:
    """Hand-overs of the last schedule, from its trace: the points before and after, where a word goes from one actor to another. A drain
    counts as a step of its actor unless `slots` exceeds FIRST_DRAIN."""
    last: dict[int, tuple[int, int]] = {}
    made = set()
    for slot_of_step, point, kind, where, _ in lab.scheduler.trace:
        slot = slot_of_step % slots
        if kind in QUIET:
            continue
        if where in last and last[where][0] != slot:
            made.add((point_name(last[where][1]), point_name(point)))
        last[where] = (slot, point)
    return made


def names(coverage: Coverage) -> set[tuple[str, str]]:
    return {(point_name(before), point_name(after)) for before, after, _, _ in coverage.handovers()}


def follow(lab: Lab, *actors: str) -> set[tuple[str, str]]:
    """One schedule: each of these actors runs until it blocks, in this order, then any runnable actor."""
    path = b"".join(bytes([lab.names.index(actor)]) * 200 for actor in actors)
    lab.scheduler.coverage = coverage = Coverage()
    assert lab.scheduler.replay(path, loose=True) == Bug.BUG_NONE
    lab.scheduler.coverage = None
    assert coverage.found == len(coverage.handovers())
    return names(coverage)


def test_coverage_counts_the_hand_overs_of_a_schedule() -> None:
    looks, tells = "dev_send/field_read", "sva_bind/field_rmw"
    bind = ("tenant-00", "task:tenant-00", "tenant-00")
    with build_lab(BIND, SEND, memory="sc") as lab:
        bound_first = follow(lab, *bind, "dev-00")
        assert bound_first == handed_over(lab)
        assert (tells, looks) in bound_first
        assert (looks, tells) not in bound_first
        looked_first = follow(lab, "dev-00", *bind)
        assert looked_first == handed_over(lab)
        assert {(looks, tells), (tells, looks)} <= looked_first


def test_a_delayed_store_counts_as_a_hand_over_of_its_actor() -> None:
    with build_lab(BIND, SEND, memory="tso") as lab:
        lab.scheduler.coverage = coverage = Coverage()
        lab.scheduler.explore(ONE_AFTER_THE_OTHER, 1, 1, 1)  # the second round delays stores
        assert lab.scheduler.delayed
        assert any(step[0] >= FIRST_DRAIN for step in lab.scheduler.trace)
        assert names(coverage) == handed_over(lab)
        own = handed_over(lab, slots=2 * FIRST_DRAIN) - names(coverage)
        assert any(after.endswith("/drain") for _, after in own)
        assert any(before.endswith("/drain") for before, _ in names(coverage))


def test_coverage_only_grows_and_a_replayed_schedule_adds_nothing() -> None:
    with build_lab(BIND, SEND) as lab:
        lab.scheduler.coverage = coverage = Coverage()
        sizes, before = [0], set[tuple[str, str]]()
        for number in range(60):
            lab.scheduler.explore(PORTFOLIO, 1, number, 1)
            assert before <= names(coverage)
            before = names(coverage)
            sizes.append(coverage.found)
            path = lab.scheduler.path
            lab.follow("tso" if lab.scheduler.delayed else "sc")
            lab.scheduler.replay(path)
            lab.follow(lab.explores)
            assert coverage.found == sizes[-1]
        assert sizes == sorted(sizes)
        assert sizes[60] > sizes[1] > 20
        assert not coverage.full


def told(campaign: Campaign) -> tuple[object, ...]:
    return (
        campaign.programs,
        campaign.refused,
        campaign.schedules,
        campaign.steps,
        campaign.coverage.handovers(),
        [covered for _, covered in campaign.growth],
    )


def test_a_seed_is_a_campaign() -> None:
    first, again = (Fuzzer("v6.14", 3).run(60, 12) for _ in range(2))
    assert told(first) == told(again)
    assert first.programs == 12
    growth = [covered for _, covered in first.growth]
    assert growth == sorted(growth)
    assert growth[-1] == first.coverage.found > growth[0]
    assert told(Fuzzer("v6.14", 4).run(60, 12)) != told(first)


def test_a_defect_is_found_minimised_and_saved(tmp_path: Path) -> None:
    fuzzer = Fuzzer("v7.2", 1, defects=("remove-before-drain",), directory=tmp_path)
    campaign = fuzzer.run(60, 40)
    assert campaign.new
    for finding in campaign.new:
        assert finding.small is not None
        assert finding.file is not None
        lines = [line for program in finding.small.programs for line in program]
        assert len(lines) <= 12, lines
        document = json.loads(finding.file.read_text())
        assert document["scenario"]["kernel"]["defects"] == ["remove-before-drain"]
        done = iopf("race", "replay", str(finding.file))
        assert done.returncode == Status.FAILED, done.stdout + done.stderr
        assert "trace identical" in done.stderr
        assert finding.what[0] in done.stdout
        # The defect causes the failure.
        document["scenario"]["kernel"]["defects"] = []
        without = tmp_path / "without.json"
        without.write_text(json.dumps(document))
        assert iopf("race", "minimise", str(without)).returncode == Status.OK


DETACH = "detach d0 t0 pasid=5 try"


def plain_domain(last: str) -> Drawn:
    """A PASID without a fault handler is detached while a request for it arrives."""
    tables = {
        "kernel": {"generation": "v7.2", "options": ["answer-last"]},
        "device": [{"count": 1, "stop": "marker"}],
        "tenant": [{"count": 1}],
    }
    programs = [
        ["map t0 4", "attach d0 t0 pasid=5 domain=identity", "t0: start", last],
        ["d0: start", "send d0 pages=2 pasid=5 group=g1 try"],
    ]
    return Drawn(programs, tables)


def test_a_failure_of_the_catalogue_is_not_new(tmp_path: Path) -> None:
    said: list[str] = []
    fuzzer = Fuzzer("v7.2", 1, directory=tmp_path, tell=said.append)
    campaign = fuzzer.campaign
    while campaign.programs < 30 and not any(f.times == 2 for f in campaign.findings.values()):
        fuzzer.play(plain_domain(DETACH))
    finding = next(f for f in campaign.findings.values() if f.times == 2)
    assert {f.known for f in campaign.findings.values()} == {"plain-detach-undrained"}
    assert campaign.new == []
    assert len(said) == len(campaign.findings)
    assert all(line.startswith("plain-detach-undrained: use after free: ") for line in said)
    assert finding.small is not None
    lines = [line for program in finding.small.programs for line in program]
    assert "map t0 4" not in lines
    assert DETACH in lines
    assert len(list(tmp_path.iterdir())) == len(campaign.findings)
    assert finding.file is not None
    assert iopf("race", "replay", str(finding.file)).returncode == Status.FAILED


def test_the_text_of_a_known_failure_does_not_make_it_known() -> None:
    """A failure that remains with the fix of the entry is another bug, whatever its text."""
    race = catalogue()["unbind-uaf-iommu-mm"]
    drawn = Drawn(race.programs, race.document(defective=True))
    what = played(Fuzzer("v7.2", 1), drawn).what
    fuzzer = Fuzzer("v7.2", 1)
    fuzzer._known = {signature(what): "plain-detach-undrained"}
    assert played(fuzzer, drawn).known is None
    assert fuzzer._known[signature(played(fuzzer, drawn).what)] == "plain-detach-undrained"


def played(fuzzer: Fuzzer, drawn: Drawn) -> Finding:
    fuzzer.play(drawn)
    (finding,) = fuzzer.campaign.findings.values()
    return finding


def test_the_same_program_on_a_kernel_that_drains_does_not_fail() -> None:
    drawn = plain_domain(DETACH)
    kernel = {**drawn.tables["kernel"], "generation": "v6.14"}
    fuzzer = Fuzzer("v6.14", 1)
    fuzzer.play(replace(drawn, tables={**drawn.tables, "kernel": kernel}, generation="v6.14"))
    assert (fuzzer.campaign.programs, fuzzer.campaign.findings) == (1, {})
    assert fuzzer.campaign.schedules >= 100


def test_a_failure_disabled_by_the_options_is_not_known() -> None:
    """`answer-for-nonlast` cannot occur in a program that answers last requests only: the same failure then has another cause."""
    assert set(known_failures("v7.2").values()) == {"grpid-only-match", "plain-detach-undrained"}
    assert set(known_failures("v5.13").values()) == {"timeout-auto-complete"}
    assert known_failures("v6.14") == {}


def test_an_invalid_program_is_counted_and_skipped() -> None:
    fuzzer = Fuzzer("v6.14", 1)
    drawn = plain_domain(DETACH)
    fuzzer.play(replace(drawn, programs=[["t0: start", "exit t0", "unbind d0 t0 try"]]))
    assert (fuzzer.campaign.refused, fuzzer.campaign.programs) == (1, 0)


def test_the_signature_of_a_failure_has_no_numbers_and_actors() -> None:
    one = ["use after free: group 0, used by handler-00 in worker_handle", "second"]
    same = ["use after free: group 17, used by handler-03 in worker_handle"]
    other = ["use after free: group 0, used by handler-00 in iopf_group_response"]
    assert signature(one) == signature(same) != signature(other)


def test_programs_that_may_fail_without_a_bug_are_not_run() -> None:
    sends = ["d0: start", "send d0 pages=1 pasid=5 group=a try"]
    reads = ["attach d0 t0 pasid=5 domain=fault fault=f0", "t0: start"]
    assert not its_own_fault(Drawn([sends, reads], {}))
    assert its_own_fault(Drawn([sends, ["k0: start", "k0: plug d0 try"]], {}))
    assert its_own_fault(Drawn([[*sends, "await d0 try"], reads], {}))
    assert not its_own_fault(Drawn([[*sends, "await d0 try"]], {}))
