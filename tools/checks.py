# SPDX-License-Identifier: MIT
"""All static checks, one line per tool. Run by `python3 tools/bootstrap.py check`, in the venv.

Standard library only: the tools are called as programs, as a developer would call them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("cython_ext", "device_procs", "emulator", "shm", "tools")
PROBES = "tests/probes"
TAIL = 40

# Cython adds these to every class; stubs omit them.
STUB_EXCEPTIONS = (
    r".*\.__reduce_cython__",
    r".*\.__setstate_cython__",
    r".*\.__pyx_.*",
    r".*\.__test__",
    r".*\.__reduce__",
)


def compiled_modules_with_stub() -> list[str]:
    """Modules with a .pyx, a .pyi and a compiled file."""
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    names = []
    for package in PACKAGES:
        for stub in sorted((ROOT / package).rglob("*.pyi")):
            if stub.with_suffix(".pyx").exists() and stub.with_suffix(suffix).exists():
                names.append(".".join(["iopf", *stub.relative_to(ROOT).with_suffix("").parts]))
    return names


def cython_sources() -> list[str]:
    found = [
        path
        for p in (*PACKAGES, PROBES)
        for s in ("pyx", "pxd")
        for path in (ROOT / p).rglob(f"*.{s}")
    ]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def commands(allowlist: str) -> dict[str, list[str]]:
    """Tool -> command. An empty command means nothing to check."""
    python = sys.executable
    modules, cython = compiled_modules_with_stub(), cython_sources()
    stubtest = [python, "-m", "mypy.stubtest", "--mypy-config-file", "pyproject.toml"]
    stubtest += ["--allowlist", allowlist, "--ignore-unused-allowlist", *modules]
    return {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": [python, "-m", "mypy"],
        "stubtest": stubtest if modules else [],
        "cython-lint": ["cython-lint", *cython] if cython else [],
        "lint-imports": ["lint-imports"],
        "layers": [python, "tools/layers.py"],
        "points": [python, "-m", "iopf.tools.points.lint"],
    }


def check(name: str, command: list[str]) -> bool:
    if not command:
        print(f"{name:<13} nothing to check", flush=True)
        return True
    began = time.monotonic()
    # All tools look modules up in the tree.
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / '.src'}{os.pathsep}{ROOT}"}
    try:
        status, output = _run(name, command, environment)
    except FileNotFoundError:
        print(f"{name:<13} FAILED: {command[0]} is not installed; run tools/bootstrap.py check")
        return False
    took_s = time.monotonic() - began
    print(f"{name:<13} {'FAILED' if status else 'ok'} ({took_s:.1f} s)", flush=True)
    if status:
        for line in output.splitlines()[-TAIL:]:
            print(f"    {line}", flush=True)
    return status == 0


def _run(name: str, command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Exit status and output of a tool, with the seconds so far on a terminal. Raises FileNotFoundError."""
    began, drawn = time.monotonic(), False
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        while True:
            try:
                output, _ = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                if sys.stderr.isatty():
                    line = f"\r\033[K{name:<13} ... {time.monotonic() - began:.0f} s"
                    print(line, end="", file=sys.stderr, flush=True)
                    drawn = True
            except BaseException:
                process.kill()
                raise
    if drawn:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return process.returncode, output


def main() -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as allowlist:
        allowlist.write("\n".join(STUB_EXCEPTIONS) + "\n")
        allowlist.flush()
        results = [check(name, command) for name, command in commands(allowlist.name).items()]
    failed = results.count(False)
    print(f"{failed} of {len(results)} checks FAILED" if failed else "all checks ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
