# SPDX-License-Identifier: MIT
"""Decompression in chunks, so that all data before a break is recovered.

The lzma and gzip modules raise EOFError for a truncated file and lose the last chunk with it. Here the data is fed piecewise to the
decompressor objects, and a break is raised only after everything before it has been yielded.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator

CHUNK_BYTES = 16 * 1024
XZ_MEMORY_BYTES = 128 << 20  # a dictionary of `xz -9` takes 65 MiB; a header can ask for 4 GiB
XZ_MAGIC = b"\xfd7zXZ\x00"
GZ_MAGIC = b"\x1f\x8b"


class BrokenData(Exception):
    """The compressed data is truncated or damaged; the text says which."""


def unpack_xz(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress concatenated .xz streams; data before a break is yielded before BrokenData."""
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)
    started = False
    for chunk in chunks:
        data = chunk
        while data or not decoder.needs_input:
            if decoder.eof:
                data = data.lstrip(b"\0")  # padding between streams
                if not data:
                    started = False
                    break
                decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)
            started = True
            try:
                out = decoder.decompress(data, CHUNK_BYTES)
            except lzma.LZMAError as error:
                what = "compressed data is damaged"
                if "emory usage limit" in str(error):
                    what = f"unpacking needs more than {XZ_MEMORY_BYTES >> 20} MiB of memory"
                raise BrokenData(what) from error
            data = b""
            if out:
                yield out
            if decoder.eof:
                data = decoder.unused_data
                if not data:
                    started = False
                    break
            elif decoder.needs_input:
                break
    if started:
        raise BrokenData("compressed file ends early")


def unpack_gz(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress concatenated gzip members; data before a break is yielded before BrokenData."""
    decoder = zlib.decompressobj(31)
    ended = True
    for chunk in chunks:
        data = chunk
        while data:
            if decoder.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                decoder = zlib.decompressobj(31)
            try:
                out = decoder.decompress(data, CHUNK_BYTES)
            except zlib.error as error:
                raise BrokenData("compressed data is damaged") from error
            ended = decoder.eof
            data = decoder.unused_data if ended else decoder.unconsumed_tail
            if out:
                yield out
    if not ended:
        tail = decoder.flush()
        if tail:
            yield tail
        raise BrokenData("compressed file ends early")
