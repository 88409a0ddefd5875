# SPDX-License-Identifier: MIT
"""The queues that `iopf bench queue` compares, behind one interface.

A transport is created in the parent before the fork, and moves pieces of `size` bytes: one record of 64 bytes, or a batch of 64 records
in one piece, the fastest way that each of them supports. `sender` and `receiver` return the callable that is timed, as close to the
library's own as possible. Queues have room for 1024 records, as a pipe has, where the size can be chosen.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

from iopf.cython_ext.channel import Channel
from iopf.cython_ext.memory import Memory

ROOM = 1024
RECORD_BYTES = 64
WAIT_S = 30.0

Send = Callable[[bytes], Any]
Receive = Callable[[], Any]


class Transport:
    """One queue of one library."""

    label = ""
    module = ""  # required module; "" = none

    def __init__(self, producers: int, size: int) -> None:
        self.producers = producers
        self.size = size
        self.pieces = max(4, ROOM * RECORD_BYTES // size)

    def sender(self, index: int) -> Send:
        """Called in the process of producer `index`."""
        raise NotImplementedError

    def receiver(self) -> Receive:
        """Called in the process of the consumer."""
        raise NotImplementedError

    def settle(self) -> None:
        """Called in every process when all have their sender or receiver."""

    def finish(self) -> None:
        """Called in every process when the consumer has received everything."""

    def close(self) -> None:
        """Called in the parent at the very end."""

    @classmethod
    def absent(cls) -> str:
        return "" if not cls.module or find_spec(cls.module) else "not installed"


class OurChannel(Transport):
    """This emulator's channel, called from Python."""

    label = "iopf Channel"

    def __init__(self, producers: int, size: int) -> None:
        super().__init__(producers, size)
        self.area = mmap.mmap(-1, Channel.bytes_needed(producers, ROOM))
        self.memory = Memory(self.area)
        Channel.format(self.memory, 0, producers, ROOM)

    def sender(self, index: int) -> Send:
        producer = Channel(self.memory, 0).producer(index)
        return producer.put if self.size == RECORD_BYTES else producer.put_many

    def receiver(self) -> Receive:
        consumer = Channel(self.memory, 0).consumer()
        if self.size == RECORD_BYTES:
            return consumer.get
        return partial(consumer.get_many, self.size // RECORD_BYTES)

    def close(self) -> None:
        self.memory.close()
        self.area.close()


class _Queue(Transport):
    """The interface of multiprocessing.Queue."""

    queue: Any

    def sender(self, index: int) -> Send:
        put: Send = self.queue.put
        return put

    def receiver(self) -> Receive:
        get: Receive = self.queue.get
        return get

    def finish(self) -> None:
        self.queue.close()

    def close(self) -> None:
        self.queue.close()


class StandardQueue(_Queue):
    label = "multiprocessing.Queue"

    def __init__(self, producers: int, size: int) -> None:
        import multiprocessing

        super().__init__(producers, size)
        self.queue = multiprocessing.get_context("fork").Queue(self.pieces)


class DillQueue(_Queue):
    label = "multiprocess.Queue"
    module = "multiprocess"

    def __init__(self, producers: int, size: int) -> None:
        import multiprocess

        super().__init__(producers, size)
        self.queue = multiprocess.get_context("fork").Queue(self.pieces)


def _as_it_is(data: bytes) -> bytes:
    return data


class FasterFifo(_Queue):
    """Without pickle, its fastest mode."""

    label = "faster-fifo"
    module = "faster_fifo"

    def __init__(self, producers: int, size: int) -> None:
        import faster_fifo

        super().__init__(producers, size)
        room = (size + 16) * self.pieces
        self.queue = faster_fifo.Queue(max_size_bytes=room, loads=bytes, dumps=_as_it_is)

    def finish(self) -> None:
        """Closing it would close it for all processes."""


class PosixQueue(Transport):
    """Ten messages deep: more needs privileges."""

    label = "posix_ipc.MessageQueue"
    module = "posix_ipc"

    def __init__(self, producers: int, size: int) -> None:
        import posix_ipc

        super().__init__(producers, size)
        flags = posix_ipc.O_CREX
        self.queue = posix_ipc.MessageQueue(None, flags, max_messages=10, max_message_size=size)
        self.queue.unlink()

    def sender(self, index: int) -> Send:
        send: Send = self.queue.send
        return send

    def receiver(self) -> Receive:
        receive = self.queue.receive
        return lambda: receive()[0]

    def close(self) -> None:
        self.queue.close()


class ZeroMq(Transport):
    """PUSH to PULL over a Unix socket. A context does not survive a fork, so each process has one.

    Keeps the default of 1000 messages on either side: a smaller one makes it much slower.
    """

    label = "pyzmq ipc"
    module = "zmq"

    def __init__(self, producers: int, size: int) -> None:
        super().__init__(producers, size)
        self.folder = tempfile.mkdtemp(prefix="iopf-bench-")
        self.address = f"ipc://{self.folder}/queue"
        self.context: Any = None
        self.socket: Any = None

    def _open(self, kind: str) -> Any:
        import zmq

        self.context = zmq.Context()
        self.socket = self.context.socket(getattr(zmq, kind))
        return self.socket

    def sender(self, index: int) -> Send:
        send: Send = self._open("PUSH").send
        return send

    def receiver(self) -> Receive:
        socket = self._open("PULL")
        socket.bind(self.address)
        receive: Receive = socket.recv
        return receive

    def settle(self) -> None:
        """Connecting before the other side has bound would wait for a retry."""
        import zmq

        if self.socket.type == zmq.PUSH:
            self.socket.connect(self.address)
            if not self.socket.poll(int(WAIT_S * 1000), zmq.POLLOUT):
                raise RuntimeError("no connection")

    def finish(self) -> None:
        self.context.destroy(linger=0)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class RawPipe(Transport):
    """Writes of up to 4096 bytes are atomic (PIPE_BUF), so no lock is needed."""

    label = "os.pipe"

    def __init__(self, producers: int, size: int) -> None:
        super().__init__(producers, size)
        self.read_end, self.write_end = os.pipe()

    def sender(self, index: int) -> Send:
        return partial(os.write, self.write_end)

    def receiver(self) -> Receive:
        return partial(os.read, self.read_end, self.size)

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


class Iceoryx(Transport):
    """Publish and subscribe. It only polls, so waiting is 50 tries and then yields, as in our queues.

    A subscriber that has not polled once after the publisher started loses the first messages without an error: hence `settle`.
    """

    label = "iceoryx2"
    module = "iceoryx2"

    def __init__(self, producers: int, size: int) -> None:
        super().__init__(producers, size)
        self.name = f"iopf-bench-{os.getpid()}-{os.urandom(4).hex()}"
        self.held: list[Any] = []
        self.subscriber: Any = None

    def _service(self) -> Any:
        import iceoryx2 as iox

        iox.set_log_level(iox.LogLevel.Error)
        kind = type(
            f"Piece{self.size}", (ctypes.Structure,), {"_fields_": [("data", self._array())]}
        )
        node = iox.NodeBuilder.new().create(iox.ServiceType.Ipc)
        builder = node.service_builder(iox.ServiceName.new(self.name)).publish_subscribe(kind)
        builder = builder.max_publishers(self.producers).max_subscribers(1)
        builder = builder.enable_safe_overflow(False)
        service = builder.subscriber_max_buffer_size(self.pieces).open_or_create()
        self.held += [node, service]
        return service

    def _array(self) -> Any:
        return ctypes.c_uint8 * self.size

    def sender(self, index: int) -> Send:
        import iceoryx2 as iox

        builder = self._service().publisher_builder()
        strategy = iox.BackpressureStrategy.RetryUntilDelivered
        publisher = builder.backpressure_strategy(strategy).create()
        self.held.append(publisher)
        loan, move, size = publisher.loan_uninit, ctypes.memmove, self.size

        def send(piece: bytes) -> None:
            sample = loan()
            move(sample.payload_ptr, piece, size)
            sample.assume_init().send()

        return send

    def receiver(self) -> Receive:
        self.subscriber = self._service().subscriber_builder().create()
        take, copy, size = self.subscriber.receive, ctypes.string_at, self.size

        def receive() -> bytes:
            tries = 0
            while (sample := take()) is None:
                tries += 1
                if tries > 50:
                    os.sched_yield()
            return copy(sample.payload_ptr, size)

        return receive

    def settle(self) -> None:
        if self.subscriber is not None:
            self.subscriber.has_samples()

    def finish(self) -> None:
        """Otherwise its files would remain, because the process exits without cleaning up."""
        for each in [self.subscriber, *self.held[::-1]]:
            if hasattr(each, "delete"):
                each.delete()
        self.subscriber = None
        self.held.clear()


PEERS: tuple[type[Transport], ...] = (
    StandardQueue,
    DillQueue,
    FasterFifo,
    PosixQueue,
    ZeroMq,
    RawPipe,
    Iceoryx,
)
