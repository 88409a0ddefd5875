# SPDX-License-Identifier: MIT
# cython: language_level=3
"""What a run is configured with. Written once before any process starts; counts and sizes are checked on attach."""

from libc.stdint cimport uint32_t, uint64_t

cpdef enum QueueMode:
    QUEUES_GLOBAL = 0
    QUEUES_IOMMU = 1
    QUEUES_DEVICE = 2
    QUEUES_DOMAIN = 3        # a queue per IOMMU, work on a workqueue per domain

cpdef enum Option:
    OPTION_SYNC = 1          # groups are handled in the interrupt thread
    OPTION_EAGER = 2         # non-last requests are faulted in at once
    OPTION_GROUP_LISTS = 4   # partial faults hang on a list per group index
    OPTION_EARLY_PRIVATE = 8  # requests with private data are answered at once
    OPTION_HIGHPRI = 16      # handlers run with a raised priority
    OPTION_MATCH_PASID = 128  # partial faults are gathered by PASID too
    OPTION_ANSWER_LAST = 256  # only a last request is answered
    OPTION_DRAIN_ALWAYS = 512  # v6.16 and later drain whenever PRI is on, as kernels before it
    OPTION_PRIVATE_DATA = 64  # the hardware is of a revision with private data in requests
    OPTION_NO_EVENTS = 1024  # no flight recorders
    OPTION_STEPS = 2048      # recorded too: each step of a request at the hardware, and what becomes of each request
    OPTION_CONTAIN = 32      # defer frees of objects still in use, so that the run can continue

cdef struct config:
    uint32_t devices
    uint32_t handlers
    uint32_t tenants
    uint32_t prq_records
    uint32_t qi_records
    uint32_t max_pasids
    uint32_t ledger_slots        # per device, a power of two
    uint32_t max_vmas            # per mm
    uint32_t work_slots
    uint32_t event_records       # per actor
    uint32_t mms                 # pool sizes
    uint32_t faults
    uint32_t groups
    uint32_t handles
    uint32_t tables
    uint32_t generation          # enum Generation
    uint32_t profile             # 0 = vtd
    uint32_t units               # IOMMUs; device i belongs to unit i % units
    uint32_t drivers             # driver processes
    uint32_t queue_mode          # enum QueueMode
    uint32_t queues              # places for iopf queues
    uint32_t work_rings          # workqueues
    uint32_t options             # enum Option, or-ed
    uint32_t fault_objects
    uint32_t slots               # actors in all
    uint32_t programs            # records in all programs
    uint32_t major_permille      # share of major faults
    uint32_t exponential         # service times: 0 fixed, 1 exponential
    uint32_t pace                # 0: arrival times ignored; else thousandths: 1000 = as recorded
    uint32_t account             # check every request when it is retired
    uint64_t minor_ns
    uint64_t major_ns
    uint64_t seed
    uint64_t defects             # bit mask of emulator/spec/defects.pxd
    uint64_t controlled          # steps of a schedule that can be recorded; 0: not a controlled run
    uint64_t watchdog_ns

cdef write_config(config *cfg, dict values)
