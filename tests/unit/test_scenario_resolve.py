# SPDX-License-Identifier: MIT
"""Scenario files: precedence, sources, extends, and the rules that span fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from iopf.emulator.scenario.errors import UNSUPPORTED, USAGE, ScenarioError
from iopf.emulator.scenario.expand import devices, tenants
from iopf.emulator.scenario.resolution import resolve


@pytest.fixture
def config(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty configuration folder."""
    (tmp_path / "config" / "iopf").mkdir(parents=True)
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def write(path: Path, text: str) -> str:
    path.write_text(f"schema = 1\n{text}")
    return str(path)


def refused(name: str | None, sets: tuple[str, ...] = (), status: int = USAGE) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        resolve(name, sets, environ={})
    assert caught.value.status == status
    assert all(line.isprintable() for line in caught.value.lines)
    return caught.value.lines


def test_precedence_from_flag_down_to_default(tmp_path: Path, config: dict[str, str]) -> None:
    user = tmp_path / "config" / "iopf" / "config.toml"
    write(user, "[kernel]\nhandlers = 3\ngroups = 30\nfaults = 300\n[system]\nseed = 3\n")
    base = tmp_path / "base.toml"
    write(base, "[kernel]\nhandlers = 4\ngroups = 40\nfaults = 400\n[iommu]\nmax_pasids = 64\n")
    file = write(
        tmp_path / "a.toml", 'extends = "base.toml"\n[kernel]\nhandlers = 5\ngroups = 50\n'
    )
    sets = ["kernel.handlers=6", "iommu.command_records=64"]
    resolved = resolve(file, sets, {"kernel.handlers": (7, "--handlers")}, config)
    expected = {
        "kernel.handlers": (7, "--handlers"),
        "kernel.groups": (50, file),
        "kernel.faults": (400, str(base)),
        "iommu.max_pasids": (64, str(base)),
        "iommu.command_records": (64, "--set iommu.command_records=64"),
        "system.seed": (3, str(user)),
        "iommu.prq_records": (2048, "default"),
    }
    for path, (value, source) in expected.items():
        assert (resolved.values[path], resolved.sources[path]) == (value, source), path


def test_set_reaches_one_entry_or_all() -> None:
    one = resolve("quickstart", ["device[1].credits=64"], environ={}).scenario
    assert [device.credits for device in one.device] == [32, 64, 32, 32]
    every = resolve("quickstart", ["device.credits=64"], environ={}).scenario
    assert {device.credits for device in every.device} == {64}
    nested = resolve(None, ["device.workload.pattern=zipf", "tenant[0].bind=['dev-00']"])
    assert nested.scenario.device[0].workload.pattern == "zipf"
    assert nested.scenario.tenant[0].bind == ["dev-00"]


def test_words_that_look_like_toml_stay_words() -> None:
    assert resolve(None, ["system.name=2026"], environ={}).scenario.system.name == "2026"
    assert resolve(None, ["trace.speed=max"], environ={}).scenario.trace.speed == "max"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("nothing", "path=value"),
        ("system.sed=1", "did you mean 'seed'"),
        ("sistem.seed=1", "did you mean 'system'"),
        ("device[4].credits=1", "no such entry"),
        ("system[0].seed=1", "single table"),
        ("device.workload=1", "is a table"),
        ("system.seed.x=1", "is a value"),
        ("system.seed=", "expected int"),
        ("system.seed=-1", ">= 0"),
        ("system.seed=1\nname='x'", "expected int"),
        ("system.duration_s=nan", "finite"),
        ("iommu.prq_records=1000", "512 or 1024"),
        ("=1", "not a path"),
        ("device[9999999].credits=1", "not a path"),
    ],
)
def test_a_bad_set_is_one_line(text: str, hint: str) -> None:
    (line,) = refused(None, (text,))
    assert hint in line


def test_every_section_is_reported_at_once(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.toml",
        "[system]\nseed = 'x'\nnois = true\n[iommu]\nprofile = 'vtdd'\n[kernel]\nhandlers = 99\n"
        "[[device]]\n[[device]]\ndepth = 1\nworkload = { zipf = 1 }\n[[tenant]]\nbind = 3\n"
        "[trace]\nfiles = ['nope']\n[extra]\n",
    )
    lines = refused(file)
    paths = [line.removeprefix(f"{file}: ").split(":")[0] for line in lines]
    assert sorted(paths) == [
        "$.device[1].depth",
        "$.device[1].workload.zipf",
        "$.extra",
        "$.iommu.profile",
        "$.kernel.handlers",
        "$.system.nois",
        "$.system.seed",
        "$.tenant[0].bind",
        "$.trace.files[0]",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x = [", "line 1"),
        ("[system]\nseed = 1\n", "first key"),
        ("schema = 'a'\n", "expected 1"),
        ("schema = 1\ndevice = 3\n", "double brackets"),
        ("schema = 1\ndevice = []\n", "1 to 256"),
        ("schema = 1\nsystem = 3\n", "expected a table"),
        ("schema = 1\nextends = 3\n", "file name"),
        ("schema = 1\nextends = 'gone.toml'\n", "cannot read"),
        ("schema = 1\nextends = 'a.toml'\n", "extends itself"),
        ("schema = 1\nx = " + "9" * 5000, "not valid TOML"),
        ("schema = 1\nx = " + "[" * 5000, "a.toml"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, text: str, hint: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)
    (line,) = refused(str(file))
    assert hint in line


def test_strange_files_and_names_are_one_line(tmp_path: Path) -> None:
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"schema = 1\n\xff\xfe")
    large = tmp_path / "c.toml"
    large.write_bytes(b"#" * (2 << 20))
    for name in (str(binary), str(large), str(tmp_path), "a\0b", "a\nb", "", "x/" * 3000):
        assert len(refused(name)) == 1


def test_a_newer_schema_is_unsupported(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("schema = 2\n")
    refused(str(file), status=UNSUPPORTED)


def test_an_error_takes_precedence_over_a_missing_feature() -> None:
    assert len(refused(None, ("iommu.profile=amd",), UNSUPPORTED)) == 1
    assert len(refused(None, ("iommu.profile=amd", "device.group_pages=64"))) == 2


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ("[[device]]\ncredits = 2", "device[0].group_pages", "never fits"),
        ("[[device]]\ntenant = 'tenant-1'", "device[0].tenant", "did you mean 'tenant-00'"),
        ("[[tenant]]\nbind = ['dev-1']", "tenant[0].bind[0]", "did you mean 'dev-0"),
        ("[[tenant]]\nbind = []", "device[0]", "no tenant binds it"),
        ("[[device]]\ncount = 2\n[[program]]\nops = ['bind d0 t0']", "device[0]", "add a tenant"),
        ("[[device]]\nname = 'a'\n[[device]]\nname = 'a'", "device", "2 times"),
        ("[[device]]\ncount = 200\n[[device]]\ncount = 57", "device", "the limit is 256"),
        ("[[tenant]]\ncount = 256\n[[tenant]]", "tenant", "the limit is 256"),
        ("[iommu]\nmax_pasids = 16\n[[tenant]]\ncount = 16", "iommu.max_pasids", "PASIDs"),
        ("[[tenant]]\nvmas = 10\npages = 9", "tenant[0].pages", "cannot fill"),
        ("[[device]]\nworkload.pages = 70000", "device[0].workload.pages", "maps 65536"),
        ("[[device]]\nworkload.pages = 3", "device[0].workload.pages", "smaller than a group"),
        ("[[device]]\nworkload.groups = 0", "device[0].workload.groups", "nothing will end"),
        ("[[device]]\nworkload.pattern = 'replay'", "device[0].workload.pattern", "trace.files"),
        ("[trace]\nfiles = ['sqlite-index']", "trace.files", "no device replays it"),
        ("[[device]]\nworkload.exec_ratio = 0.8", "device[0].workload.exec_ratio", "at most 1"),
    ],
)
def test_rules_that_span_fields(tmp_path: Path, text: str, path: str, hint: str) -> None:
    lines = refused(write(tmp_path / "a.toml", text))
    assert any(f"$.{path}: " in line and hint in line for line in lines), lines


def test_trace_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "my.ftrace").write_text("")
    text = "[trace]\nfiles = ['my.ftrace', '-', 'sqlite-index']\n"
    text += "[[device]]\nworkload = { pattern = 'replay', groups = 0 }\n"
    scenario = resolve(write(tmp_path / "a.toml", text), environ={}).scenario
    assert scenario.trace.files == [str(tmp_path / "my.ftrace"), "-", "sqlite-index"]


def test_counts_unroll_into_names(tmp_path: Path) -> None:
    text = "[[device]]\ncount = 2\n[[device]]\nname = 'nic'\ncount = 2\n[[device]]\nname = 'gpu'\n"
    scenario = resolve(write(tmp_path / "a.toml", text), environ={}).scenario
    names = [device.name for device in devices(scenario)]
    assert names == ["dev-00", "dev-01", "nic-0", "nic-1", "gpu"]
    assert [tenant.name for tenant in tenants(scenario)] == ["tenant-00"]


def test_the_seed_is_always_known() -> None:
    drawn = resolve(None, environ={})
    assert drawn.sources["system.seed"] == "clock"
    assert 0 <= drawn.seed < 2**32
    assert f"seed = {drawn.seed}" in drawn.to_toml()
    assert resolve(None, ["system.seed=7"], environ={}).seed == 7


def test_notes_concern_choices_not_defaults() -> None:
    assert resolve(None, environ={}).notes == []
    (note,) = resolve(None, ["device.groups_in_flight=16"], environ={}).notes
    assert "has no effect" in note
    assert any("overflow" in note for note in resolve("overflow", environ={}).notes)
