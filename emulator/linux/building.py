# SPDX-License-Identifier: MIT
"""A build, from a tree and patches to an entry of the cache."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iopf.emulator.linux import applying, cache, compiling, image, patches, source, versions
from iopf.emulator.linux.errors import BuildError, MachineError

IMAGE = "kernel.so"
_OURS = ("headers", "shim", "runtime")
DRIVER = compiling.HERE / "driver"
RUNNER = "runner"
_HARDWARE = "hardware"  # the driver's file that is not kernel code
_JOBS = 2
Tell = Callable[[str], None]


@dataclass
class Built:
    """`hit`: it was there before."""

    name: str
    digest: str
    record: dict[str, Any]
    build: dict[str, Any]
    hit: bool
    seconds: float


def build(
    origin: str,
    patch_arguments: Sequence[str],
    label: str | None,
    tell: Tell,
    driver: Path = DRIVER,
) -> Built:
    """Build or find it, and name it. `driver`: the folder of the driver's sources. Raises BuildError."""
    began = time.monotonic()
    if label is not None:
        cache.checked_name(label)
    series = [patch for argument in patch_arguments for patch in patches.read(argument)]
    path = Path(origin)
    if not path.exists():
        raise BuildError(
            f"{origin}: no such directory or archive; iopf kernel fetch VERSION gets one"
        )
    recipe = recipe_digest(driver)
    key = "" if path.is_dir() else _digest(source.identity(path), repr(series), recipe)
    known = cache.read(cache.root() / "sources" / key) if key else {}
    if known and cache.exists(str(known["build"])):
        digest, record, hit = str(known["build"]), known["record"], True
    else:
        try:
            digest, record, hit = _build(path, series, recipe, driver, tell)
        except OSError as error:
            where = error.filename or cache.root()
            raise MachineError(f"{where}: {error.strerror or error}") from error
        if key:
            cache.write(cache.root() / "sources" / key, {"build": digest, "record": record})
    record = {**record, "source": str(path.resolve()), "named": int(time.time())}
    name = label or cache.checked_name(_default_name(record))
    if not cache.name(name, digest, record):
        raise BuildError(f"kernel {name}: removed while it was built; build it again")
    found = cache.read(cache.root() / digest / cache.BUILD)
    return Built(name, digest, record, found, hit, time.monotonic() - began)


def _default_name(record: dict[str, Any]) -> str:
    return str(record["version"]) + ("-patched" if record["patches"] else "")


def recipe_digest(driver: Path) -> str:
    """Of everything but the tree: our sources, the flags, the compiler."""
    whole = hashlib.sha256()
    flags = (
        compiling.COMMON,
        compiling.KERNEL,
        compiling.INSTRUMENTED,
        compiling.LINK,
        compiling.RUNNER,
    )
    whole.update(repr((cache.SCHEMA, versions.FEATURES, compiling.identity(), flags)).encode())
    for path in our_files(*_OURS) + sources_in(driver):
        whole.update(f"{path.name}\0".encode() + path.read_bytes())
    return whole.hexdigest()


def our_files(*folders: str) -> list[Path]:
    """The C files and headers of this package, and the list of replaced headers."""
    return [path for folder in folders for path in sources_in(compiling.HERE / folder)]


def sources_in(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*.*") if path.suffix in (".c", ".h", ".txt"))
    return sorted(found)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _build(
    path: Path, series: list[patches.Patch], recipe: str, driver: Path, tell: Tell
) -> tuple[str, dict[str, Any], bool]:
    """The digest, what a name says of it, and whether it was there."""
    with cache.workshop() as work:
        tree = path.resolve()
        if not path.is_dir():
            tell("unpacking")
            tree = source.unpack(path, work / "unpacked", tell)
        version = versions.identify(tree, str(path))
        staging = work / "build"
        (staging / "tree").mkdir(parents=True)
        compiling.write_stubs(staging)
        record: dict[str, Any] = {"version": version, "patches": _patch(series, tree, staging)}
        sources = _copy(tree, staging)
        files = sorted(str(each.relative_to(staging / "tree")) for each in _copied(staging))
        contents = [(staging / "tree" / name).read_bytes() for name in files]
        parts = [
            f"{n} {hashlib.sha256(c).hexdigest()}" for n, c in zip(files, contents, strict=True)
        ]
        digest = _digest(recipe, *parts)[:32]
        if cache.exists(digest):
            return digest, record, True
        document = _compile(staging, sources, driver, tell)
        document |= {"version": version, "sources": sources, "files": files, "recipe": recipe}
        cache.write(staging / cache.BUILD, document)
        cache.put(staging, digest)
        return digest, record, False


def _copied(staging: Path) -> list[Path]:
    return [path for path in (staging / "tree").rglob("*") if path.is_file()]


def _patch(series: list[patches.Patch], tree: Path, staging: Path) -> list[dict[str, Any]]:
    """Apply all; what is left out is told, since it is not in the image."""
    done = []
    for patch in series:
        changed, left_out = applying.apply(patch, tree, staging / "tree")
        if not changed:
            raise BuildError(
                f"patch {patch.name}: changes nothing in {' or '.join(versions.FOLDERS)}, only {', '.join(left_out)}"
            )
        done.append({"name": patch.name, "changed": changed, "left_out": left_out})
    return done


def _copy(tree: Path, staging: Path) -> list[str]:
    """Copy the sources and what they include; returns the sources. Files that a patch has brought are there already."""
    for name in versions.files_of(tree):
        applying.fetch(name, tree, staging / "tree")
    sources = versions.files_of(staging / "tree")
    while True:
        found = [
            Path(each) for each in compiling.dependencies(sources, staging, tree) if each[0] == "/"
        ]
        new = [each for each in found if each.is_relative_to(tree)]
        for each in new:
            applying.fetch(str(each.relative_to(tree)), tree, staging / "tree")
        if not new:
            break
    _drop_unused(staging, {*compiling.dependencies(sources, staging, None), *sources})
    return sources


def _drop_unused(staging: Path, used: set[str]) -> None:
    """A patch may have changed files that nothing here includes."""
    kept = {(staging / "tree" / name).resolve() for name in used}
    probed = staging / "tree" / "include/linux/iommu.h"
    for path in _copied(staging):
        if path.resolve() not in kept and path != probed:
            path.unlink()


def _compile(staging: Path, sources: Sequence[str], driver: Path, tell: Tell) -> dict[str, Any]:
    """Objects, image, and the functions of each side."""
    began = time.monotonic()
    features = versions.features_of(staging / "tree")
    defines = [f"-D{macro}" for macro in features]
    objects = staging / "objects"
    objects.mkdir()
    jobs = [(name, True) for name in sources]
    jobs += [
        (str(path), path.stem != _HARDWARE) for path in sources_in(driver) if path.suffix == ".c"
    ]
    jobs += [(str(path), False) for path in our_files("shim") if path.suffix == ".c"]
    made = [objects / f"{number}-{Path(name).stem}.o" for number, (name, _) in enumerate(jobs)]

    def one(number: int) -> None:
        name, instrumented = jobs[number]
        compiling.compile_kernel(
            name, made[number], staging, instrumented=instrumented, defines=defines
        )

    with ThreadPoolExecutor(_JOBS) as pool:
        for count, _ in enumerate(pool.map(one, range(len(jobs))), 1):
            tell(f"compiling, {count} of {len(jobs)} files")
    of_tree, ours = made[: len(sources)], made[len(sources) :]
    found = image.functions(of_tree, ours)
    tell("linking")
    image.link(made, found["missing"], staging / IMAGE, staging)
    runtime = [str(path) for path in our_files("runtime") if path.suffix == ".c"]
    compiling.run(
        [compiling.compiler(), *compiling.RUNNER, *runtime, "-o", str(staging / RUNNER), "-ldl"],
        staging,
        None,
    )
    shutil.rmtree(objects)
    shutil.rmtree(staging / compiling.STUBS)
    return {
        "schema": cache.SCHEMA,
        "compiler": compiling.identity(),
        "features": features,
        "functions": found,
        "seconds": round(time.monotonic() - began, 3),
    }
