# SPDX-License-Identifier: MIT
"""The table of verbs and the functions that carry them out: every row has one, every function has a row."""

from __future__ import annotations

from iopf.device_procs import script
from iopf.emulator.board import flow
from iopf.emulator.kernel.proc import driver_ops, syscalls
from iopf.emulator.program.grammar import Runs
from iopf.emulator.program.verbs import VERBS
from iopf.emulator.spec import program as spec
from iopf.emulator.tenant import engine
from iopf.emulator.trace.program import Op

# Operations without a verb: a compiled program or a replayed trace has them.
REPLAYED = {int(op) for op in Op}
COMPILED = {spec.DO_TURN, spec.DO_PASS, spec.DO_GOTO}
BRANCH = {spec.DO_BRANCH}  # a branch is data of its DO_CHOOSE


def numbers(*runs: Runs) -> set[int]:
    return {verb.op for verb in VERBS.values() if verb.runs in runs}


def test_each_actor_has_a_function_for_each_of_its_verbs_and_no_other() -> None:
    device = set(script.operations())
    driver = set(driver_ops.operations())
    tenant = set(engine.operations()) | set(syscalls.operations())
    assert device == numbers(Runs.DEVICE)
    assert driver == numbers(Runs.DRIVER)
    assert tenant - REPLAYED <= numbers(Runs.TENANT)
    assert numbers(Runs.TENANT) <= tenant
    assert set(flow.operations()) == numbers(Runs.ANY, Runs.BLOCK) - BRANCH | COMPILED


def test_a_tenant_does_itself_what_is_no_system_call() -> None:
    assert not set(engine.operations()) & set(syscalls.operations())


def test_no_number_is_used_twice() -> None:
    names = {name: getattr(spec, name) for name in dir(spec) if name.startswith("DO_")}
    assert len(set(names.values())) == len(names)
    known = {verb.op for verb in VERBS.values()} | REPLAYED | COMPILED | {spec.DO_NONE}
    assert set(names.values()) == known


def test_every_verb_outside_a_block_says_what_its_record_holds() -> None:
    for verb in VERBS.values():
        assert (verb.record is None) == (verb.runs == Runs.BLOCK), verb.name
