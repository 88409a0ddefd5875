# SPDX-License-Identifier: MIT
"""Build requirements of the emulator, and their state on this machine. Standard library only."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path


def compiler() -> str:
    """The C compiler that setuptools uses."""
    words = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "gcc").split()
    return str(words[0])


def has_headers() -> bool:
    return Path(sysconfig.get_path("include"), "Python.h").is_file()


def has_installer() -> bool:
    """Whether this machine can fill a venv: with uv, this interpreter's pip, or ensurepip."""
    return bool(shutil.which("uv") or find_spec("pip") or find_spec("ensurepip"))


def missing_packages() -> list[str]:
    """Debian packages that the build needs and this machine lacks."""
    missing = []
    if shutil.which(compiler()) is None:
        missing.append("gcc")
    if not has_headers():
        missing.append("python3-dev")
    if not has_installer():
        missing.append("python3-pip")
    return missing


def apt_line(missing: list[str]) -> str:
    """The missing packages and the command that installs them."""
    return f"missing to build: {', '.join(missing)}; run: sudo apt install {' '.join(missing)}"


def report(venv: str) -> list[str]:
    """The lines of `doctor`."""
    include = sysconfig.get_path("include")
    rows = {
        "python": f"{sys.version.split()[0]} ({sys.executable})",
        "compiler": shutil.which(compiler()) or f"{compiler()} not found",
        "Python.h": f"in {include}" if has_headers() else f"not in {include}",
        "pip": "yes" if find_spec("pip") else "no",
        "uv": shutil.which("uv") or "no (not needed)",
        "processors": str(len(os.sched_getaffinity(0))),
        "/dev/shm": _shm_space(),
        ".venv": venv,
    }
    lines = [f"{name:<11} {value}" for name, value in rows.items()]
    missing = missing_packages()
    return [*lines, apt_line(missing)] if missing else lines


def _shm_space() -> str:
    try:
        space = os.statvfs("/dev/shm")
    except OSError as error:
        return f"not usable: {error.strerror}"
    return f"{space.f_bavail * space.f_frsize >> 20} MiB free"
