# SPDX-License-Identifier: MIT
"""VT-d records and responses against published values, and round trips, widths, reserved bits."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from iopf.emulator.spec.codec import (
    decode_request,
    decode_response,
    descriptor_type,
    encode_request,
    encode_response,
    encode_stop_marker,
)

RID, PASID, PRGI, PAGE = 0x6A10, 2, 0x2C, 0x7FE0C9943000
SUCCESS, INVALID, FAILURE = 0, 1, 15
PAGE_GROUP_RESPONSE = 9

rids = st.integers(0, 0xFFFF)
pasids = st.none() | st.integers(0, 0xFFFFF)
prgis = st.integers(0, 511)
pages = st.integers(0, 2**52 - 1).map(lambda page: page << 12)
words = st.integers(0, 2**64 - 1)


def test_the_request() -> None:
    """Function 6a:02.0, PASID 2, read and write, last, group 0x2c: every field of the record at once."""
    assert encode_request(RID, PASID, PAGE, PRGI, read=True, write=True, last=True) == (
        0x000000026A100101, 0x00007FE0C9943167, 0, 0,
    )  # fmt: skip


def test_the_stop_marker() -> None:
    marker = encode_stop_marker(RID, PASID)
    assert marker == (0x000000026A100101, 4, 0, 0)
    fields = decode_request(*marker)
    assert fields["stop_marker"]
    assert fields["reserved_ok"]


@pytest.mark.parametrize(
    ("code", "qw0"),
    [(SUCCESS, 0x000000026A100019), (INVALID, 0x000000026A101019), (FAILURE, 0x000000026A10F019)],
)
def test_the_responses(code: int, qw0: int) -> None:
    assert encode_response(RID, PASID, PRGI, code) == (qw0, 0x160)
    assert descriptor_type(qw0) == PAGE_GROUP_RESPONSE


@given(rids, pasids, pages, prgis, *[st.booleans()] * 5)
def test_requests_come_back(
    rid: int,
    pasid: int | None,
    address: int,
    prgi: int,
    read: bool,
    write: bool,
    last: bool,
    execute: bool,
    privileged: bool,
) -> None:
    """Execute and privilege belong to the PASID: without one they are not sent."""
    record = encode_request(
        rid, pasid, address, prgi,
        read=read, write=write, last=last, execute=execute, privileged=privileged,
    )  # fmt: skip
    assert decode_request(*record) == {
        "rid": rid,
        "pasid": pasid,
        "address": address,
        "prgi": prgi,
        "read": read,
        "write": write,
        "last": last,
        "execute": execute and pasid is not None,
        "privileged": privileged and pasid is not None,
        "reserved_ok": True,
        "canonical": address >> 56 in (0, 0xFF),
        "stop_marker": last and not read and not write,
    }


@given(rids, pasids, prgis, st.integers(0, 15), st.booleans())
def test_responses_come_back(rid: int, pasid: int | None, prgi: int, code: int, last: bool) -> None:
    assert decode_response(*encode_response(rid, pasid, prgi, code, last=last)) == {
        "type": PAGE_GROUP_RESPONSE,
        "rid": rid,
        "pasid": pasid,
        "code": code,
        "prgi": prgi,
        "last": last,
    }


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), words, st.integers(0, 2**32 - 1))
def test_fields_that_are_too_wide_do_not_spill(
    rid: int, pasid: int, address: int, prgi: int
) -> None:
    record = encode_request(rid, pasid, address, prgi, read=True)
    fields = decode_request(*record)
    assert fields["reserved_ok"]
    assert (fields["rid"], fields["pasid"]) == (rid & 0xFFFF, pasid & 0xFFFFF)
    assert (fields["address"], fields["prgi"]) == (address & ~0xFFF, prgi & 511)
    assert not fields["execute"]
    assert not fields["last"]
    response = decode_response(*encode_response(rid, pasid, prgi, FAILURE + 16))
    assert (response["type"], response["code"]) == (PAGE_GROUP_RESPONSE, FAILURE)


QW0_RESERVED = [*range(9, 16), *range(54, 64)]


@pytest.mark.parametrize("bit", range(64))
def test_each_reserved_bit_is_noticed_and_no_other(bit: int) -> None:
    """Bits 7:0 are the type: any other type is refused as well."""
    qw0, qw1, qw2, qw3 = encode_request(RID, PASID, PAGE, PRGI, read=True)
    expected = bit not in QW0_RESERVED and bit > 7
    assert decode_request(qw0 ^ 1 << bit, qw1, qw2, qw3)["reserved_ok"] is expected
    assert decode_request(qw0, qw1 ^ 1 << bit, qw2, qw3)["reserved_ok"]
    assert not decode_request(qw0, qw1, 1 << bit, 0)["reserved_ok"]
    assert not decode_request(qw0, qw1, 0, 1 << bit)["reserved_ok"]


@given(words, words)
@example(0, 4)
def test_any_two_words_decode(qw0: int, qw1: int) -> None:
    """No hardware value makes the decoder fail, and every field stays within its width."""
    fields = decode_request(qw0, qw1)
    assert fields["rid"] < 1 << 16
    assert fields["pasid"] is None or fields["pasid"] < 1 << 20
    assert fields["prgi"] < 512
    assert fields["stop_marker"] == (qw1 & 7 == 4)


@pytest.mark.parametrize(
    ("address", "good"),
    [(0, True), (0x8000_0000_0000, True), (0xFF_FFFF_FFFF_F000, True), (1 << 56, False),
     (0xFEFF_FFFF_FFFF_F000, False), (0xFF00 << 48, True), (0xFFFF_FFFF_FFFF_F000, True)],
)  # fmt: skip
def test_canonical_addresses(address: int, good: bool) -> None:
    assert decode_request(1, address)["canonical"] is good
