# SPDX-License-Identifier: MIT
"""For each event of the fate table a program that causes it, and the expected observations.

The programs stop units (`hold`) and wait until everything is idle (`settle`), so the outcome does not depend on timing, and they leave
nothing open at their end. Injected reports use group indices from 100 on and PASID 9, which is unused; PASID 1 is that of the first
tenant to bind. `expected` is written down here and not computed: both the model and the emulator are compared with it.
"""

from __future__ import annotations

from iopf.emulator.check.case import Case, Expected, spread

_EBADF, _ENOMEM, _EBUSY, _ENODEV, _EINVAL, _EOPNOTSUPP = -9, -12, -16, -19, -22, -95
_WORKER = "use after free of a group: freed by iopf_queue_remove_device, used by the worker"
_READER = (
    "use after free of a group: freed by iopf_queue_remove_device, used by read() of a fault object"
)
_RESPONDER = (
    "use after free of a group: freed by iopf_queue_remove_device, used by the automatic response"
)

_SETUP = ("map t0 8", "bind d0 t0")
_DISCARDED = "overflow, partial discarded"
_USER = (
    "map t0 8",
    "fault-alloc t0 f0 try",
    "attach d0 t0 pasid=5 domain=fault fault=f0 try",
    "send d0 pasid=5 pages=2 group=a",
    "settle",
)
# Without delivery to user space PASID 5 has no attachment, and the hardware answers.
_NO_USER = {1: _EOPNOTSUPP, 2: _EOPNOTSUPP}
_TABLES = {"refused by the tables": 1}

_REPORTS = (
    Case(
        "no-param",
        (
            (
                *_SETUP,
                "queue-remove d0",
                "report d0 pasid=1 prgi=100 group=r try",
                "send d0 t0 pages=1 group=a",
                "settle",
                "unregister d0 try",
                "report d0 pasid=1 prgi=101 group=s try",
                "register d0 try",
                "settle",
                "reset d0",
            ),
        ),
        spread(
            v5_13__v6_2=Expected({"r": (), "a": (1,), "s": ()}, {3: _ENODEV, 7: _EINVAL}),
            v6_9=Expected({"r": (), "a": (), "s": ()}, {6: _EOPNOTSUPP, 8: _EOPNOTSUPP}),
            v6_11__v7_2=Expected(
                {"r": (1,), "a": (1,), "s": (1,)},
                {3: _EINVAL, 6: _EOPNOTSUPP, 7: _EINVAL, 8: _EOPNOTSUPP},
            ),
            gunthorpe=Expected(
                {"r": (0,), "a": (0,), "s": (0,)}, {6: _EOPNOTSUPP, 8: _EOPNOTSUPP}, groups=(3, 3)
            ),
        ),
    ),
    Case(
        "wrong-type",
        (
            (
                *_SETUP,
                "report d0 pasid=1 prgi=100 type=2 group=a try",
                "settle",
                "report d0 pasid=9 prgi=101 type=2 group=b try",
                "settle",
                "reset d0",
            ),
        ),
        spread(
            v5_13__v6_2=Expected({"a": (), "b": ()}, {2: _EOPNOTSUPP, 4: _EOPNOTSUPP}),
            v6_9=Expected({"a": (0,), "b": (15,)}, groups=(2, 2)),
            v6_11__v7_2=Expected({"a": (0,), "b": ()}, {4: _EINVAL}, groups=(1, 1)),
            gunthorpe=Expected({"a": (0,), "b": (0,)}, groups=(1, 1)),
        ),
    ),
    Case(
        "partial",
        (
            (
                *_SETUP,
                "send d0 t0 pages=2 group=a open",
                "send d0 t0 pages=1 at=4 group=b",
                "settle",
                "discard d0",
                "reset d0",
            ),
        ),
        spread(
            v5_13__gunthorpe=Expected({"a": (), "b": (0,)}, lost={_DISCARDED: 2}, groups=(1, 1))
        ),
    ),
    Case(
        "partial-nomem",
        (
            (
                *_SETUP,
                "fail fault nth=1",
                "report d0 pasid=1 prgi=100 group=a open try",
                "report d0 pasid=1 prgi=100 at=1 group=a",
                "settle",
            ),
        ),
        spread(
            v5_13__v6_2=Expected({"a": (0,)}, {3: _ENOMEM}, {"no memory": 1}, (1, 1)),
            v6_9=Expected({"a": (0,)}, {}, {"no memory": 1}, (1, 1)),
            v6_11__gunthorpe=Expected({"a": (0,)}, {3: _ENOMEM}, {"no memory": 1}, (1, 1)),
        ),
    ),
    Case(
        "partial-no-handler",
        (
            (
                *_SETUP,
                "report d0 pasid=9 prgi=100 group=a open try",
                "settle",
                "discard d0",
                "reset d0",
            ),
        ),
        spread(
            v5_13__v6_9=Expected({"a": ()}, lost={_DISCARDED: 1}),
            v6_11__v7_2=Expected({"a": (1,)}, {2: _EINVAL}),
            gunthorpe=Expected({"a": ()}, lost={_DISCARDED: 1}),
        ),
    ),
    Case(
        "last",
        ((*_SETUP, "send d0 t0 pages=3 group=a", "await d0 group=a"),),
        spread(v5_13__gunthorpe=Expected({"a": (0,)}, groups=(1, 1))),
    ),
    Case(
        "last-nomem",
        ((*_SETUP, "fail group nth=1", "send d0 t0 pages=3 group=a", "await d0 group=a"),),
        spread(
            v5_13__v6_2=Expected({"a": (1,)}, lost={"no memory": 2}),
            v6_9__gunthorpe=Expected({"a": (15,)}),
        ),
    ),
    Case(
        "refused",
        ((*_SETUP, "refuse 1", "send d0 t0 pages=2 group=a", "await d0 group=a"),),
        spread(
            v5_13__v6_2=Expected({"a": (0,)}, groups=(1, 1)),
            v6_9__gunthorpe=Expected({"a": (15,)}, groups=(1, 1)),
        ),
    ),
    Case(
        "no-domain",
        ((*_SETUP, "report d0 pasid=9 prgi=100 group=a try", "settle"),),
        spread(
            v5_13__v6_2=Expected({"a": (1,)}, groups=(1, 1)),
            v6_9=Expected({"a": (15,)}, groups=(1, 1)),
            v6_11__v7_2=Expected({"a": (1,)}, {2: _EINVAL}),
            gunthorpe=Expected({"a": (0,)}),
        ),
    ),
)

_WORK = (
    Case(
        "mm-dead",
        (
            (
                "wait-bound d0 t0",
                "hold workers",
                "send d0 t0 pages=2 group=a",
                "settle",
                "k0: barrier queued",
                "k0: pause 50ms",
                "let-go workers",
                "await d0 group=a",
            ),
            ("map t0 8", "bind d0 t0", "t0: barrier queued", "exit t0"),
        ),
        spread(v5_13__gunthorpe=Expected({"a": (1,)}, groups=(1, 1))),
    ),
    Case(
        "page-error",
        (
            (
                "map t0 1",
                "map t0 1 at=2 prot=r",
                "bind d0 t0",
                "send d0 t0 pages=3 group=a",
                "send d0 t0 pages=1 at=2 rw=w group=b",
                "await d0",
            ),
        ),
        spread(v5_13__gunthorpe=Expected({"a": (1,), "b": (1,)}, groups=(2, 2))),
    ),
    Case(
        "overflow",
        (
            (
                "map t0 256",
                "bind d0 t0",
                "bind d1 t0",
                "send d1 t0 pages=2 group=p open",
                "settle",
                "hold irq",
                "send d0 t0 pages=64 group=a",
                "send d0 t0 pages=63 at=64 group=b",
                "send d0 t0 pages=1 at=128 group=c",
                "send d0 t0 pages=2 at=130 group=e",
                "settle",
                "let-go irq",
                "await d0",
                "settle",
                "send d1 t0 pages=1 at=2 group=p",
                "await d1 group=p",
            ),
        ),
        spread(
            v5_13__gunthorpe=Expected(
                {"a": (0,), "b": (0,), "c": (0,), "e": (0,), "d1.p": (0,)},
                lost={"overflow": 1, _DISCARDED: 2},
                groups=(3, 3),
            )
        ),
        watch="d1.p",
        credits=256,
    ),
)

_TEARDOWN = (
    Case(
        "remove-partial",
        (
            (
                *_SETUP,
                "send d0 t0 pages=2 group=a open",
                "settle",
                "queue-remove d0",
                "settle",
                "reset d0",
            ),
        ),
        spread(
            v5_13__v7_2=Expected({"a": ()}, lost={"device removed": 2}),
            gunthorpe=Expected({"a": (0,)}),
        ),
    ),
    Case(
        "remove-pending",
        (
            (
                *_SETUP,
                "hold workers",
                "send d0 t0 pages=2 group=a",
                "settle",
                "unregister d0 try",
                "queue-remove d0",
                "settle",
                "let-go workers",
                "settle",
            ),
        ),
        spread(
            v5_13__v6_2=Expected({"a": (0,)}, {5: _EBUSY}, groups=(1, 1)),
            v6_9__v6_13=Expected({"a": (1,)}, {5: _EOPNOTSUPP}, groups=(1, 1)),
            v6_14__v7_2=Expected({"a": (1,)}, {5: _EOPNOTSUPP}, groups=(1, 1), findings=(_WORKER,)),
            gunthorpe=Expected({"a": (0,)}, {5: _EOPNOTSUPP}, groups=(1, 1)),
        ),
    ),
    Case(
        "remove-delivered",
        (
            (
                *_USER,
                "queue-remove d0",
                "settle",
                "read f0 t0 bytes=400 try",
                "write f0 t0 code=success try",
                "settle",
            ),
        ),
        spread(
            v5_13__v6_9=Expected({"a": (1,)}, {**_NO_USER, 7: _EBADF, 8: _EBADF}, _TABLES),
            v6_11__v6_13=Expected({"a": (1,)}, groups=(1, 1)),
            v6_14__v6_16=Expected({"a": (1,)}, groups=(1, 1), findings=(_READER,)),
            v7_2=Expected({"a": (0,)}, groups=(1, 1)),
            gunthorpe=Expected({"a": (0,)}, groups=(1, 1)),
        ),
    ),
    Case(
        "flush",
        (
            (
                *_SETUP,
                "hold workers",
                "send d0 t0 pages=2 group=a",
                "settle",
                "let-go workers",
                "flush d0",
                "queue-remove d0",
                "flush d0 try",
                "await d0",
            ),
        ),
        spread(v5_13__gunthorpe=Expected({"a": (0,)}, {8: _ENODEV}, groups=(1, 1))),
    ),
    Case(
        "unbind-user",
        (
            (
                *_USER,
                "read f0 t0 bytes=400 try",
                "detach d0 t0 pasid=5 try",
                "settle",
                "write f0 t0 code=success try",
                "fault-close t0 f0 try",
            ),
        ),
        spread(
            v5_13__v6_9=Expected(
                {"a": (1,)},
                {**_NO_USER, 5: _EBADF, 6: _EOPNOTSUPP, 8: _EBADF, 9: _EBADF},
                _TABLES,
            ),
            v6_11__v6_14=Expected({"a": (1,)}, {8: _EINVAL}, groups=(1, 1)),
            v6_16=Expected(
                {"a": (1,)},
                groups=(1, 1),
                findings=(_RESPONDER,),
                cut_off=frozenset("a"),
            ),
            v7_2=Expected({"a": (1,)}, {8: _EINVAL}, groups=(1, 1)),
            gunthorpe=Expected({"a": (0,)}, groups=(1, 1)),
        ),
    ),
)

CASES: tuple[Case, ...] = (*_REPORTS, *_WORK, *_TEARDOWN)
