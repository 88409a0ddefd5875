# SPDX-License-Identifier: MIT
"""`iopf kernel`: building from a tree, over a tree of our own, and over real ones that IOPF_LINUX_TREES names."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from iopf.emulator.linux import cache
from iopf.tools.cli.main import main
from iopf.tools.status import Status

MINI = Path(__file__).parents[1] / "support" / "minitree"
SOURCE = "drivers/iommu/io-pgfault.c"
TREES = os.environ.get("IOPF_LINUX_TREES", "")
REAL = sorted(path for path in Path(TREES).iterdir() if (path / SOURCE).is_file()) if TREES else []
needs_trees = pytest.mark.skipif(
    not REAL, reason="IOPF_LINUX_TREES names no directory with unpacked Linux sources"
)

RENAME = f"""\
From 0123456789 Mon Sep 17 00:00:00 2001
From: A Reviewer <a@example.org>
Subject: [PATCH 1/2] mini: count under another name

Why it is done.
---
 {SOURCE} | 2 +-
--- a/{SOURCE}
+++ b/{SOURCE}
@@ -18,5 +18,5 @@ static void fault_handle(struct work_struct *work)
 \tmutex_lock(&queue->lock);
 \tlist_del_init(&fault->list);
-\tqueue->handled++;
+\tqueue->handled += 1;
 \tmutex_unlock(&queue->lock);
 \tfault_put(fault);
--
2.39
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MINI, tmp_path / "mini-6.90"))


def build(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main(["kernel", "build", "--json", *args]) == Status.OK
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def refused(capsys: pytest.CaptureFixture[str], *args: str, status: Status = Status.USAGE) -> str:
    """The one line of an error."""
    assert main(["kernel", *args]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("iopf: ")
    return line


def left() -> list[str]:
    """What is in the cache besides names and sources."""
    return sorted(
        path.name
        for path in cache.root().iterdir()
        if path.name not in ("names", "sources", ".lock")
    )


def test_a_tree_is_built_once_and_named_after_its_version(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = build(capsys, "--linux", str(tree))
    assert (first["name"], first["version"], first["cached"]) == ("6.90.3", "6.90.3", False)
    began = time.monotonic()
    second = build(capsys, "--linux", str(tree), "--name", "again")
    assert second["cached"]
    assert second["hash"] == first["hash"]
    assert time.monotonic() - began < 1
    assert left() == [first["hash"]]
    assert main(["kernel", "list"]) == Status.OK
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in out] == [["6.90.3", "6.90.3"], ["again", "6.90.3"]]


def test_another_source_is_another_build(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = build(capsys, "--linux", str(tree))
    with (tree / "drivers/iommu/mini.h").open("a") as file:
        file.write("#define SEEN 1\n")
    assert build(capsys, "--linux", str(tree))["hash"] != first["hash"]
    (tree / "include/linux/unused.h").write_text("what no source includes\n")
    assert build(capsys, "--linux", str(tree))["cached"]


def test_show_tells_whose_functions_they_are(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = (tree / SOURCE).read_text()
    call = "int never_written(int);\nint calls_it(void);\nint calls_it(void) { return never_written(1); }\n"
    (tree / SOURCE).write_text(source + call)
    build(capsys, "--linux", str(tree), "--name", "mini")
    assert main(["kernel", "show", "mini", "--json"]) == Status.OK
    found = json.loads(capsys.readouterr().out)
    assert found["functions"]["missing"] == ["never_written"]
    assert {"fault_report", "fault_queue_alloc", "calls_it"} <= set(found["functions"]["tree"])
    assert {"queue_work", "flush_workqueue"} <= set(found["functions"]["ours"])
    assert {"include/linux/list.h", "drivers/iommu/mini.h"} <= set(found["files"])
    assert main(["kernel", "show", "mini"]) == Status.OK
    out = capsys.readouterr().out
    assert "missing: a call ends the run (1)\n  never_written\n" in out
    assert max(map(len, out.splitlines())) <= 100 + len(str(tree))
    copied = cache.look_up("mini")[2] / "tree"
    assert sorted(found["files"]) == sorted(
        str(path.relative_to(copied)) for path in copied.rglob("*") if path.is_file()
    )


def test_the_image_lies_at_the_constant_address(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(capsys, "--linux", str(tree), "--name", "mini")
    image = cache.look_up("mini")[2] / "kernel.so"
    listed = subprocess.run(
        ["nm", str(image)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    addresses = {words[2]: words[0] for line in listed if len(words := line.split()) == 3}
    assert addresses["fault_report"].startswith("00002000000")


@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz"])
def test_a_tarball_is_the_same_tree(
    packing: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    direct = build(capsys, "--linux", str(tree))
    archive = tmp_path / f"mini.tar.{packing}"
    with tarfile.open(archive, mode=f"w:{packing}") as opened:  # type: ignore[call-overload]
        opened.add(tree, "mini-6.90")
    assert build(capsys, "--linux", str(archive))["hash"] == direct["hash"]
    found = build(capsys, "--linux", str(archive), "--name", "t")
    assert found["cached"]
    assert found["hash"] == direct["hash"]


def test_a_truncated_tarball_is_refused(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "mini.tar.xz"
    with tarfile.open(archive, "w:xz") as opened:
        opened.add(tree, "mini-6.90")
    archive.write_bytes(archive.read_bytes()[:2000])
    assert "not a readable tarball" in refused(capsys, "build", "--linux", str(archive))
    assert left() == []


def test_a_package_holds_a_tarball(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner, data = tmp_path / "linux-source-6.90.tar.xz", tmp_path / "data.tar.xz"
    with tarfile.open(inner, "w:xz") as opened:
        opened.add(tree, "linux-source-6.90")
    with tarfile.open(data, "w:xz") as opened:
        opened.add(inner, f"./usr/src/{inner.name}")
    content = data.read_bytes()

    def member(name: str, body: bytes) -> bytes:
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode()
        return head + body + b"\n" * (len(body) % 2)

    package = tmp_path / "linux-source-6.90.deb"
    package.write_bytes(
        b"!<arch>\n" + member("debian-binary", b"2.0\n") + member("data.tar.xz", content)
    )
    assert build(capsys, "--linux", str(package))["version"] == "6.90.3"


def test_a_patch_from_a_pipe_is_another_build(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    plain = build(capsys, "--linux", str(tree))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RENAME.encode())))
    patched = build(capsys, "--linux", str(tree), "--patch", "-")
    assert patched["name"] == "6.90.3-patched"
    assert patched["hash"] != plain["hash"]
    assert patched["patches"][0]["changed"] == [SOURCE]
    assert "handled += 1" in (cache.look_up("6.90.3-patched")[2] / "tree" / SOURCE).read_text()
    assert "handled += 1" not in (tree / SOURCE).read_text()


def test_a_hunk_that_does_not_apply_is_named(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patch = tmp_path / "broken.patch"
    patch.write_text(
        RENAME.replace(" \tmutex_unlock(&queue->lock);", " \tmutex_unlock(&other->lock);")
    )
    line = refused(capsys, "build", "--linux", str(tree), "--patch", str(patch))
    assert f"hunk 1 of 1 of {SOURCE} (line 18 in static void fault_handle" in line
    assert "line 21 is 'mutex_unlock(&queue->lock);', not 'mutex_unlock(&other->lock);'" in line
    assert left() == []


def test_a_source_that_does_not_compile_is_named_with_its_line(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / SOURCE).write_text("int f(void)\n{\n\treturn undeclared;\n}\n")
    line = refused(capsys, "build", "--linux", str(tree))
    assert f"{SOURCE}:3: 'undeclared' undeclared" in line
    assert "known to work: 6.1" in line
    (tree / SOURCE).write_text("#include <linux/not-there.h>\n")
    assert f"{SOURCE}:1: linux/not-there.h: No such file" in refused(
        capsys, "build", "--linux", str(tree)
    )


def test_what_is_no_tree_is_refused(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no Makefile at its top" in refused(capsys, "build", "--linux", str(tmp_path))
    assert "no such directory" in refused(capsys, "build", "--linux", str(tmp_path / "none"))
    (tree / SOURCE).unlink()
    line = refused(capsys, "build", "--linux", str(tree))
    assert f"Linux 6.90.3 without {SOURCE}; known to work: 6.1" in line
    (tree / "Makefile").write_text("all:\n")
    assert "states no VERSION" in refused(capsys, "build", "--linux", str(tree))
    assert "is not a name" in refused(capsys, "build", "--linux", str(tree), "--name", "../x")


def test_no_compiler_is_the_machine_s(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from iopf.emulator.linux import compiling

    compiling.identity.cache_clear()
    monkeypatch.setenv("CC", "no-such-compiler")
    line = refused(capsys, "build", "--linux", str(tree), status=Status.MACHINE)
    compiling.identity.cache_clear()
    assert "no compiler 'no-such-compiler'" in line


def test_a_removed_name_is_gone_with_its_build(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(capsys, "--linux", str(tree), "--name", "a")
    build(capsys, "--linux", str(tree), "--name", "b")
    assert main(["kernel", "remove", "a"]) == Status.OK
    assert "its build has another name" in capsys.readouterr().out
    assert main(["kernel", "show", "b"]) == Status.OK
    capsys.readouterr()
    assert main(["kernel", "remove", "b"]) == Status.OK
    capsys.readouterr()
    assert left() == []
    assert "no kernel 'b'; iopf kernel list" in refused(capsys, "show", "b")
    assert "no kernel 'b'" in refused(capsys, "remove", "b")


def _started(tree: Path, name: str, environ: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "iopf.tools.cli.main", "kernel", "build", "--json"]
    return subprocess.Popen(
        [*command, "--linux", str(tree), "--name", name],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, **environ},
    )  # fmt: skip


def test_two_builds_at_once_are_one(tree: Path) -> None:
    both = [_started(tree, name, {}) for name in ("one", "two")]
    found = [json.loads(each.communicate(timeout=60)[0]) for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert found[0]["hash"] == found[1]["hash"]
    assert left() == [found[0]["hash"]]
    assert set(cache.names()) == {"one", "two"}


def test_a_killed_build_leaves_nothing_that_counts(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed while the compiler waits at a handshake; the next build removes what it left."""
    reached, gcc = tmp_path / "reached", shutil.which("gcc")
    wrapper = tmp_path / "waiting-gcc"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$1" in -c) : > {reached}; read line < {tmp_path}/never;; esac\nexec {gcc} "$@"\n'
    )
    wrapper.chmod(0o755)
    os.mkfifo(tmp_path / "never")
    process = _started(tree, "killed", {"CC": str(wrapper)})
    bound = time.monotonic() + 60
    while not reached.exists() and time.monotonic() < bound:
        time.sleep(0.01)
    assert reached.exists()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [name for name in left() if name.startswith(".building-")]
    assert cache.names() == {}
    found = build(capsys, "--linux", str(tree))
    assert left() == [found["hash"]]


def test_fetch_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    assert "is not a version" in refused(capsys, "fetch", "newest")
    main(["kernel", "fetch", "-o", str(tmp_path), "6.12"])
    assert "no apt-get on this machine" in capsys.readouterr().err
    apt = tools / "apt-get"
    apt.write_text("#!/bin/sh\necho 'E: Unable to locate package' $2 >&2\nexit 100\n")
    apt.chmod(0o755)
    assert main(["kernel", "fetch", "-o", str(tmp_path), "v6.12.3"]) == Status.MACHINE
    assert "linux-source-6.12: not in this machine's apt sources" in capsys.readouterr().err
    apt.write_text("#!/bin/sh\n: > $2_6.12.3-1_all.deb\n")
    assert main(["kernel", "fetch", "-o", str(tmp_path), "6.12"]) == Status.OK
    assert capsys.readouterr().out == f"{tmp_path}/linux-source-6.12_6.12.3-1_all.deb\n"


def test_a_tree_that_the_driver_does_not_know_is_built_and_not_run(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(capsys, "--linux", str(tree), "--name", "mini")
    line = refused(capsys, "test", "mini", status=Status.UNSUPPORTED)
    assert "Linux 6.90.3 is built, not run" in line
    assert "no program 'exot'; did you mean 'exit'?" in refused(
        capsys, "test", "mini", "--program", "exot"
    )
    (cache.look_up("mini")[2] / "runner").unlink()
    record, document, folder = cache.look_up("mini")
    cache.write(folder / cache.BUILD, {**document, "features": ["TREE_ATTACH_HANDLE"]})
    assert record["version"] == "6.90.3"
    assert "built by another version of iopf" in refused(capsys, "test", "mini")
    (folder / "runner").write_text("#!/bin/sh\nkill -9 $$\n")
    (folder / "runner").chmod(0o755)
    assert "the runner died" in refused(capsys, "test", "mini", status=Status.DIED)


FINDING = """\
#!/bin/sh
[ $2 = exit ] && echo '{"finding": "KIND", "seed": 41, "step": 9, "text": "what it is", "places": \
[{"what": "by", "actor": "irq", "frames": []}]}'
echo '{"schedules": 7, "points": 70, "accesses": 60, "warnings": 0, "cpu_s": 0.5}'
"""


def test_a_finding_is_the_status_and_says_how_to_repeat_it(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a runner that prints what the real one does."""
    build(capsys, "--linux", str(tree), "--name", "mini")
    _record, document, folder = cache.look_up("mini")
    cache.write(folder / cache.BUILD, {**document, "features": ["TREE_ATTACH_HANDLE"]})
    (folder / "runner").write_text(FINDING.replace("KIND", "leak").replace("\\\n", ""))
    assert main(["kernel", "test", "mini", "--fail-in", "3"]) == Status.FAILED
    assert capsys.readouterr().out.splitlines() == [
        "leak: what it is",
        "  by irq",
        "  repeat: iopf kernel test mini --program exit --seed 41 --schedules 1 --fail-in 3",
        "",
        "kernel mini: Linux 6.90.3, 49 schedules of 7 programs, 14 per CPU second: leak in exit",
    ]
    assert main(["kernel", "test", "mini", "--program", "torn", "-q"]) == Status.OK
    assert capsys.readouterr().out.endswith(": no finding\n")
    (folder / "runner").write_text(FINDING.replace("KIND", "missing function").replace("\\\n", ""))
    assert main(["kernel", "test", "mini", "--json"]) == Status.UNSUPPORTED
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == Status.UNSUPPORTED
    assert [each["program"] for each in found["programs"] if each["finding"]] == ["exit"]


@needs_trees
@pytest.mark.parametrize("path", REAL, ids=lambda path: str(path.name))
def test_a_real_tree_builds(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = build(capsys, "--linux", str(path), "--name", "real")
    assert main(["kernel", "show", "real", "--json"]) == Status.OK
    functions = json.loads(capsys.readouterr().out)["functions"]
    assert {"iommu_report_device_fault", "iopf_queue_remove_device"} <= set(functions["tree"])
    assert {"queue_work", "flush_workqueue", "handle_mm_fault"} <= set(functions["ours"])
    assert len(found["missing"]) < 40
    assert build(capsys, "--linux", str(path), "--name", "real")["cached"]
