"""The sequential reference model: what a program must lead to in each kernel generation.

One thing happens at a time, so this is the place to read what the operations mean. Nothing here is
shared with the emulator except the language of programs and the table of fates.

* `objects`    device, fault_param, group, domain, handle, mm, fault object: plain state
* `state`      the whole machine: pools, queue, work, what is held, what has been observed
* `hardware`   the decision table of VT-d, the page request queue, the interrupt thread
* `report`     report, assemble, hand over, answer: one function per generation where they differ
* `teardown`   remove_device, discard_partial, flush, drain
* `memory`     address spaces and the worker that faults pages in
* `lifecycle`  bind, unbind, attach, replace, detach, exit, plug, remove
* `userspace`  fault objects of iommufd
* `flows`      which functions make up a generation
* `operations` what each line does, with `operands`, `tenant_operations`, `device_operations`
* `run`        interprets programs
"""

from iopf.emulator.check.model.run import Observation, run_case, run_programs

__all__ = ["Observation", "run_case", "run_programs"]
