"""The operations of programs: one entry per verb, the source of parser and help page.

Numbers and meaning of the records are those of `emulator/spec/program.pxd`. Page numbers (`at=`) count from PROGRAM_BASE in pages of
4096 bytes.
"""

from __future__ import annotations

from iopf.emulator.program import words
from iopf.emulator.program.grammar import Runs, Verb, Word
from iopf.emulator.spec import program as spec

PROGRAM_BASE = 0x1000_0000_0000
GROUP_PAGES_MAX = 64
PASID_MAX = (1 << 20) - 1
PRGI_MAX = 511
TYPE_PAGE_REQ = 1  # IOMMU_FAULT_PAGE_REQ since v6.9; other types are not page requests

_D = Word("device", words.DEVICE)
_T = Word("tenant", words.TENANT)
_MAYBE_T = Word("tenant", words.TENANT, optional=True)
_F = Word("fault", words.FAULT)
_PAGES = Word("pages", words.PAGES)
_AT = Word("at", words.AT, default=0)
_PROT = Word("prot", words.PROT, default=3)
_RW = Word("rw", words.PERM, default=1)
_LABEL = Word("group", words.LABEL, optional=True)
_ANY_PASID = Word("pasid", words.number(0, PASID_MAX), optional=True)
_PASID = Word("pasid", words.number(1, PASID_MAX))
_MAYBE_PASID = Word("pasid", words.number(1, PASID_MAX), optional=True)
_PRGI = Word("prgi", words.number(0, PRGI_MAX))
_MAYBE_PRGI = Word("prgi", words.number(0, PRGI_MAX), optional=True)
_CODE = Word("code", words.CODE)
_DOMAIN = Word("domain", words.DOMAIN)
_SINK = Word("fault", words.FAULT, optional=True)
_WEIGHT = Word("weight", words.number(1, 1_000_000), default=1)
_COUNT = words.number(1, 0xFFFFFFFF)

_TENANT = (
    Verb(
        "map",
        spec.DO_MAP,
        Runs.TENANT,
        (_T, _PAGES),
        "maps anonymous memory; prot: rw",
        (_AT, _PROT),
    ),
    Verb("unmap", spec.DO_UNMAP, Runs.TENANT, (_T, _PAGES), "unmaps; holes are legal", (_AT,)),
    Verb(
        "protect",
        spec.DO_PROTECT,
        Runs.TENANT,
        (_T, _PAGES),
        "changes the protection",
        (_AT, _PROT),
    ),
    Verb("zap", spec.DO_ZAP, Runs.TENANT, (_T, _PAGES), "drops pages, keeps mappings", (_AT,)),
    Verb("touch", spec.DO_TOUCH, Runs.TENANT, (_T, _PAGES), "the CPU's own accesses", (_AT, _PROT)),
    Verb("bind", spec.DO_BIND, Runs.TENANT, (_D, _T), "shares the address space with the device"),
    Verb("unbind", spec.DO_UNBIND, Runs.TENANT, (_D, _T), "ends one bind; drains the PASID"),
    Verb("rebind", spec.DO_BIND, Runs.TENANT, (_D, _T), "unbind, then bind"),
    Verb("exec", spec.DO_EXEC, Runs.TENANT, (_T,), "replaces the address space by an empty one"),
    Verb(
        "exit",
        spec.DO_EXIT,
        Runs.TENANT,
        (_T,),
        "the process exits; implicit at the end of a program",
    ),
    Verb(
        "spawn", spec.DO_SPAWN, Runs.TENANT, (_T,), "the process exits and a new one starts, empty"
    ),
    Verb(
        "fork",
        spec.DO_FORK,
        Runs.TENANT,
        (_T, Word("child", words.TENANT)),
        "starts the second tenant with a copy of the mappings",
    ),
    Verb(
        "wait-devices",
        spec.DO_WAIT_DEVICES,
        Runs.TENANT,
        (_T,),
        "waits until its devices have finished",
    ),
    Verb("fault-alloc", spec.DO_FAULT_ALLOC, Runs.TENANT, (_T, _F), "opens a fault object"),
    Verb("fault-close", spec.DO_FAULT_CLOSE, Runs.TENANT, (_T, _F), "closes its file descriptor"),
    Verb(
        "attach",
        spec.DO_ATTACH,
        Runs.TENANT,
        (_D, _T),
        "attaches a domain to a PASID or to the RID; domain=fault needs fault=F",
        (_MAYBE_PASID, _DOMAIN, _SINK),
        ("rid",),
        exactly=("pasid", "rid"),
    ),
    Verb(
        "replace",
        spec.DO_REPLACE,
        Runs.TENANT,
        (_D, _T),
        "replaces the attached domain, atomically for DMA",
        (_MAYBE_PASID, _DOMAIN, _SINK),
        ("rid",),
        exactly=("pasid", "rid"),
    ),
    Verb(
        "detach",
        spec.DO_DETACH,
        Runs.TENANT,
        (_D, _T),
        "detaches the domain",
        (_MAYBE_PASID,),
        ("rid",),
        exactly=("pasid", "rid"),
    ),
    Verb(
        "read",
        spec.DO_FAULT_READ,
        Runs.TENANT,
        (_F, _T),
        "reads faults from a fault object into a buffer of N bytes; unmapped: the copy fails",
        (Word("bytes", words.number(0, 1 << 20)),),
        ("unmapped",),
    ),
    Verb(
        "write",
        spec.DO_FAULT_WRITE,
        Runs.TENANT,
        (_F, _T),
        "answers the group of the n-th cookie read (from 0), or of a given cookie",
        (
            Word("nth", words.number(0, 0xFFFFFFFF), optional=True),
            Word("cookie", words.number(0, 0xFFFFFFFF), optional=True),
            _CODE,
        ),
        at_most=("nth", "cookie"),
    ),
    Verb(
        "serve",
        spec.DO_SERVE,
        Runs.TENANT,
        (_F, _T),
        "reads and answers N groups, as a VMM does",
        (Word("groups", _COUNT), Word("code", words.one_of({"success": 0, "invalid": 1}))),
    ),
)

_DEVICE = (
    Verb(
        "send",
        spec.DO_SEND,
        Runs.DEVICE,
        (_D, _MAYBE_T),
        "page requests of one group; open: without the last request, which a later `send` to the same group adds",
        (
            Word("pages", words.number(1, GROUP_PAGES_MAX)),
            _AT,
            _RW,
            _LABEL,
            _ANY_PASID,
            _MAYBE_PRGI,
        ),
        ("open", "rid"),
        at_least=("tenant", "pasid", "rid"),
        at_most=("pasid", "rid"),
    ),
    Verb(
        "translate",
        spec.DO_TRANSLATE,
        Runs.DEVICE,
        (_D, _MAYBE_T),
        "requests translations of pages, as ATS does; Bad address if one is not granted",
        (Word("pages", words.number(1, GROUP_PAGES_MAX)), _AT, _RW, _ANY_PASID),
        ("rid",),
        at_least=("tenant", "pasid", "rid"),
        at_most=("pasid", "rid"),
    ),
    Verb(
        "await",
        spec.DO_AWAIT,
        Runs.DEVICE,
        (_D,),
        "waits for the answer of the group, or of all groups",
        (_LABEL,),
    ),
    Verb(
        "expect",
        spec.DO_AWAIT,
        Runs.DEVICE,
        (_D,),
        "waits for the answer of the group; Protocol error for another answer or none",
        (Word("group", words.LABEL), _CODE),
    ),
    Verb(
        "marker",
        spec.DO_MARKER,
        Runs.DEVICE,
        (_D, _MAYBE_T),
        "sends the stop marker of a PASID",
        (_ANY_PASID,),
        exactly=("tenant", "pasid"),
    ),
    Verb(
        "reset",
        spec.DO_RESET,
        Runs.DEVICE,
        (_D,),
        "drops its outstanding requests, as a function level reset does",
    ),
    Verb(
        "overflow",
        spec.DO_OVERFLOW,
        Runs.DEVICE,
        (_D, _T),
        "sends groups until the queue of its IOMMU overflows; needs enough credits",
        (_AT,),
    ),
    Verb(
        "wait-bound",
        spec.DO_WAIT_BOUND,
        Runs.DEVICE,
        (_D, _T),
        "waits until the tenant has bound the device",
    ),
)

_DRIVER = (
    Verb("plug", spec.DO_PLUG, Runs.DRIVER, (_D,), "probes a removed device"),
    Verb(
        "remove",
        spec.DO_REMOVE,
        Runs.DRIVER,
        (_D,),
        "releases the device: unbinds, leaves the queue, disables PRI",
    ),
    Verb(
        "recover",
        spec.DO_RECOVER,
        Runs.DRIVER,
        (_D,),
        "removes and plugs the device if a Failure has disabled its PRI",
    ),
    Verb("unplug", spec.DO_UNPLUG, Runs.DRIVER, (_D,), "surprise removal of the function"),
    Verb("queue-add", spec.DO_QUEUE_ADD, Runs.DRIVER, (_D,), "iopf_queue_add_device"),
    Verb("queue-remove", spec.DO_QUEUE_REMOVE, Runs.DRIVER, (_D,), "iopf_queue_remove_device"),
    Verb(
        "register",
        spec.DO_REGISTER,
        Runs.DRIVER,
        (_D,),
        "iommu_register_device_fault_handler (to v6.8)",
    ),
    Verb(
        "unregister",
        spec.DO_UNREGISTER,
        Runs.DRIVER,
        (_D,),
        "iommu_unregister_device_fault_handler",
    ),
    Verb("flush", spec.DO_FLUSH, Runs.DRIVER, (_D,), "iopf_queue_flush_dev"),
    Verb("discard", spec.DO_DISCARD, Runs.DRIVER, (_D,), "iopf_queue_discard_partial of its queue"),
    Verb(
        "report",
        spec.DO_REPORT,
        Runs.DRIVER,
        (_D,),
        "injects an event into iommu_report_device_fault, like the selftest's TRIGGER_IOPF; type 1: page request",
        (
            _ANY_PASID,
            _PRGI,
            _AT,
            _RW,
            Word("type", words.number(0, 0xFF), default=TYPE_PAGE_REQ),
            _LABEL,
        ),
        ("open", "rid"),
        exactly=("pasid", "rid"),
    ),
    Verb(
        "respond",
        spec.DO_RESPOND,
        Runs.DRIVER,
        (_D,),
        "injects a response without a group",
        (_PASID, _PRGI, _CODE),
    ),
    Verb("drain", spec.DO_DRAIN, Runs.DRIVER, (_D,), "drains the queue of a PASID", (_PASID,)),
    Verb(
        "fail",
        spec.DO_FAIL,
        Runs.DRIVER,
        (Word("pool", words.POOL),),
        f"makes the n-th allocation from now fail; POOL: {', '.join(words.POOLS)}",
        (Word("nth", _COUNT),),
    ),
    Verb(
        "refuse",
        spec.DO_REFUSE,
        Runs.DRIVER,
        (Word("count", _COUNT),),
        "makes handlers refuse the next N groups",
    ),
    Verb(
        "hold",
        spec.DO_HOLD,
        Runs.DRIVER,
        (Word("unit", words.UNIT),),
        "stops interrupt threads, workers, or copies to user space",
    ),
    Verb("let-go", spec.DO_LET_GO, Runs.DRIVER, (Word("unit", words.UNIT),), "releases them"),
    Verb(
        "settle",
        spec.DO_SETTLE,
        Runs.DRIVER,
        (),
        "waits until everything is idle or held",
    ),
)

_ANY = (
    Verb(
        "barrier",
        spec.DO_BARRIER,
        Runs.ANY,
        (Word("name", words.NAME),),
        "waits for every actor with the same barrier",
    ),
    Verb(
        "pause",
        spec.DO_PAUSE,
        Runs.ANY,
        (Word("duration", words.DURATION),),
        "waits: 100ns, 20us, 5ms, 1s",
    ),
    Verb(
        "start",
        spec.DO_START,
        Runs.ANY,
        (),
        "under control, lines before it run once, lines after it in every schedule; otherwise no effect",
    ),
)

_BLOCK = (
    Verb(
        "repeat",
        spec.DO_REPEAT,
        Runs.BLOCK,
        (Word("times", words.TIMES),),
        "repeats the lines up to `end`",
    ),
    Verb("choose", spec.DO_CHOOSE, Runs.BLOCK, (), "runs one branch, at random", (_WEIGHT,)),
    Verb("or", spec.DO_BRANCH, Runs.BLOCK, (), "starts the next branch", (_WEIGHT,)),
    Verb("end", spec.DO_AGAIN, Runs.BLOCK, (), "ends the block"),
)

VERBS: dict[str, Verb] = {v.name: v for v in (*_TENANT, *_DEVICE, *_DRIVER, *_ANY, *_BLOCK)}
