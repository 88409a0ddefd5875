# SPDX-License-Identifier: MIT
"""Every race of the catalogue: found in the defective variant by its own oracle, not in the fixed one, and replayed exactly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from iopf.emulator.races.catalogue import THEMES, Race, catalogue, find
from iopf.emulator.sched.judge import Bug
from iopf.emulator.spec.defects import defect_slugs
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import Lab, build_lab
from iopf.tools.lab.search.minimise import minimise_failure
from iopf.tools.lab.search.search import PORTFOLIO, STRATEGIES, search

RACES = list(catalogue().values())
EACH = pytest.mark.parametrize("race", RACES, ids=[race.slug for race in RACES])
FIXED_SCHEDULES = 3000


@pytest.fixture
def defective(race: Race) -> Iterator[Lab]:
    with lab_of(race, defective=True) as lab:
        yield lab


@EACH
def test_the_defect_is_found_by_its_oracle_whatever_the_seed(race: Race, defective: Lab) -> None:
    """The first detector may differ: an actor with a freed object may hit a list, a count or an invalid pointer."""
    seen = []
    for seed in range(10):
        found = search(defective, seed * 1_000_003, seconds=60, most=10**6)
        assert found.failure is not None, f"seed {seed}: not found in {found.schedules}"
        assert found.what is not None
        seen.append(found.what[0])
    assert any(line.startswith(race.oracle) for line in seen), seen


@EACH
def test_the_fixed_variant_fails_in_no_schedule(race: Race) -> None:
    with lab_of(race, defective=False) as lab:
        found = search(lab, 7, seconds=60, most=FIXED_SCHEDULES)
        assert found.what is None
        assert found.schedules == FIXED_SCHEDULES


@EACH
def test_the_minimised_schedule_is_replayed_by_fibers_and_by_processes(
    race: Race, defective: Lab
) -> None:
    found = search(defective, 1, seconds=60, most=10**6)
    assert found.failure is not None
    short = minimise_failure(defective, found.failure)
    assert short.cost <= found.failure.cost
    assert short.signature == found.failure.signature
    scheduler = defective.scheduler
    bug = scheduler.replay(short.path)
    assert bug not in (Bug.BUG_NONE, Bug.BUG_DIVERGED)
    played = (bug, scheduler.trace_hash)
    for _ in range(20):
        assert (scheduler.replay(short.path), scheduler.trace_hash) == played
    with ActorProcesses(defective):
        for _ in range(5):
            assert (scheduler.replay(short.path), scheduler.trace_hash) == played
    assert (scheduler.replay(short.path), scheduler.trace_hash) == played


@EACH
def test_same_seed_same_schedule_in_fibers_and_processes(race: Race) -> None:
    with lab_of(race, defective=False) as lab:

        def hashes() -> list[int]:
            found = []
            for number, strategy in enumerate(PORTFOLIO * 4):
                lab.scheduler.explore([strategy], number, number, 1)
                found.append(lab.scheduler.trace_hash)
            return found

        first = hashes()
        assert len(set(first)) > len(first) // 4
        with ActorProcesses(lab):
            assert hashes() == first


def test_every_strategy_finds_something_on_its_own() -> None:
    race = find("remove-before-drain")
    assert race is not None
    with lab_of(race, defective=True) as lab:
        for name, plan in STRATEGIES.items():
            assert search(lab, 3, seconds=10, most=10**6, plan=plan).failure is not None, name


def test_every_defect_has_its_entry_and_every_entry_its_defect() -> None:
    assert {race.slug for race in RACES if race.fixed is None} == set(defect_slugs())
    for race in RACES:
        assert race.theme in THEMES
        assert race.generation in race.generations
        assert len(race.actors) <= 4


def test_every_theme_has_three_races() -> None:
    for theme in THEMES:
        assert sum(race.theme == theme for race in RACES) >= 3, theme


# For each detector a race that no other detector reports in any schedule.
SEEN_BY_ONE = {
    "use after free": "unbind-uaf-iommu-mm",
    "double free": "aux-pasid-double-free",
    "reference count": "mm-without-get",
    "list": "discard-frees-linked",
    "double answer": "answered-after-removal",
    "a device received a response": "answer-for-nonlast",
    "account": "timeout-auto-complete",
    "an operation failed": "requester-id-unset",
    "stale PASID": "no-drain-before-5.8",
    "stale partial": "pro-cleared-unconditionally",
    "stale translation": "extra-dtlb-flush-missing",
    "lock order": "pasid-mutex-abba",
    "RCU": "getter-without-rcu",
    "bad word": "ring-mask-half-descriptor",
    "deadlock": "shared-completion-lost-wake",
    "step limit": "read-loop-on-efault",
    "leak": "pasid-ref-leak",
    "invalid pointer": "ioasid-free-without-pdata",
}


@pytest.mark.parametrize("detector", SEEN_BY_ONE)
def test_every_detector_has_a_race_that_only_it_reports(detector: str) -> None:
    race = catalogue()[SEEN_BY_ONE[detector]]
    assert race.oracle == detector
    assert {race.oracle for race in RACES} == set(SEEN_BY_ONE)
    with lab_of(race, defective=True) as lab:
        for seed in range(30):
            found = search(lab, seed * 1_000_003, seconds=60, most=10**6)
            assert found.what is not None
            assert found.what[0].startswith(detector), found.what[0]


BIND_AGAIN = [
    "map t0 4",
    "bind d0 t0",
    "t0: start",
    *["bind d0 t0", "unbind d0 t0"] * 5,
    "unbind d0 t0",
]


@pytest.mark.parametrize(
    ("defects", "limit", "seen"),
    [(["pasid-ref-leak"], 5, True), (["pasid-ref-leak"], 0, False), ([], 5, False)],
)
def test_accumulating_references_are_reported_by_their_count(
    defects: list[str], limit: int, seen: bool
) -> None:
    """Every sharing bind takes one, in the defective variant without a put. Without a limit no other detector reports it while the
    system runs."""
    kernel = {"generation": "v5.13", "defects": defects}
    with build_lab(BIND_AGAIN, kernel=kernel, checks={"ref_limit": limit}) as lab:
        found = search(lab, 1, seconds=60, most=500)
        assert (found.what or ["nothing"])[0].startswith("reference count" if seen else "nothing")


@pytest.mark.parametrize("name", ["4.22", "remove-before-drain", "4.22-remove-before-drain"])
def test_an_entry_is_found_by_number_and_slug(name: str) -> None:
    race = find(name)
    assert race is not None
    assert race.number == "4.22"
