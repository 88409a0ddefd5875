# SPDX-License-Identifier: MIT
"""The reference model against the fate table, cell by cell, and properties outside the cells."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from iopf.emulator.check.case import RECORDS, Case, Expected, differences, document
from iopf.emulator.check.case import observed as as_observed
from iopf.emulator.check.cases import CASES
from iopf.emulator.check.fates import CELLS, EVENTS, Cell, Fate, cell
from iopf.emulator.check.model import Observation, run_case, run_programs
from iopf.emulator.check.model.flows import FLOWS
from iopf.emulator.check.model.run import NOT_RUN
from iopf.emulator.check.violations import KNOWN
from iopf.emulator.program.errors import ProgramError
from iopf.emulator.scenario import crosscheck, schema
from iopf.emulator.spec.kernels import GENERATIONS, MERGED

BY_EVENT = {case.event: case for case in CASES}
SETUP = ["map t0 8", "bind d0 t0"]


def observed(case: Case, generation: str) -> Observation:
    return run_programs(case.programs, generation, RECORDS)


def as_expected(found: Observation) -> Expected:
    """An observation of the model in the form of the cases."""
    groups = (found.counters.get("groups", 0), found.counters.get("groups freed", 0))
    return as_observed(dict(found.responses), found.results, found.lost, groups, found.findings)


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("event", EVENTS)
def test_the_model_agrees_with_the_case(event: str, generation: str) -> None:
    case = BY_EVENT[event]
    observation = observed(case, generation)
    assert differences(case.expected[generation], as_expected(observation)) == []
    if not observation.findings:
        assert NOT_RUN not in observation.results


ANSWERS = {
    Fate.SUCCESS: (0,),
    Fate.INVALID: (1,),
    Fate.FAILURE: (15,),
    Fate.DRIVER: (1,),  # VT-d answers INVALID to what the core refused
    Fate.ERROR: (),
    Fate.NOTHING: (),
    Fate.KEPT: (),
    Fate.MISSING: (0,),
    Fate.LEFT: (0,),
    Fate.USE_AFTER_FREE: (1,),
    Fate.USER: (0,),
    Fate.WAITS: (0,),
}


@pytest.mark.parametrize("found", CELLS, ids=lambda found: f"{found.event}-{found.generation}")
def test_the_fate_of_a_cell_is_what_its_case_observes(found: Cell) -> None:
    case = BY_EVENT[found.event]
    observation = observed(case, found.generation)
    seen = as_expected(observation)
    if found.fate in ANSWERS:
        assert seen.responses[case.watch] == ANSWERS[found.fate]
    if found.fate == Fate.USE_AFTER_FREE:
        assert "use after free" in seen.findings[0]
    else:
        assert seen.findings == ()
    if found.fate in (Fate.DRIVER, Fate.ERROR):
        assert seen.errors or seen.lost
    if found.fate == Fate.MISSING:
        assert seen.lost == {"no memory": 1}
    if found.fate == Fate.DISCARDED:
        assert 2 in seen.lost.values()
    assert (found.fate == Fate.ABSENT) <= (found.known is None)


def test_the_table_is_complete() -> None:
    assert tuple(FLOWS) == GENERATIONS
    assert [(c.event, c.generation) for c in CELLS] == [(e, g) for e in EVENTS for g in GENERATIONS]
    assert [case.event for case in CASES] == list(EVENTS)
    for case in CASES:
        assert tuple(case.expected) == GENERATIONS


def test_known_violations_are_those_of_the_cells() -> None:
    for each in CELLS:
        if each.known is not None:
            assert each.generation in KNOWN[each.known].generations, each
    for slug, known in KNOWN.items():
        shown = {c.generation for c in CELLS if c.known == slug}
        assert not shown or shown <= set(known.generations), slug
        assert set(known.generations) <= set(GENERATIONS)
    # Remaining errors of a cell must be on the list: a finding without a slug is new.
    for case in CASES:
        for generation, expected in case.expected.items():
            assert not expected.findings or cell(case.event, generation).known is not None


def test_a_difference_names_the_field() -> None:
    expected = Expected({"a": (0,)}, lost={"overflow": 1})
    seen = as_observed({(0, "a"): [1]}, [0, -22], {"overflow": 1, "no memory": 0}, (0, 0), ())
    assert differences(expected, seen) == [
        "responses: expected {'a': (0,)}, got {'a': (1,)}",
        "errors: expected {}, got {1: -22}",
    ]


@pytest.mark.parametrize("event", EVENTS)
def test_every_case_is_a_scenario(event: str) -> None:
    scenario = msgspec.convert(document(BY_EVENT[event], "v7.2"), schema.Scenario)
    assert crosscheck.problems(scenario) == []


def test_cases_are_as_wide_as_their_credits() -> None:
    for case in CASES:
        for text in [op for program in case.programs for op in program]:
            words = dict(w.split("=") for w in text.split() if "=" in w)
            assert int(words.get("pages", 0)) <= case.credits


# --- outside the cells ---


def test_a_later_bind_after_the_last_unbind_is_a_queue_of_its_own() -> None:
    """Since v6.16 the first fault domain puts the device on the queue and the last takes it off."""
    text = [*SETUP, "queue-add d0 try", "unbind d0 t0", "queue-add d0 try"]
    assert run_case(text, "v7.2").results == [0, 0, -16, 0, 0]
    assert run_case(text, "v6.14").results == [0, 0, -16, 0, -16]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_requests_of_one_index_mix_pasids(generation: str) -> None:
    """Partials are collected by group index alone (4.8): pages of one tenant affect another's group."""
    text = [
        "map t0 4",
        "map t1 4 at=8",
        "bind d0 t0",
        "bind d0 t1",
        "send d0 t0 pages=1 group=a prgi=5 open",
        "reset d0",
        "send d0 t1 pages=1 at=8 group=b prgi=5",
        "await d0 group=b",
    ]
    assert run_case(text, generation).responses[0, "b"] == (1,)
    assert run_case([*text[:4], *text[5:]], generation).responses[0, "b"] == (0,)


@pytest.mark.parametrize("generation", MERGED)
def test_an_unbind_leaves_partials_behind(generation: str) -> None:
    """The flush waits for groups only (4.10), unless the queue is removed with the last domain."""
    text = [
        *SETUP,
        "bind d0 t1",
        "send d0 t0 pages=1 group=a prgi=5 open",
        "settle",
        "unbind d0 t0",
        "discard d0",
    ]
    assert run_case(text, generation).lost == {"overflow, partial discarded": 1}


@pytest.mark.parametrize("generation", ["v6.11", "v6.14", "v7.2"])
def test_one_group_gets_two_answers(generation: str) -> None:
    """A PASID without a handler: each request of the group is answered (4.19)."""
    text = [*SETUP, "queue-remove d0", "send d0 t0 pages=3 group=a", "settle"]
    assert run_case(text, generation).responses[0, "a"] == (1, 1, 1)
    assert run_case(text, "gunthorpe").responses[0, "a"] == (0,)


def test_the_hardware_answers_what_the_tables_refuse() -> None:
    text = ["send d0 pasid=7 pages=3 group=a", "send d0 pages=1 rid group=r", "settle"]
    found = run_case(text, "v6.14")
    assert found.responses == {(0, "a"): (1,), (0, "r"): (1,)}
    assert found.lost == {"refused by the tables": 2}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_queue_of_n_records_holds_one_less(generation: str) -> None:
    text = [*SETUP, "hold irq", *[f"send d0 t0 pages=1 group=g{n}" for n in range(8)]]
    found = run_case([*text, "queue-remove d0", "let-go irq", "settle"], generation, records=8)
    answered = [found.responses[0, f"g{n}"] for n in range(8)]
    assert answered[7] == (0,), "the eighth finds the queue full and is answered by the hardware"
    assert (
        answered[:7]
        == [() if generation == "v6.9" else (0 if generation == "gunthorpe" else 1,)] * 7
    )


def test_user_space_reads_whole_groups_and_answers_once() -> None:
    text = [
        "fault-alloc t0 f0",
        "attach d0 t0 pasid=5 domain=fault fault=f0",
        "send d0 pasid=5 pages=3 group=a",
        "send d0 pasid=5 pages=1 group=b",
        "settle",
        "read f0 t0 bytes=120 unmapped try",
        "read f0 t0 bytes=41 try",
        "write f0 t0 code=success try",
        "read f0 t0 bytes=80",
        "write f0 t0 code=success try",
        "read f0 t0 bytes=120",
        "write f0 t0 code=failure try",
        "write f0 t0 code=success",
        "write f0 t0 code=success try",
        "fault-close t0 f0",
    ]
    for generation in ("v6.11", "v6.14", "v7.2", "gunthorpe"):
        found = run_case(text, generation)
        assert found.results[5:] == [-14, -29, -22, 0, -22, 0, -22, 0, -22, 0]
        assert found.responses == {(0, "a"): (0,), (0, "b"): (1,)}


def test_a_replace_answers_the_groups_of_the_old_handle_only() -> None:
    text = [
        "fault-alloc t0 f0",
        "fault-alloc t0 f1",
        "attach d0 t0 pasid=5 domain=fault fault=f0",
        "send d0 pasid=5 pages=1 group=a",
        "settle",
        "replace d0 t0 pasid=5 domain=fault fault=f1",
        "send d0 pasid=5 pages=1 group=b",
        "settle",
        "serve f1 t0 groups=1 code=success",
    ]
    assert run_case(text, "v7.2").responses == {(0, "a"): (1,), (0, "b"): (0,)}
    assert run_case(text, "gunthorpe").responses == {(0, "a"): (0,), (0, "b"): (0,)}


def test_waiting_forever_is_a_finding() -> None:
    found = run_case([*SETUP, "hold workers", "send d0 t0 pages=1", "flush d0"], "v7.2")
    assert found.findings == ("stuck: a flush waits for the workers",)
    assert found.results[-1] == NOT_RUN


def test_a_nondeterministic_program_is_refused() -> None:
    with pytest.raises(ValueError, match="deterministic programs"):
        run_case(["choose", "map t0 1", "or", "map t0 2", "end"], "v7.2")


def test_an_address_space_that_ends_is_quiet_before_it_is_unbound() -> None:
    text = ["map t0 4", "bind d0 t0", "exit t0", "send d0 pasid=1 pages=1 group=a", "settle"]
    found = run_case(text, "v7.2")
    assert found.responses[0, "a"] == (1,)
    assert found.counters == {}


LINES = st.sampled_from(
    [
        "map t0 4",
        "unmap t0 2",
        "touch t0 1",
        "bind d0 t0",
        "bind d1 t0",
        "bind d0 t1",
        "unbind d0 t0",
        "exec t0",
        "send d0 t0 pages=3 open",
        "send d0 t0 pages=2",
        "send d1 t0 pages=1 rw=w",
        "send d0 pasid=9 pages=2",
        "send d0 pages=1 rid",
        "report d0 pasid=1 prgi=100",
        "report d0 pasid=9 prgi=101 open",
        "reset d0",
        "marker d0 pasid=1",
        "hold irq",
        "hold workers",
        "let-go all",
        "fail group nth=1",
        "fail fault nth=2",
        "refuse 1",
        "queue-remove d0",
        "queue-add d0",
        "remove d0",
        "plug d0",
        "discard d0",
        "flush d0",
        "drain d0 pasid=1",
        "fault-alloc t0 f0",
        "attach d0 t0 pasid=5 domain=fault fault=f0",
        "send d0 pasid=5 pages=2",
        "read f0 t0 bytes=400",
        "write f0 t0 code=invalid",
        "detach d0 t0 pasid=5",
        "fault-close t0 f0",
        "settle",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, max_size=25), st.sampled_from(GENERATIONS))
def test_only_known_generations_free_objects_in_use(text: list[str], generation: str) -> None:
    try:
        found = run_case([*text, "let-go all", "settle"], generation, records=8)
    except ProgramError:
        return
    assert found.counters.get("groups freed", 0) <= found.counters.get("groups", 0)
    if any("use after free" in finding for finding in found.findings):
        assert generation in KNOWN["remove-before-drain"].generations


FAILURE = 15


@example(
    ["bind d0 t0", "hold irq", "fail group nth=1", "send d0 t0 pages=2", "send d0 pages=1 rid"],
    "v6.11",
)
@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, max_size=25), st.sampled_from(GENERATIONS))
def test_at_rest_every_last_request_of_a_bound_device_is_answered(
    text: list[str], generation: str
) -> None:
    """From v6.11 on the core answers every last request reported to it, whatever happened before. A device that got Response Failure has
    stopped and gets nothing more (PCIe ATS 1.1, 4.2)."""
    text = [line for line in text if "f0" not in line and "pasid=5" not in line]
    labelled = [
        f"{line} group=g{n}" if line.startswith("send") and "open" not in line else line
        for n, line in enumerate(text)
        if not line.startswith("reset")
    ]
    try:
        found = run_case([*labelled, "let-go all", "settle"], generation)
    except ProgramError:
        return
    if found.findings or generation not in ("v6.11", "v6.14", "v7.2", "gunthorpe"):
        return
    stopped = {device for (device, _), codes in found.responses.items() if FAILURE in codes}
    for n, line in enumerate(labelled):
        sent = line.startswith("send") and "open" not in line and found.results[n] == 0
        label = next((w[6:] for w in line.split() if w.startswith("group=")), "")
        device = 0 if "d0" in line else 1
        assert not sent or device in stopped or found.responses[device, label], line
