from enum import IntEnum
from typing import Any

from cython_ext.memory import Memory

class Role(IntEnum):
    ROLE_SUPERVISOR = 0
    ROLE_IOMMU = 1
    ROLE_IRQ = 2
    ROLE_HANDLER = 3
    ROLE_TASK = 4
    ROLE_DRIVER = 5
    ROLE_TENANT = 6
    ROLE_DEVICE = 7

class Generation(IntEnum):
    GEN_V5_13 = 1
    GEN_V6_2 = 2
    GEN_V6_9 = 3
    GEN_V6_11 = 4
    GEN_V6_14 = 5
    GEN_V7_2 = 6
    GEN_GUNTHORPE = 16

class Phase(IntEnum):
    PHASE_STARTING = 0
    PHASE_PROBING = 1
    PHASE_RUNNING = 2
    PHASE_STOPPING = 3
    PHASE_RELEASING = 4
    PHASE_ENDING = 5

class Order(IntEnum):
    ORDER_NONE = 0
    ORDER_PROBE = 1
    ORDER_REMOVE = 2

class LockClass(IntEnum):
    LOCK_SVA = 1
    LOCK_GROUP = 2
    LOCK_QUEUE = 3
    LOCK_DEV_PARAM = 4
    LOCK_FAULT_PARAM = 5
    LOCK_MMAP = 6
    LOCK_PASID = 7
    LOCK_QI = 8
    LOCK_IOPF = 9
    LOCK_WQ = 10
    LOCK_IOASID = 11
    LOCK_FAULT_OBJECT = 12
    LOCK_DELIVER = 13
    LOCK_DEVICE = 14

class Event(IntEnum):
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
    EVENT_REMOVE_IN_REPORT = 15
    EVENT_FLUSH_UNLISTED = 16
    EVENT_PLAIN_UNDRAINED = 17
    EVENTS = 18

class QueueMode(IntEnum):
    QUEUES_GLOBAL = 0
    QUEUES_IOMMU = 1
    QUEUES_DEVICE = 2
    QUEUES_DOMAIN = 3

class Option(IntEnum):
    OPTION_SYNC = 1
    OPTION_EAGER = 2
    OPTION_GROUP_LISTS = 4
    OPTION_EARLY_PRIVATE = 8
    OPTION_HIGHPRI = 16
    OPTION_MATCH_PASID = 128
    OPTION_ANSWER_LAST = 256
    OPTION_PRIVATE_DATA = 64
    OPTION_CONTAIN = 32

class Fate(IntEnum):
    FATE_NONE = 0
    FATE_ENQUEUED = 1
    FATE_AUTO_SUCCESS = 2
    FATE_AUTO_INVALID = 3
    FATE_DROP_OVERFLOW = 4
    FATE_DROP_REFUSED = 5
    FATE_LINK_DOWN = 6
    FATE_ANSWERED = 8
    FATE_DISCARDED = 9
    FATE_FREED = 10
    FATE_REJECTED = 11
    FATE_NOMEM = 12
    FATE_UNANSWERED = 13
    FATE_ACKNOWLEDGED = 14

class LinkKind(IntEnum):
    UP_REQUEST = 1
    UP_MARKER = 2
    UP_INVALIDATED = 3
    DOWN_RESPONSE = 1
    DOWN_INVALIDATE = 2
    DOWN_EARLY = 3

class Stage(IntEnum):
    STAGE_LINK = 0
    STAGE_QUEUE = 1
    STAGE_REPORT = 2
    STAGE_WORK = 3
    STAGE_MM = 4
    STAGE_RESPOND = 5
    STAGE_COMMAND = 6
    STAGE_RETURN = 7
    STAGE_ROUND = 8
    STAGES = 9

POOL_FAULT: int
POOL_GROUP: int
POOL_PARAM: int
POOL_HANDLE: int
POOL_DOMAIN: int
POOL_MM: int
POOL_TABLE: int
POOL_UFAULT: int
POOL_IOASID: int
POOL_ALLOCATOR: int
POOL_CLASSES: int
OFF_CREW: int
OFF_DEVICES: int
OFF_UPLINKS: int
OFF_DOWNLINKS: int
OFF_PASID_TABLES: int
OFF_PASID_ARRAYS: int
OFF_PRQ_RECORDS: int
OFF_PRQ_NOTES: int
OFF_QI_RECORDS: int
OFF_QI_NOTES: int
OFF_WORK: int
OFF_POOLS: int
OFF_TENANTS: int
OFF_VMAS: int
OFF_LEDGER_HW: int
OFF_LEDGER_KERNEL: int
OFF_PROGRAMS: int
OFF_HISTOGRAMS: int
OFF_EVENTS: int
OFF_DONE: int
OFF_PASID_BITMAP: int
OFF_META: int
OFF_IOASID: int
OFF_IOMMUS: int
OFF_QUEUES: int
OFF_DRIVERS: int
OFF_RESULTS: int
OFF_LABELS: int
OFF_SEQUENCES: int
OFF_BARRIERS: int
OFF_PARTIAL_LISTS: int
OFF_USER_BUFFERS: int
OFF_PRIVATE: int
OFF_STACKS: int
OFF_STAGE: int
OFF_COUNT: int
CONFIG_FIELDS: tuple[str, ...]
POOL_NAMES: tuple[str, ...]
PAGE: int

def slots_of(config: dict[str, int]) -> dict[str, tuple[int, int]]: ...
def stride(size: int) -> int: ...
def work_bytes(config: dict[str, int]) -> int: ...
def plan_layout(config: dict[str, int]) -> dict[Any, int]: ...
def layout_hash() -> int: ...
def format_board(
    memory: Memory,
    config: dict[str, int],
    *,
    tick_mult: int,
    spins: int,
    yields: int,
    lockdep: bool,
    poison: bool,
    noise_yield_in: int = ...,
    noise_sleep_in: int = ...,
) -> None: ...
