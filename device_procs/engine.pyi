from typing import Any

from emulator.spec.process import Process

def prepare(process: Process, dev: int, p: dict[str, Any]) -> None: ...
