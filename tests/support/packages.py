# SPDX-License-Identifier: MIT
"""Wheels and source distributions of this tree, and environments that have them installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EPOCH = "1700000000"
_BUILD_S = 900


def build(kind: str, to: Path, source: Path = ROOT) -> Path:
    """Build the `wheel` or `sdist` of a tree with the tree's own build command, as pip does. What it makes on the way stays below `to`, so
    that two tests may build at once."""
    to.mkdir(parents=True, exist_ok=True)
    config = to / "extra.cfg"
    config.write_text(f"[build]\nbuild_base = {to / 'build'}\n[egg_info]\negg_base = {to}\n")
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(to)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=source,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_S,
        env={**os.environ, "DIST_EXTRA_CONFIG": str(config), "SOURCE_DATE_EPOCH": EPOCH},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (made,) = to.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


class Environment:
    """A fresh virtual environment with a wheel of iopf. Everything else comes from the environment of this process, by a .pth file: the
    machine may have no network. Files of that environment that extend the path, as those of an editable iopf, have no effect there."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        subprocess.run(
            [*_installer(self.python), "--no-deps", "--no-index", "--quiet", str(wheel)],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "rest.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        self.pytest = self._script("pytest", "from pytest import console_main as main")

    def _script(self, name: str, take: str) -> Path:
        """The script that an installer makes of an entry point. Unlike `python -m`, it does not put the current directory on the path."""
        path = self.python.with_name(name)
        path.write_text(f"#!{self.python}\nimport sys\n{take}\nsys.exit(main())\n")
        path.chmod(0o755)
        return path

    def run(self, *command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")
        return subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={name: value for name, value in os.environ.items() if name not in hidden},
        )


def _installer(python: Path) -> list[str]:
    """As tools/bootstrap.py: uv, the pip of the base interpreter, or ensurepip."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", str(python)]
    base = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    pip = [str(base), "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode == 0:
        return [*pip, "--python", str(python), "install"]
    subprocess.run([str(python), "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
    return [str(python), "-m", "pip", "install"]
