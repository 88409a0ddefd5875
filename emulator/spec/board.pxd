# cython: language_level=3, cdivision=True
"""The board: everything that two processes share, by who writes it.

Hardware, kernel and devices meet here and nowhere else. Offsets are from the start of the arena; ``view`` holds the pointers of one
process. Counts and sizes come from ``config``, which is written once before any process starts and checked on attach; words that
processes write at run time are checked where they are used.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cython_ext.access cimport *
from cython_ext.atomics cimport ld64_acq, xadd64_rlx
from cython_ext.crew cimport *
from cython_ext.event_ring cimport event_ring, event_write
from cython_ext.histogram cimport histogram
from cython_ext.link cimport LINK_HEADER_BYTES
from cython_ext.mutex cimport rmutex
from cython_ext.pool cimport listhead, pool, pool_try
from cython_ext.record_ring cimport ring_regs
from cython_ext.wait cimport eventcount
from cython_ext.work_ring cimport workring
from emulator.spec.devices cimport *
from emulator.spec.objects cimport *
from emulator.spec.program cimport LABELS

cdef enum:
    MAX_DEVICES = 256
    MAX_TENANTS = 64
    MAX_HANDLERS = 32
    MAX_UNITS = 8            # IOMMUs
    MAX_DRIVERS = 8
    GROUP_MAX = 64
    DOWN_SLOTS = 1024        # responses and invalidations to one device: 512 groups and as many invalidations
    UP_SLOTS = 1024          # requests of one device on their way
    OFFSETS = 32
    BOARD_AT = 4096          # the first page belongs to the header of the arena

cpdef enum Role:
    ROLE_SUPERVISOR = 0
    ROLE_IOMMU = 1
    ROLE_IRQ = 2
    ROLE_HANDLER = 3
    ROLE_TASK = 4
    ROLE_DRIVER = 5
    ROLE_TENANT = 6
    ROLE_DEVICE = 7

cpdef enum Generation:      # spec/kernel.md 1.0, one column each; merged ones in order of time
    GEN_V5_13 = 1
    GEN_V6_2 = 2
    GEN_V6_9 = 3
    GEN_V6_11 = 4
    GEN_V6_14 = 5
    GEN_V7_2 = 6
    GEN_GUNTHORPE = 16       # proposed 2023-11-15, never merged

cpdef enum Phase:
    PHASE_STARTING = 0
    PHASE_PROBING = 1        # kernel and hardware run, driver 0 probes the devices
    PHASE_RUNNING = 2        # devices and tenants run
    PHASE_STOPPING = 3       # devices finish what is open and stop
    PHASE_RELEASING = 4      # tenants unbind and exit, driver 0 removes the devices
    PHASE_ENDING = 5         # kernel and hardware processes leave

cpdef enum Order:
    ORDER_NONE = 0
    ORDER_PROBE = 1
    ORDER_REMOVE = 2

cpdef enum:  # pool classes
    POOL_FAULT = 0
    POOL_GROUP = 1
    POOL_PARAM = 2
    POOL_HANDLE = 3
    POOL_DOMAIN = 4
    POOL_MM = 5
    POOL_TABLE = 6
    POOL_UFAULT = 7          # fault objects of iommufd
    POOL_IOASID = 8
    POOL_ALLOCATOR = 9       # registered IOASID allocators
    POOL_CLASSES = 10

cpdef enum LockClass:
    LOCK_SVA = 1             # iommu_sva_lock: bind and unbind; nests everything below
    LOCK_GROUP = 2           # iommu group mutex: the PASID array of one device
    LOCK_QUEUE = 3           # iopf_queue.lock: the devices of a queue
    LOCK_DEV_PARAM = 4       # dev->iommu->lock: the published fault_param
    LOCK_FAULT_PARAM = 5     # fault_param.lock: partial and pending lists
    LOCK_MMAP = 6            # mmap_lock: the VMAs of one mm
    LOCK_PASID = 7           # the global PASID bitmap
    LOCK_QI = 8              # the invalidation queue's tail; innermost
    LOCK_IOPF = 9            # VT-d iopf_lock: device lookup against release
    LOCK_WQ = 10             # not a lock: waiting for, and working for, a work ring
    LOCK_IOASID = 11         # the IOASID framework
    LOCK_FAULT_OBJECT = 12   # iommufd fault->mutex: read, write, close
    LOCK_DELIVER = 13        # iommufd common.lock: the deliver ring
    LOCK_DEVICE = 14         # device_lock: probe against remove; outermost

cpdef enum:  # indices of board.offsets
    OFF_CREW = 0
    OFF_DEVICES = 1
    OFF_UPLINKS = 2
    OFF_DOWNLINKS = 3
    OFF_PASID_TABLES = 4
    OFF_PASID_ARRAYS = 5
    OFF_PRQ_RECORDS = 6
    OFF_PRQ_NOTES = 7
    OFF_QI_RECORDS = 8
    OFF_QI_NOTES = 9
    OFF_WORK = 10
    OFF_POOLS = 11
    OFF_TENANTS = 12
    OFF_VMAS = 13
    OFF_LEDGER_HW = 14
    OFF_LEDGER_KERNEL = 15
    OFF_PROGRAMS = 16
    OFF_HISTOGRAMS = 17
    OFF_EVENTS = 18
    OFF_DONE = 19
    OFF_PASID_BITMAP = 20
    OFF_META = 21
    OFF_IOASID = 22
    OFF_IOMMUS = 23
    OFF_QUEUES = 24
    OFF_DRIVERS = 25
    OFF_RESULTS = 26         # of every program record: the last return value
    OFF_LABELS = 27
    OFF_SEQUENCES = 28
    OFF_BARRIERS = 29
    OFF_PARTIAL_LISTS = 30
    OFF_USER_BUFFERS = 31    # of tenants: what a read of a fault object has copied
    OFF_PRIVATE = 32         # controlled runs: the state of every part, STAGE_PRIVATE bytes each
    OFF_STACKS = 33          # controlled runs: STAGE_STACK bytes of each actor
    OFF_STAGE = 34           # controlled runs: cython_ext/stage.h; the last, in pages of its own
    OFF_COUNT = 35

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

cdef struct iommu_regs:
    # written by the IOMMU process unless said otherwise
    ring_regs prq                # PQH (kernel) and PQT
    ring_regs qi                 # head (IOMMU) and tail (kernel, under qi_lock)
    uint32_t prs                 # PPR, PRO: set by the IOMMU, cleared by the IRQ thread, both atomically
    uint32_t pectl               # IP: the interrupt message; consumed by the IRQ thread
    uint64_t interrupts
    uint64_t overflows
    uint64_t prq_hwm             # most records in the queue
    uint64_t fault_log           # non-recoverable faults recorded
    uint64_t commands
    uint64_t drains
    uint64_t inval_errors        # invalidations ended because the device is gone
    uint64_t pad[5]
    # written by the kernel
    rmutex qi_lock
    rmutex iopf_lock
    eventcount prq_complete      # drainers wait for a pass of the IRQ thread
    uint64_t prq_passes
    uint64_t overflow_passes     # passes that saw PRO
    uint64_t qi_wait_next        # next status value for an invalidation wait; under qi_lock
    uint64_t prq_records_popped
    uint64_t injected            # events reported by a driver's own hand
    # written by the IOMMU: the highest status value done
    uint64_t qi_wait_done
    eventcount qi_bell
    uint32_t prq_done            # defect shared-completion-lost-wake: the completion; kernel processes
    uint32_t pad3
    uint64_t tail_seen           # defect drain-misses-new-requests-and-overflow: the tail as the interrupt thread has read it
    uint64_t pad2

cdef struct board:
    uint64_t layout_hash
    uint64_t start_ns            # CLOCK_MONOTONIC when PHASE_RUNNING began
    uint64_t start_ticks         # the same in ticks of the crew
    uint32_t phase               # supervisor; futex
    uint32_t ready               # counts processes that have come up; the supervisor's bell follows
    config cfg
    uint64_t offsets[35]
    # kernel globals
    rmutex sva_lock
    rmutex pasid_lock
    uint64_t mm_generation       # last one given out
    uint64_t rcu_retired         # fault_param objects waiting for a grace period: chain by free_next, index + 1
    rmutex queues_lock           # allocation of iopf queues; nests nothing
    uint32_t hold                # HOLD_*: stages that a program keeps from running
    uint32_t domains_left        # gunthorpe: detached, but user space still holds groups of them; under sva_lock
    uint32_t cut                 # controlled runs: programs may go on behind their `start`
    uint32_t refuse              # handlers refuse so many groups more; atomically
    eventcount hold_bell         # those who are held sleep here
    uint64_t fault_object[16]    # references; under sva_lock
    uint64_t reached[24]         # by event of the fate table (enum Event), how often; atomically
    int fault_fd[16]             # eventfds of the fault objects, the same number in every process; written before the start

cpdef enum Event:  # rows of the fate table that no other counter tells
    EVENT_NO_PARAM = 0
    EVENT_WRONG_TYPE = 1
    EVENT_PARTIAL_NO_HANDLER = 2
    EVENT_LAST_NOMEM = 3
    EVENT_REFUSED = 4
    EVENT_NO_DOMAIN = 5
    EVENT_MM_DEAD = 6
    EVENT_PAGE_ERROR = 7
    EVENT_REMOVE_PENDING = 8
    EVENT_REMOVE_DELIVERED = 9
    EVENT_FLUSH = 10
    EVENT_UNBIND_USER = 11
    EVENT_UNREGISTER_BUSY = 12
    EVENT_DELIVERED = 13
    EVENT_PARTIAL_NOMEM = 14
    EVENT_REMOVE_IN_REPORT = 15  # the rest: what contained runs keep from going wrong
    EVENT_FLUSH_UNLISTED = 16
    EVENT_PLAIN_UNDRAINED = 17
    EVENTS = 18

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
    OPTION_PRIVATE_DATA = 64  # the hardware is of a revision with private data in requests
    OPTION_CONTAIN = 32      # what removal frees under the hands of others stays theirs: the run can go on

cdef struct iopf_queue:
    rmutex lock
    listhead devices             # fault_param objects on the queue
    uint32_t used                # under queues_lock
    uint32_t ring                # its workqueue
    uint64_t discards            # iopf_queue_discard_partial calls

cdef struct driver:
    uint64_t program             # first record, count
    uint64_t program_count
    uint64_t ops_done
    uint32_t actor
    uint32_t finished
    uint64_t pad[4]

cdef struct op_note:             # of a program record; the actor that runs it writes
    int64_t result               # the last one: 0 or more, a negative errno, NOT_RUN
    uint64_t runs
    uint64_t errors              # runs that ended with an error
    uint64_t pad

cdef struct label_note:          # what a device received for one labelled group, or for nobody; the device writes
    uint32_t answers
    uint32_t codes[6]            # of the first answers
    uint32_t requests

cdef struct barrier:             # arrivals of each crew slot follow all barriers; participants by slot
    uint64_t participants[8]

cdef struct prq_note:            # travels beside a queue record, same slot
    uint64_t uid
    uint64_t sent_ticks
    uint64_t hw_ticks
    uint64_t device              # bits 0..31 its index, 32..63 low half of the id of the address space that the PASID had

cdef struct qi_note:             # travels beside a command
    uint64_t submit_ticks
    uint64_t pad

cdef struct syscall_box:
    uint32_t state               # 0 idle, 1 posted (tenant), 2 done (task)
    uint32_t op
    uint64_t args[5]
    int64_t ret

cdef struct tenant:
    syscall_box box              # tenant and its task
    uint64_t mm                  # reference; the task writes
    uint32_t pasid               # of the current mm; the task writes
    uint32_t started             # forked: the parent's task has made the mm
    uint64_t ops_done            # operations of its program that are over; the tenant writes
    uint32_t gate_waiting        # devices ring it while this is set
    uint32_t dead                # the process is gone
    uint32_t actor
    uint32_t task
    uint64_t program             # first record, count
    uint64_t program_count
    uint64_t devices[4]          # bitmap of devices that its program binds
    uint64_t bound[4]            # bitmap: bound now; the task sets it after bind and clears it before unbind
    uint64_t refused[4]          # bitmap: the last bind failed; the task writes
    uint32_t read_count          # cookies of the last reads of a fault object; the task writes
    uint32_t read_cookies[64]
    uint32_t script              # runs a program of operations, which may have it exit and start again
    uint32_t finished
    uint32_t exited
    uint64_t pad[4]

cdef struct prog_op:
    uint16_t op
    uint16_t flags
    uint32_t arg
    uint64_t t_ns
    uint64_t a
    uint64_t b
    uint64_t c
    uint64_t d

cpdef enum Fate:
    FATE_NONE = 0
    FATE_ENQUEUED = 1
    FATE_AUTO_SUCCESS = 2
    FATE_AUTO_INVALID = 3
    FATE_DROP_OVERFLOW = 4
    FATE_DROP_REFUSED = 5
    FATE_LINK_DOWN = 6
    FATE_ANSWERED = 8        # in a group that got an answer
    FATE_DISCARDED = 9       # partial, overflow
    FATE_FREED = 10          # partial, removal
    FATE_REJECTED = 11
    FATE_NOMEM = 12
    FATE_UNANSWERED = 13     # a last request that nobody will answer
    FATE_ACKNOWLEDGED = 14   # partial, answered Success before its last came

cpdef enum LinkKind:
    UP_REQUEST = 1
    UP_MARKER = 2
    UP_INVALIDATED = 3
    DOWN_RESPONSE = 1
    DOWN_INVALIDATE = 2
    DOWN_EARLY = 3           # of one request with private data; word 2 is its uid

cpdef enum Stage:
    STAGE_LINK = 0           # device to hardware
    STAGE_QUEUE = 1          # hardware queue to IRQ thread
    STAGE_REPORT = 2         # IRQ thread until the group is queued
    STAGE_WORK = 3           # queued until a handler takes it
    STAGE_MM = 4             # handler: faults until the last page is done
    STAGE_RESPOND = 5        # mm done until the response is submitted
    STAGE_COMMAND = 6        # response submitted until the hardware executes it
    STAGE_RETURN = 7         # hardware to device
    STAGE_ROUND = 8          # group sent until its response arrives
    STAGES = 9

cdef struct view:
    char *base
    uint64_t size
    board *board
    config *cfg
    iopf_crew *crew
    iopf_actor *self
    device *devices
    tenant *tenants
    char *work               # the first workqueue
    uint64_t work_stride
    pool *pools[16]
    event_ring *events
    char *private_at             # where the state of the part comes from; NULL: from the process's own heap
    char *private_end

cdef enum:
    STAGE_PRIVATE = 65536
    STAGE_STACK = 65536
    STAGE_SLOT_MAX = 32          # STAGE_SLOTS of stage.h

cdef int view_attach(view *v, char *base, uint64_t size, uint32_t slot) noexcept nogil

cdef void *private_alloc(view *v, uint64_t size) noexcept nogil

cdef inline void reach(view *v, uint32_t event) noexcept nogil:
    """Counts that an event of the fate table has come about."""
    xadd64_rlx(&v.board.reached[event], 1)

cdef inline void reach_no_domain(view *v, uint32_t partials) noexcept nogil:
    """A last request found nobody to handle it, so its partials had nobody either."""
    cdef uint32_t row = EVENT_PARTIAL_NO_HANDLER
    reach(v, EVENT_NO_DOMAIN)
    xadd64_rlx(&v.board.reached[row], partials)

cdef inline void note_event(view *v, uint64_t ticks, uint32_t site, uint64_t a, uint64_t b) noexcept nogil:
    """One record in this actor's flight recorder; ``a`` names the request or PASID, ``b`` is device << 32 | detail."""
    event_write(v.self, v.events, ticks, site, a, b)

cdef inline char *view_region(view *v, uint32_t which) noexcept nogil:
    return v.base + v.board.offsets[which]

cdef inline uint64_t *pasid_table(view *v, uint32_t dev) noexcept nogil:
    """The PASID table that the IOMMU walks: kernel writes, hardware and devices read."""
    return <uint64_t *>view_region(v, OFF_PASID_TABLES) + <uint64_t>dev * v.cfg.max_pasids

cdef inline uint64_t *pasid_array(view *v, uint32_t dev) noexcept nogil:
    """The group's attach handles by PASID: written under group_lock, read under RCU."""
    return <uint64_t *>view_region(v, OFF_PASID_ARRAYS) + <uint64_t>dev * v.cfg.max_pasids

cdef inline iommu_regs *unit_regs(view *v, uint32_t unit) noexcept nogil:
    return <iommu_regs *>view_region(v, OFF_IOMMUS) + unit

cdef inline uint32_t unit_of(view *v, uint32_t dev) noexcept nogil:
    """The IOMMU of a device."""
    return dev % v.cfg.units

cdef inline iommu_regs *regs_of(view *v, uint32_t dev) noexcept nogil:
    return unit_regs(v, dev % v.cfg.units)

cdef inline iopf_queue *queue_at(view *v, uint32_t index) noexcept nogil:
    return <iopf_queue *>view_region(v, OFF_QUEUES) + index

cdef inline workring *work_ring(view *v, uint32_t index) noexcept nogil:
    return <workring *>(v.work + index * v.work_stride)

cdef inline driver *driver_at(view *v, uint32_t index) noexcept nogil:
    return <driver *>view_region(v, OFF_DRIVERS) + index

cdef inline label_note *label_at(view *v, uint32_t dev, uint32_t label) noexcept nogil:
    return <label_note *>view_region(v, OFF_LABELS) + <uint64_t>dev * LABELS + label

# Crew slots: supervisor, IOMMUs, interrupt threads, then the rest in the order of ``slots_of``.
cdef inline uint32_t iommu_slot(view *v, uint32_t unit) noexcept nogil:
    return 1 + unit

cdef inline uint32_t irq_slot(view *v, uint32_t unit) noexcept nogil:
    return 1 + v.cfg.units + unit

cdef inline iommu_domain *domain_of(view *v, uint64_t ref, uint32_t site) noexcept nogil:
    return <iommu_domain *>pool_try(v.self, v.pools[POOL_DOMAIN], ref, site)

cdef enum:
    NO_UID = 0xFFFFFFFFFFFFFFFF

# fault_event.stamp: ticks modulo 2^40 and the low 24 bits of the address space's id.
cdef inline uint64_t stamp_of(uint64_t ticks, uint64_t mm_id) noexcept nogil:
    return (ticks & <uint64_t>0xFFFFFFFFFF) | (mm_id & 0xFFFFFF) << 40

cdef inline uint64_t stamp_age(uint64_t stamp, uint64_t now) noexcept nogil:
    """Ticks since the stamp, at most 2^40."""
    return (now - stamp) & <uint64_t>0xFFFFFFFFFF

cdef inline uint32_t stamp_generation(uint64_t stamp) noexcept nogil:
    return <uint32_t>(stamp >> 40)

cdef enum:
    USER_BUFFER = 8192           # bytes; 200 requests

cdef inline char *user_buffer(view *v, uint32_t ten) noexcept nogil:
    return view_region(v, OFF_USER_BUFFERS) + <uint64_t>ten * USER_BUFFER

cdef inline char *uplink(view *v, uint32_t dev) noexcept nogil:
    return view_region(v, OFF_UPLINKS) + <uint64_t>dev * (LINK_HEADER_BYTES + UP_SLOTS * 64)

cdef inline char *downlink(view *v, uint32_t dev) noexcept nogil:
    return view_region(v, OFF_DOWNLINKS) + <uint64_t>dev * (LINK_HEADER_BYTES + DOWN_SLOTS * 64)

cdef inline histogram *stage_hist(view *v, uint32_t slot, uint32_t stage) noexcept nogil:
    """The histogram of one stage kept by one actor."""
    return <histogram *>view_region(v, OFF_HISTOGRAMS) + <uint64_t>slot * STAGES + stage

cdef inline uint64_t *done_count(view *v, uint32_t dev, uint32_t ten) noexcept nogil:
    """Groups of tenant ``ten`` that device ``dev`` has finished: the device writes, the tenant reads."""
    return <uint64_t *>view_region(v, OFF_DONE) + <uint64_t>dev * MAX_TENANTS + ten

# A request's name: bits 0..55 its number among those of its device, bits 56..61 its place in the group. In controlled runs bits 32..55
# are the number of its group.
cdef inline uint64_t uid_of(uint64_t number, uint32_t place) noexcept nogil:
    return number | <uint64_t>place << 56

cdef inline uint64_t uid_number(uint64_t uid) noexcept nogil:
    return uid & ((<uint64_t>1 << 56) - 1)

cdef inline uint32_t *ledger(view *v, uint32_t which, uint32_t dev, uint32_t prgi, uint64_t uid) noexcept nogil:
    """What one side did with a request: low 24 bits of its number << 8 | fate. One entry per group index and place, so that an entry
    is taken over only by a later group with the same index."""
    cdef uint64_t slot = <uint64_t>prgi * (v.cfg.ledger_slots // 512) + ((uid >> 56) & 63)
    return <uint32_t *>view_region(v, which) + <uint64_t>dev * v.cfg.ledger_slots + (slot & (v.cfg.ledger_slots - 1))

cdef inline uint32_t ledger_word(uint64_t uid, uint32_t fate) noexcept nogil:
    return <uint32_t>(uid & 0xFFFFFF) << 8 | fate

cdef inline vma *mm_vmas(view *v, uint32_t mm_index) noexcept nogil:
    return <vma *>view_region(v, OFF_VMAS) + <uint64_t>mm_index * v.cfg.max_vmas

cdef inline prog_op *program(view *v, uint64_t first) noexcept nogil:
    return <prog_op *>view_region(v, OFF_PROGRAMS) + first

cdef inline bint tenant_refused(iopf_actor *self, tenant *t, uint32_t dev, uint32_t site) noexcept nogil:
    return (read64(self, &t.refused[dev >> 6], site) >> (dev & 63)) & 1

cdef inline bint tenant_bound(iopf_actor *self, tenant *t, uint32_t dev, uint32_t site) noexcept nogil:
    return (read64(self, &t.bound[dev >> 6], site) >> (dev & 63)) & 1

# A PASID table entry: bit 0 present, bit 1 quiet abort, bit 2 pass through (an identity domain: every address is granted),
# bits 8..31 mm index + 1, bits 32..63 low half of the mm's id.
cdef enum:
    PTE_PRESENT = 1
    PTE_QUIET = 2
    PTE_PASS = 4

cdef inline uint64_t pasid_entry(uint32_t mm_index, uint64_t mm_id) noexcept nogil:
    return PTE_PRESENT | <uint64_t>((mm_index + 1) & 0xFFFFFF) << 8 | (mm_id & <uint64_t>0xFFFFFFFF) << 32
