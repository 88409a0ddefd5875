#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From a fresh clone to a running command: python3 tools/bootstrap.py VERB [ARGS...]

  demo           a first run: replays a recorded trace
  run, bench     iopf commands
  iopf ARGS...   any iopf command
  test [ARGS...] the test suite, with --all also its long part; other arguments go to pytest
  check          linters, types, stubs and import rules
  mutate         build mistakes into copies of this tree and see which check notices (about an hour)
  doctor         requirements of this machine

Builds into .venv beside this tree and changes nothing else. Needs only the standard library. The venv is created without pip and
filled from outside, because stock Debian has no ensurepip; uv is used if installed.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Python put this folder first on the path; a module here must not shadow one of the library.
    sys.path[0] = __file__.rpartition("/")[0] + "/../.src"

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, NoReturn

from iopf.tools.machine import apt_line, missing_packages, report
from iopf.tools.progress import PROGRESS
from iopf.tools.sources import fingerprints, packages_stamp, remove_orphans, stamp, touch_changed

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STATE = VENV / "bootstrap.json"
LOG = VENV / "bootstrap.log"
PYTHON_MIN = (3, 11)
LOG_TAIL = 30
_LOCATION = re.compile(r"\.(pyx|pxd|pxi):\d+:\d+: ")
MACHINE = 3  # exit status of iopf for "this machine cannot run it"
IOPF_VERBS = ("demo", "run", "bench")


def say(line: str) -> None:
    print(f"bootstrap: {line}", file=sys.stderr, flush=True)


def give_up(line: str, status: int = MACHINE) -> NoReturn:
    say(line)
    raise SystemExit(status)


def require_machine() -> None:
    if missing := missing_packages():
        give_up(apt_line(missing))


def require_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> None:
    if version < PYTHON_MIN:
        have, need = (".".join(map(str, v)) for v in (version, PYTHON_MIN))
        give_up(f"Python {have} is too old; run this with Python {need} or newer")


def require_own_venv() -> None:
    """Reject a .venv of another user, which would fail later with less clear errors."""
    if VENV.exists() and VENV.stat().st_uid != os.getuid():
        owner, user = VENV.stat().st_uid, os.getuid()
        give_up(f"{VENV} belongs to user {owner}, not to user {user}; use a clone of your own")


# The state of the last build.


def read_state() -> dict[str, Any]:
    """The state of the last build. An unreadable state causes a rebuild."""
    try:
        state = json.loads(STATE.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and PYTHON.exists() else {}


def write_state(state: dict[str, Any]) -> None:
    fresh = STATE.with_suffix(".new")
    fresh.write_text(json.dumps(state, indent=1))
    fresh.replace(STATE)


def up_to_date(state: dict[str, Any], extras: tuple[str, ...]) -> bool:
    have = state.get("extras", {})
    wanted, built = packages_stamp(ROOT), stamp(ROOT)
    if state.get("build") != built or ("test" in extras and state.get("probes") != built):
        return False
    return all(have.get(e) == wanted for e in extras)


# Building.


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Prevent concurrent bootstraps of this tree. The lock of a dead process is free."""
    with open(ROOT / ".bootstrap.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another bootstrap of this tree to finish ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def logged(log: IO[str], *command: str, progress: bool = False) -> bool:
    """Run the command with its output in the log. `progress`: a build of the tree, which prints its progress on our standard error."""
    log.write("$ " + " ".join(command) + "\n")
    log.flush()
    began = time.monotonic()
    with os.fdopen(os.dup(2), "w") as stderr:
        number = stderr.fileno()
        environment = {**os.environ, PROGRESS: str(number), "PYTHONPATH": ".src"}
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            check=False,
            env=environment if progress else None,
            pass_fds=(number,) if progress else (),
        )
    log.write(f"# {time.monotonic() - began:.1f} s\n")
    log.flush()
    return done.returncode == 0


def must(log: IO[str], what: str, *command: str, progress: bool = False) -> None:
    if logged(log, *command, progress=progress):
        return
    lines = LOG.read_text(errors="replace").splitlines()
    # Compiler errors appear long before the last lines of pip's output.
    located = [line for line in lines[:-LOG_TAIL] if ": error: " in line or _LOCATION.search(line)]
    print("\n".join([*located[:LOG_TAIL], *lines[-LOG_TAIL:]]), file=sys.stderr)
    give_up(f"{what} failed; last lines above, full log in {LOG}")


def installer(log: IO[str]) -> list[str]:
    """The install command for the venv, with the tools of this machine."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", str(PYTHON)]
    if find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON), "install"]
    must(log, "ensurepip", str(PYTHON), "-m", "ensurepip")
    return [str(PYTHON), "-m", "pip", "install"]


def same_interpreter() -> bool:
    """Whether .venv works and has this interpreter."""
    ask = [str(PYTHON), "-c", "import sys; print(sys.version)"]
    try:
        answer = subprocess.run(
            ask, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except OSError:
        return False
    return answer.stdout.strip() == sys.version.strip()


def build(log: IO[str], install: list[str], project: dict[str, Any], state: dict[str, Any]) -> None:
    """Compile in place; only changed modules are compiled."""
    say("building the extensions ...")
    wanted = packages_stamp(ROOT)
    with_dependencies = state.get("dependencies") != wanted
    if with_dependencies:
        must(log, "installing the build tools", *install, *project["build-system"]["requires"])
    remove_orphans(ROOT)
    touch_changed(ROOT, state.get("files", {}))
    compile_in_place(log, "modules")
    no_deps = [] if with_dependencies else ["--no-deps"]
    editable = ("--no-build-isolation", *no_deps, "--editable", str(ROOT))
    must(log, "the installation", *install, *editable)
    state["dependencies"] = wanted


def compile_in_place(log: IO[str], what: str) -> None:
    """Compile the `modules`, or the `probes` of the tests. pip would do it too, but hides the progress."""
    command = (str(PYTHON), "-m", "iopf.tools.build_ext", what)
    must(log, "the build", *command, progress=True)


def install_extra(
    log: IO[str], install: list[str], project: dict[str, Any], extra: str
) -> list[str]:
    """Install an extra; return the missing packages. Only peers of `bench` may be missing."""
    names: list[str] = project["project"]["optional-dependencies"][extra]
    say(f"installing the packages for {extra}: {', '.join(names)} ...")
    if extra != "bench":
        must(log, f"installing {extra}", *install, *names)
        return []
    return [name for name in names if not logged(log, *install, name)]


def ensure(extras: tuple[str, ...] = ()) -> dict[str, Any]:
    """Bring the venv up to date and return its state."""
    require_own_venv()
    state = read_state()
    if up_to_date(state, extras):
        return state
    require_machine()
    with only_one():
        state = read_state()
        if not up_to_date(state, extras):
            _bring_up_to_date(state, extras)
    return state


def _bring_up_to_date(state: dict[str, Any], extras: tuple[str, ...]) -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    fresh = not same_interpreter()
    if fresh:
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir()
        state.clear()
    with open(LOG, "w") as log:
        if fresh:
            must(log, "venv", sys.executable, "-m", "venv", "--without-pip", str(VENV))
        install = installer(log)
        # Read before the build: edits during the build count as changes after it.
        built, files, wanted = stamp(ROOT), fingerprints(ROOT), packages_stamp(ROOT)
        if state.get("build") != built:
            build(log, install, project, state)
            state.update(build=built, files=files)
            write_state(state)
        if "test" in extras and state.get("probes") != built:
            say("building the compiled helpers of the tests ...")
            compile_in_place(log, "probes")
            state["probes"] = built
            write_state(state)
        for extra in extras:
            if state.setdefault("extras", {}).get(extra) != wanted:
                state.setdefault("absent", {})[extra] = install_extra(log, install, project, extra)
                state["extras"][extra] = wanted
                write_state(state)


# Verbs.


def become(program: Path, *arguments: str) -> NoReturn:
    """Replace this process, so that exit status, signals and the terminal pass through."""
    sys.stdout.flush()
    os.execv(program, [str(program), *arguments])


def iopf(arguments: list[str]) -> NoReturn:
    extras = ("bench",) if arguments[:1] == ["bench"] else ()
    state = ensure(extras)
    for name in state.get("absent", {}).get("bench", []) if extras else []:
        say(f"{name} cannot be installed here and is skipped; see {LOG}")
    become(VENV / "bin" / "iopf", *arguments)


def in_venv(extras: tuple[str, ...], *arguments: str) -> NoReturn:
    """Run the venv's python in the root of the tree with the venv's PATH, because some tools call others."""
    ensure(extras)
    os.environ["VIRTUAL_ENV"] = str(VENV)
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.chdir(ROOT)
    become(PYTHON, *arguments)


def suite(arguments: list[str]) -> list[str]:
    """Arguments of pytest. The whole suite runs in as many processes as cores, at most four: each test starts processes itself. Its long
    part is left out without --all, unless the arguments name tests."""
    rest = [argument for argument in arguments if argument != "--all"]
    chosen = any(not argument.startswith("-") for argument in rest)
    spread = [] if chosen else ["-n", str(min(4, len(os.sched_getaffinity(0))))]
    if any(argument.startswith("-n") for argument in rest):
        spread = []
    short = [] if chosen or "--all" in arguments or "-m" in rest else ["-m", "not long"]
    return [*spread, *short, *rest]


def doctor() -> int:
    """Print the state of this machine. Status 3 if a build requirement is missing."""
    ready = up_to_date(read_state(), ())
    print("\n".join(report("up to date" if ready else "to be built")))
    return MACHINE if missing_packages() else 0


def main(arguments: list[str]) -> int:
    require_python()
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if verb in IOPF_VERBS:
        iopf([verb, *rest])
    if verb == "iopf":
        iopf(rest)
    if verb == "test":
        in_venv(("test",), "-m", "pytest", *suite(rest))
    if verb == "check":
        in_venv(("test", "dev"), str(ROOT / "tools" / "checks.py"), *rest)
    if verb == "mutate":
        in_venv(("test",), "-m", "iopf.tools.mutate.run", *rest)
    if verb == "doctor":
        return doctor()
    if verb in ("-h", "--help", "help"):
        print((__doc__ or "").strip())
        return 0
    give_up(
        f"no verb '{verb}'; expected one of demo, run, bench, iopf, test, check, mutate, doctor",
        status=2,
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
    except OSError as error:  # a read-only tree, a full disk
        say(f"cannot continue: {error}")
        sys.exit(MACHINE)
