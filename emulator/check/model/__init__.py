# SPDX-License-Identifier: MIT
"""The sequential reference model: the result of a program in each kernel generation.

One thing happens at a time, which makes it the place to read the meaning of operations. It shares only the program language and the
fate table with the emulator.

* `objects`    device, fault_param, group, domain, handle, mm, fault object: plain state
* `state`      the whole machine: pools, queue, work, held units, observations
* `hardware`   the decision table of VT-d, the page request queue, the interrupt thread
* `report`     report, assemble, hand over, answer: one function per generation that differs
* `teardown`   remove_device, discard_partial, flush, drain
* `memory`     address spaces and the worker that faults pages in
* `lifecycle`  bind, unbind, attach, replace, detach, exit, plug, remove
* `userspace`  fault objects of iommufd
* `flows`      the functions of each generation
* `operations` effect of each line, with `operands`, `tenant_operations`, `device_operations`
* `run`        interprets programs
"""

from iopf.emulator.check.model.run import Observation, run_case, run_programs

__all__ = ["Observation", "run_case", "run_programs"]
