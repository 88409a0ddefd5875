# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Programs call the framework. See ``program.pxd``."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.kernel.ioasid.allocator cimport *
from iopf.emulator.kernel.ioasid.ioasid cimport *
from iopf.emulator.kernel.ioasid.space cimport ioasid_fail
from iopf.emulator.spec.program cimport prog_op
from iopf.emulator.spec.errno cimport EINVAL, ENOMEM


cdef ioasid_ops allocator_ops(prog_op *op) noexcept nogil:
    cdef ioasid_ops ops
    ops.ident = op.arg
    ops.alloc_fn = ops.free_fn = <uint32_t>op.a
    ops.pdata = op.b
    return ops


cdef int64_t op_ioasid_register(view *v, prog_op *op) noexcept nogil:
    """0, -EINVAL, -EEXIST, -EAGAIN (ids of the default allocator are out), -ENOMEM."""
    cdef ioasid_ops ops = allocator_ops(op)
    return ioasid_register_allocator(v, &ops) if ops.ident != 0 else EINVAL


cdef int64_t op_ioasid_unregister(view *v, prog_op *op) noexcept nogil:
    """0; an allocator that is not registered is ignored."""
    cdef ioasid_ops ops = allocator_ops(op)
    ioasid_unregister_allocator(v, &ops)
    return 0


cdef int64_t op_ioasid_alloc(view *v, prog_op *op) noexcept nogil:
    """The id, or -ENOMEM (none in the range, refused by the host, no memory)."""
    cdef uint32_t id = ioasid_alloc(v, op.arg, <uint32_t>op.a, <uint32_t>op.b, op.c)
    return ENOMEM if id == INVALID_IOASID else <int64_t>id


cdef int64_t op_ioasid_find(view *v, prog_op *op) noexcept nogil:
    """The private data, -ENOENT (no such id), -EACCES (of another set)."""
    cdef int err = 0
    cdef uint64_t private = ioasid_find(v, op.arg, <uint32_t>op.a, GETTER_NONE, &err)
    return err if err != 0 else <int64_t>(private & ~(<uint64_t>1 << 63))


cdef int64_t op_ioasid_set(view *v, prog_op *op) noexcept nogil:
    """0 or -ENOENT."""
    return ioasid_set_data(v, <uint32_t>op.a, op.b)


cdef int64_t op_ioasid_free(view *v, prog_op *op) noexcept nogil:
    ioasid_free(v, <uint32_t>op.a)
    return 0


cdef int64_t op_ioasid_fail(view *v, prog_op *op) noexcept nogil:
    return ioasid_fail(v, op.arg, <uint32_t>op.a, <uint32_t>op.b)
