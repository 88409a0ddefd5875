# SPDX-License-Identifier: MIT
"""Programs: errors with their reasons, and the compiled records."""

from __future__ import annotations

from pathlib import Path

import pytest
from iopf.emulator.program.actors import default_names
from iopf.emulator.program.compile import Compiled, compile_programs
from iopf.emulator.program.errors import ProgramError
from iopf.emulator.program.fields import PROGRAM_BASE
from iopf.emulator.program.lines import parse_line, show_line
from iopf.emulator.program.verbs import VERBS
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.scenario.resolution import resolve
from iopf.emulator.spec import program as spec
from iopf.emulator.trace.program import RECORD, Record, map_arg
from iopf.tools.cli.commands.help import page
from iopf.tools.cli.main import main
from iopf.tools.status import Status

NAMES = default_names(2, 2)


def compiled(*programs: list[str]) -> Compiled:
    return compile_programs(programs, NAMES.devices, NAMES.tenants)


def refused(*programs: list[str]) -> list[str]:
    with pytest.raises(ProgramError) as caught:
        compiled(*programs)
    return [f"{problem.path}: {problem.text}" for problem in caught.value.problems]


def records(packed: bytes) -> list[Record]:
    return [Record(*fields) for fields in RECORD.iter_unpack(packed)]


def ops(packed: bytes) -> list[int]:
    return [record.op for record in records(packed)]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("bnid d0 t0", "'bnid' is not an operation; did you mean 'bind'?"),
        ("", "no operation"),
        ("t0:", "no operation"),
        ("bind d0", "bind needs a tenant; syntax: bind D T"),
        ("bind d2 t0", "no device 'd2'; expected d0 to d1"),
        ("bind d0 tennant", "no tenant 'tennant'"),
        ("bind d0 t0 t1", "unexpected 't1'"),
        ("bind d0 t0 pages=1", "bind has no 'pages='"),
        ("t1: bind d0 t0", "bind runs in t0, not in t1"),
        ("x0: settle", "no tenant, device or driver 'x0'"),
        ("k8: settle", "no driver 'k8'; expected k0 to k7"),
        ("d0: settle", "settle runs in k0, not in d0"),
        ("map t0 4 at=1 at=2", "'at=' is given twice"),
        ("map t0 4 try try", "'try' is given twice"),
        ("map t0 0", "out of range; expected 1"),
        ("map t0 four", "expected a number, got 'four'"),
        ("map t0 4 prot=rr", "expected letters of 'rwx'"),
        ("send d0 t0", "send needs pages="),
        ("send d0 pages=1", "send needs tenant or pasid or rid"),
        ("send d0 t0 pages=65", "expected 1 to 64"),
        ("send d0 pages=1 pasid=1 rid", "only one of pasid and rid"),
        ("send d0 t0 pages=1 prgi=512", "expected 0 to 511"),
        ("send d0 t0 pages=1 group=9", "expected a name"),
        ("send d0 t0 pages=1 opne", "unexpected 'opne'; did you mean 'open'?"),
        ("marker d0", "marker needs tenant or pasid"),
        ("marker d0 t0 pasid=3", "only one of"),
        ("attach d0 t0 pasid=1 domain=fault", "must be used together"),
        ("attach d0 t0 rid domain=paging fault=f0", "must be used together"),
        ("attach d0 t0 rid domain=sva", "not one of blocking"),
        ("attach d0 t0 domain=paging", "needs pasid or rid"),
        ("read f16 t0 bytes=1", "f0 to f15"),
        ("write f0 t0 nth=1 cookie=2 code=success", "only one of nth and cookie"),
        ("write f0 t0 code=sucess", "did you mean 'success'?"),
        ("serve f0 t0 groups=1 code=failure", "not one of success, invalid"),
        ("fail grop nth=1", "did you mean 'group'?"),
        ("fail group nth=0", "expected 1 to"),
        ("hold everything", "not one of irq, workers, copies, all"),
        ("pause 5ms", "needs an actor"),
        ("t0: pause 5", "expected a time"),
        ("t0: pause 61s", "at most 60s"),
        ("t0: repeat 3", "remove 't0:'"),
        ("report d0 prgi=1", "needs pasid or rid"),
        ("x" * 401, "at most 400"),
    ],
)
def test_an_invalid_line_is_reported_with_its_reason(line: str, hint: str) -> None:
    (text,) = refused(["map t0 1", line])
    assert text.startswith("program[0].ops[1]: ")
    assert hint in text


@pytest.mark.parametrize(
    ("programs", "place", "hint"),
    [
        ([[]], "program[0].ops", "1 to 4096 lines"),
        ([["map t0 1"], ["unmap t0 1"]], "program[1].ops[0]", "t0 already runs program[0]"),
        ([["flush d0"], ["flush d1"]], "program[1].ops[0]", "a second driver is k1:"),
        ([["repeat 2", "map t0 1"]], "program[0].ops[0]", "has no 'end'"),
        ([["map t0 1", "end"]], "program[0].ops[1]", "'end' without"),
        ([["or"]], "program[0].ops[0]", "'or' without"),
        ([["repeat 2", "or", "exit t0", "end"]], "program[0].ops[1]", "needs 'choose'"),
        ([["repeat 2", "end"]], "program[0].ops[0]", "has no operation"),
        ([["choose", "bind d0 t0", "or", "reset d0", "end"]], "program[0].ops[0]", "t0 and d0"),
        ([["repeat 2"] * 9 + ["exit t0"] + ["end"] * 9], "program[0].ops[8]", "more than 8 deep"),
        (
            [["send d0 t0 pages=1 group=a", "send d0 t0 pages=1 group=a"]],
            "program[0].ops[1]",
            "already closed",
        ),
        (
            [["send d0 t0 pages=1 group=a open", "send d0 t1 pages=1 group=a"]],
            "program[0].ops[1]",
            "another tenant",
        ),
        (
            [["send d0 t0 pages=60 group=a open", "send d0 t0 pages=5 group=a"]],
            "program[0].ops[1]",
            "65 requests; at most 64",
        ),
        (
            [["report d0 rid prgi=1 group=a open", "send d0 t0 pages=1 group=a"]],
            "program[0].ops[1]",
            "opened by 'report'",
        ),
        ([["await d0 group=a"]], "program[0].ops[0]", "no line sends group 'a' of d0"),
        (
            [["expect d0 group=a code=success"]],
            "program[0].ops[0]",
            "no line sends group 'a' of d0",
        ),
        ([["t0: barrier x"]], "program[0].ops[0]", "barrier 'x' has one participant, t0"),
        ([["t0: barrier x", "t1: barrier x"]], "program[0].ops[1]", "two actors of one sequence"),
        ([["fork t0 t0"]], "program[0].ops[0]", "its own child"),
        ([["fork t0 t1", "fork t0 t1"]], "program[0].ops[1]", "already forked"),
        ([["exit t0", "map t0 1"]], "program[0].ops[1]", "`spawn t0` starts the next"),
        ([["read f3 t0 bytes=64"]], "program[0].ops[0]", "no f3: add"),
        ([["map t0 1"], ["wait-bound d0 t0"]], "program[1].ops[0]", "t0 never binds d0"),
        ([["wait-bound d0 t1"]], "program[0].ops[0]", "t1 never binds d0"),
    ],
)
def test_inconsistent_lines_are_refused(programs: list[list[str]], place: str, hint: str) -> None:
    (text,) = refused(*programs)
    assert text.startswith(f"{place}: ")
    assert hint in text


def test_limits_of_sequences_barriers_and_labels() -> None:
    devices, tenants = [f"d{i}" for i in range(66)], [f"t{i}" for i in range(64)]
    pairs = [[f"bind d{i} t{i}", f"reset d{i}"] for i in range(33)]
    with pytest.raises(ProgramError, match="more than 32 programs") as caught:
        compile_programs(pairs, devices, tenants)
    assert [problem.path for problem in caught.value.problems] == ["program[32]"]
    assert compile_programs(pairs[:32], devices, tenants).bound[31] == {31}
    many = [[f"t{i}: barrier b{n}" for n in range(65)] for i in range(2)]
    with pytest.raises(ProgramError, match="more than 64 barriers"):
        compile_programs(many, devices, tenants)
    sends = [f"send d0 t0 pages=1 group=g{n}" for n in range(63)]
    assert len(refused(sends)) == 1
    assert compiled(sends[:62]).labels[0][61] == "g61"


def test_every_mistake_is_reported_at_once() -> None:
    assert len(refused(["bnid d0 t0", "map t0 1", "map t9 1"], ["hold x"])) == 3


def test_one_actor_runs_its_lines_unchanged() -> None:
    found = compiled(
        ["map t0 2 at=3 prot=r", "rebind d1 t0 try", "write f1 t0 cookie=7 code=failure"],
        ["fault-alloc t1 f1", "attach d0 t1 rid domain=fault fault=f1", "exit t1"],
        ["send d0 t0 pages=4 at=1 rw=rw group=a open prgi=9", "await d0", "marker d0 pasid=0"],
        ["k2: report d1 pasid=5 prgi=6 type=2 rw=x group=r", "k2: let-go all"],
    )
    start = PROGRAM_BASE + 3 * 4096
    assert records(found.tenants[0]) == [
        Record(spec.DO_NEW_MM),
        Record(spec.DO_MAP, arg=map_arg(1, anonymous=True), a=start, b=start + 8192),
        Record(spec.DO_UNBIND, flags=spec.FLAG_TRY, arg=1),
        Record(spec.DO_BIND, flags=spec.FLAG_TRY, arg=1),
        Record(spec.DO_FAULT_WRITE, arg=1, a=0, b=15, c=8),
        Record(spec.DO_EXIT, flags=spec.FLAG_IMPLICIT),
    ]
    assert ops(found.tenants[1]) == [
        spec.DO_NEW_MM,
        spec.DO_FAULT_ALLOC,
        spec.DO_ATTACH,
        spec.DO_EXIT,
    ]
    assert records(found.tenants[1])[2] == Record(spec.DO_ATTACH, b=spec.DOMAIN_FAULT, c=2)
    assert records(found.devices[0]) == [
        Record(spec.DO_SEND, flags=3, arg=1, a=PROGRAM_BASE + 4096, c=4 | 10 << 32),
        Record(spec.DO_AWAIT),
        Record(spec.DO_MARKER, b=1),
    ]
    report = Record(spec.DO_REPORT, flags=20, arg=1, a=PROGRAM_BASE, b=5, c=6 | 2 << 16, d=1)
    assert records(found.drivers[2]) == [report, Record(spec.DO_LET_GO, arg=3)]
    assert found.labels == {0: ["a"], 1: ["r"]}
    assert found.bound == {0: {1}}
    assert found.lines[1, 0][2] == found.lines[1, 0][3] == (0, 1, "rebind d1 t0 try")
    assert found.lines[1, 0][0] is None


def test_a_send_without_a_label_and_the_last_request() -> None:
    (record,) = records(compiled(["send d0 pages=1 rid"]).devices[0])
    assert record.flags == spec.FLAG_READ | spec.FLAG_LAST | spec.FLAG_RID
    assert record.c == 1 | 62 << 16


def test_several_actors_take_turns() -> None:
    found = compiled(["bind d0 t0", "map t1 1", "map t1 1 at=2", "reset d0", "flush d0"])
    turn = {"arg": 0}
    k0, d0, t1 = 3 << 16, 2 << 16, 1 << 16 | 1
    assert records(found.tenants[1])[1] == Record(spec.DO_TURN, a=1, **turn)
    assert records(found.tenants[1])[4] == Record(spec.DO_PASS, a=2, b=d0, **turn)
    assert records(found.tenants[0])[3] == Record(spec.DO_PASS, a=1, b=t1, **turn)
    assert records(found.devices[0])[2] == Record(spec.DO_PASS, a=3, b=k0, **turn)
    # The tenants exit after all lines, and no record follows.
    assert records(found.tenants[0])[-3:] == [
        Record(spec.DO_TURN, a=4, **turn),
        Record(spec.DO_PASS, a=5, b=t1, **turn),
        Record(spec.DO_EXIT, flags=spec.FLAG_IMPLICIT),
    ]
    assert records(found.tenants[1])[-2:] == [
        Record(spec.DO_PASS, a=6),
        Record(spec.DO_EXIT, flags=spec.FLAG_IMPLICIT),
    ]


def test_every_turn_is_taken_once() -> None:
    found = compiled(["exit t0", "reset d0", "spawn t0", "settle", "reset d0"])
    every = [*records(found.tenants[0]), *records(found.devices[0]), *records(found.drivers[0])]
    turns = sorted(record.a for record in every if record.op == spec.DO_TURN)
    passes = sorted(record.a for record in every if record.op == spec.DO_PASS)
    assert turns == list(range(len(turns)))
    assert passes == [turn + 1 for turn in turns]


def test_blocks_name_the_records_of_their_actor() -> None:
    found = compiled(
        ["repeat 3", "choose weight=2", "map t0 1", "or", "touch t0 1", "end", "end", "zap t0 1"]
    )
    packed = records(found.tenants[0])
    assert [record.op for record in packed] == [
        spec.DO_NEW_MM,
        spec.DO_REPEAT,
        spec.DO_CHOOSE,
        spec.DO_BRANCH,
        spec.DO_BRANCH,
        spec.DO_MAP,
        spec.DO_GOTO,
        spec.DO_TOUCH,
        spec.DO_GOTO,
        spec.DO_AGAIN,
        spec.DO_ZAP,
        spec.DO_EXIT,
    ]
    assert (packed[1].a, packed[1].b) == (3, 10)
    assert packed[2].a == 2
    assert [(branch.a, branch.b) for branch in packed[3:5]] == [(2, 5), (1, 7)]
    assert packed[6].a == packed[8].a == 9
    assert packed[9].a == 1


def test_how_a_tenant_starts() -> None:
    found = compiled(["spawn t0", "fork t0 t1"])
    assert ops(found.tenants[0]) == [spec.DO_SPAWN, spec.DO_FORK, spec.DO_EXIT]
    assert ops(found.tenants[1]) == [spec.DO_WAIT_FORK, spec.DO_EXIT]


def test_an_actor_that_is_only_named_is_idle() -> None:
    found = compiled(["report d1 pasid=1 prgi=1"], ["send d0 t1 pages=1"])
    assert found.devices[1] == b""
    assert found.lines[2, 1] == []
    assert ops(found.tenants[1]) == [spec.DO_NEW_MM, spec.DO_EXIT]
    assert 0 not in found.tenants


def test_names_of_the_scenario_take_precedence() -> None:
    found = compile_programs([["bind d1 web"]], ["d1", "nic"], ["t1", "web"])
    assert found.bound == {1: {0}}


@pytest.mark.parametrize(
    "text",
    [
        "send d0 t0 pages=4 at=1 rw=rw group=a prgi=9 open try",
        "k1: report d0 prgi=3 rid",
        "t1: pause 5ms",
        "repeat forever",
        "write f2 t0 nth=1 code=failure",
        "fail table nth=3",
    ],
)
def test_canonical_lines_are_written_as_they_were_read(text: str) -> None:
    assert show_line(parse_line(text, NAMES)) == text


def test_the_help_page_shows_every_operation() -> None:
    text = page("programs")
    for verb in VERBS.values():
        assert f"\n  {verb.syntax}"[:90] in text


# --- in scenarios ---


def scenario(tmp_path: Path, text: str) -> str:
    file = tmp_path / "programs.toml"
    file.write_text(f"schema = 1\n{text}")
    return str(file)


GOOD = """
[[device]]
name = "nic"
[[program]]
name = "one"
ops = ["map t0 4", "bind nic t0", "send nic t0 pages=4 group=a", "await nic group=a"]
"""


def test_a_scenario_with_programs_is_checked_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = scenario(tmp_path, GOOD)
    assert main(["check", file]) == Status.OK
    assert "programs: 1" in capsys.readouterr().out
    assert main(["show", file]) == Status.OK
    assert 'program[0].name = "one"' in capsys.readouterr().out
    again = tmp_path / "again.toml"
    first = resolve(file)
    again.write_text(first.to_toml())
    assert resolve(str(again)).scenario == first.scenario


def test_a_scenario_with_wrong_programs_is_refused(tmp_path: Path) -> None:
    text = GOOD + '[[program]]\nops = ["bnid nic t0", "hold it"]\n'
    file = scenario(tmp_path, text)
    with pytest.raises(ScenarioError) as caught:
        resolve(file)
    assert caught.value.lines == [
        f"{file}: $.program[1].ops[0]: 'bnid' is not an operation; did you mean 'bind'?",
        f"{file}: $.program[1].ops[1]: 'it' is not one of irq, workers, copies, all",
    ]


def test_a_program_without_end_needs_a_duration(tmp_path: Path) -> None:
    text = '[[program]]\nops = ["bind d0 t0", "repeat forever", "touch t0 1", "end"]\n'
    with pytest.raises(ScenarioError, match="nothing will end this run"):
        resolve(scenario(tmp_path, text))
    assert resolve(scenario(tmp_path, text), ["system.duration_s=1"]).scenario.program


def test_a_program_replaces_a_workload(tmp_path: Path) -> None:
    text = "[[device]]\nworkload = { groups = 0 }\n[[tenant]]\nbind = []\n"
    with pytest.raises(ScenarioError) as caught:
        resolve(scenario(tmp_path, text))
    assert len(caught.value.lines) == 2
    driven = text + '[[program]]\nops = ["reset d0"]\n'
    assert resolve(scenario(tmp_path, driven)).scenario.program[0].ops == ["reset d0"]
