# SPDX-License-Identifier: MIT
"""Python's view of the VT-d encodings."""

from typing import TypedDict, type_check_only

@type_check_only
class Request(TypedDict):
    rid: int
    pasid: int | None
    address: int
    prgi: int
    read: bool
    write: bool
    last: bool
    execute: bool
    privileged: bool
    reserved_ok: bool
    canonical: bool
    stop_marker: bool

@type_check_only
class Response(TypedDict):
    type: int
    rid: int
    pasid: int | None
    code: int
    prgi: int
    last: bool

def encode_request(
    rid: int,
    pasid: int | None,
    address: int,
    prgi: int,
    *,
    read: bool = False,
    write: bool = False,
    last: bool = False,
    execute: bool = False,
    privileged: bool = False,
) -> tuple[int, int, int, int]: ...
def encode_stop_marker(rid: int, pasid: int) -> tuple[int, int, int, int]: ...
def decode_request(qw0: int, qw1: int, qw2: int = 0, qw3: int = 0) -> Request: ...
def encode_response(
    rid: int, pasid: int | None, prgi: int, code: int, *, last: bool = False
) -> tuple[int, int]: ...
def decode_response(qw0: int, qw1: int) -> Response: ...
def descriptor_type(qw0: int) -> int: ...
