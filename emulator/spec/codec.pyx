# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Python's view of the VT-d encodings: the functions of ``vtd.pxd``, for tests, tools and traces. The layouts stand there."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.spec.vtd cimport *


def encode_request(uint32_t rid, pasid, uint64_t address, uint32_t prgi, *, bint read=False, bint write=False,
                   bint last=False, bint execute=False, bint privileged=False) -> tuple:
    """The four words of a page request descriptor; ``pasid`` None is a request without one, which has no execute and privilege either."""
    cdef uint32_t lwr = (PRI_READ if read else 0) | (PRI_WRITE if write else 0) | (PRI_LAST if last else 0)
    cdef uint64_t qw0 = prq_qw0(rid, 0 if pasid is None else pasid, pasid is not None, execute, privileged)
    return qw0, pri_message(address, prgi, lwr), 0, 0


def encode_stop_marker(uint32_t rid, uint32_t pasid) -> tuple:
    """The last-in-group request without read and write that ends a PASID's requests."""
    return prq_qw0(rid, pasid, True, False, False), pri_message(0, 0, PRI_LAST), 0, 0


def decode_request(uint64_t qw0, uint64_t qw1, uint64_t qw2=0, uint64_t qw3=0) -> dict:
    """The fields, whether the reserved bits are clear and the address is canonical, and whether it is a stop marker."""
    return {
        "rid": prq_rid(qw0), "pasid": prq_pasid(qw0) if prq_pasid_present(qw0) else None,
        "address": pri_address(qw1), "prgi": pri_prgi(qw1),
        "read": bool(pri_rw(qw1) & PRI_READ), "write": bool(pri_rw(qw1) & PRI_WRITE), "last": bool(pri_last(qw1)),
        "execute": bool(prq_execute(qw0)), "privileged": bool(prq_privileged(qw0)),
        "reserved_ok": bool(prq_reserved_ok(qw0, qw2, qw3)), "canonical": bool(address_canonical(pri_address(qw1))),
        "stop_marker": bool(pri_stop_marker(qw1)),
    }


def encode_response(uint32_t rid, pasid, uint32_t prgi, uint32_t code, *, bint last=False) -> tuple:
    """The two words of a page group response descriptor that are not zero; ``code`` is RESP_SUCCESS, _INVALID or _FAILURE."""
    return resp_qw0(rid, 0 if pasid is None else pasid, pasid is not None, code), resp_qw1(prgi, last)


def decode_response(uint64_t qw0, uint64_t qw1) -> dict:
    """Requester, PASID and group index stand where a request has them; the presence bit and the code do not."""
    return {
        "type": qi_type(qw0), "rid": prq_rid(qw0), "pasid": prq_pasid(qw0) if (qw0 >> 4) & 1 else None,
        "code": <uint32_t>(qw0 >> 12) & 15, "prgi": pri_prgi(qw1), "last": bool(pri_last(qw1)),
    }


def descriptor_type(uint64_t qw0) -> int:
    """The type of an invalidation queue descriptor, from its two fields."""
    return qi_type(qw0)
