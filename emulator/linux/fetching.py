# SPDX-License-Identifier: MIT
"""A source tree from the user's package manager: nothing is installed, and no privileges are needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from iopf.emulator.linux.errors import BuildError, MachineError

_VERSION = re.compile(r"v?(\d+\.\d+)(\.\d+)?")
# Programs -> what their users type for a tree.
_OTHERS = {
    "dnf": "dnf download --source kernel, then rpm2cpio FILE | cpio -id linux-*.tar.xz",
    "zypper": "zypper install kernel-source (as root), which unpacks it to /usr/src",
    "pacman": "pkgctl repo clone --protocol=https linux, then makepkg --nobuild in it",
    "apk": "abuild fetch in aports/main/linux-lts",
}


def package_of(version: str) -> str:
    """Debian's package of a version."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise BuildError(f"'{version}' is not a version; expected one like 6.12")
    return f"linux-source-{found[1]}"


def fetch(version: str, into: Path) -> Path:
    """Download the package with apt-get and return its path. Raises MachineError with what to do otherwise."""
    package = package_of(version)
    if shutil.which("apt-get") is None:
        hint = next((how for name, how in _OTHERS.items() if shutil.which(name)), "")
        how = hint or f"unpack linux-{version}.tar.xz from your distribution"
        raise MachineError(
            f"no apt-get on this machine; {how}, and give the result to iopf kernel build --linux"
        )
    ended = subprocess.run(
        ["apt-get", "download", package],
        cwd=into,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    found = sorted(into.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime_ns)
    if ended.returncode == 0 and found:
        return found[-1]
    lines = [line[3:] for line in ended.stderr.splitlines() if line.startswith("E: ")]
    if (
        any("Unable to locate" in line or "no installation candidate" in line for line in lines)
        or not lines
    ):
        raise MachineError(
            f"{package}: not in this machine's apt sources; add the suite that has it (6.1: bookworm, 6.12: trixie or "
            "bookworm-backports, newer: sid), run apt-get update, and try again"
        )
    raise MachineError(f"apt-get download {package}: {lines[0]}")
