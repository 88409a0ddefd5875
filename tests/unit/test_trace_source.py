# SPDX-License-Identifier: MIT
"""Opening traces: shipped names, compressed, truncated, binary, missing, standard input."""

from __future__ import annotations

import gzip
import io
import lzma
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from iopf.emulator.trace.source import (
    DATA_DIR,
    TRUNCATED,
    UNDECODABLE,
    SkipLog,
    TraceError,
    open_trace,
    shipped_traces,
)

Pack = Callable[[bytes], bytes]
TEXT = "".join(f"line {n} {n * 7919 % 65537:x}\n" for n in range(1, 20001))


def read(name: str, **options: object) -> list[tuple[int, str]]:
    return list(open_trace(name, **options))  # type: ignore[arg-type]


def fails(name: str | Path) -> TraceError:
    with pytest.raises(TraceError) as caught:
        read(str(name))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(name))
    assert "; " in str(caught.value)
    return caught.value


def test_shipped_names() -> None:
    assert shipped_traces() == ["gcc-compile", "python-sort", "sqlite-index"]
    assert [len(read(name)) for name in shipped_traces()] == [2715, 20007, 1703]


def test_plain_gz_xz_give_the_same_numbered_lines(tmp_path: Path) -> None:
    plain, gz, xz = tmp_path / "a", tmp_path / "b.bin", tmp_path / "c"
    plain.write_text(TEXT)
    gz.write_bytes(gzip.compress(TEXT.encode()))
    xz.write_bytes(lzma.compress(TEXT.encode()))
    expected = list(enumerate(TEXT.splitlines(), 1))
    assert read(str(plain)) == read(str(gz)) == read(str(xz)) == expected


def test_concatenated_members_and_padding(tmp_path: Path) -> None:
    gz, xz = tmp_path / "a.gz", tmp_path / "a.xz"
    gz.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    xz.write_bytes(lzma.compress(b"one\n") + b"\0" * 8 + lzma.compress(b"two\n") + b"\0" * 4)
    assert read(str(gz)) == read(str(xz)) == [(1, "one"), (2, "two")]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_truncated_file(tmp_path: Path, pack: object, share: float) -> None:
    packed = pack(TEXT.encode())  # type: ignore[operator]
    path = tmp_path / "cut"
    path.write_bytes(packed[: int(len(packed) * share)])
    error = fails(path)
    skips = SkipLog()
    lines = read(str(path), lenient=True, skips=skips)
    assert f"compressed file ends early after {len(lines)} lines" in str(error)
    assert skips.count(TRUNCATED) == 1
    assert lines == list(enumerate(TEXT.splitlines(), 1))[: len(lines)]
    if share > 0.9:
        assert len(lines) > 0.8 * 20000


def test_truncated_xz_loses_nothing_the_decoder_gives(tmp_path: Path) -> None:
    packed = (DATA_DIR / "python-sort.ftrace.xz").read_bytes()[:30000]
    path = tmp_path / "cut.xz"
    path.write_bytes(packed)
    complete = lzma.LZMADecompressor().decompress(packed).decode().count("\n")
    assert complete > 5000
    assert len(read(str(path), lenient=True)) == complete


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_damaged_file(tmp_path: Path, pack: object) -> None:
    packed = bytearray(pack(TEXT.encode()))  # type: ignore[operator]
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "damaged"
    path.write_bytes(packed)
    assert "after" in fails(path).what
    skips = SkipLog()
    read(str(path), lenient=True, skips=skips)
    assert skips.count(TRUNCATED) == 1


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"\x7fELF\x02\x01\x01" + bytes(50), "ELF"),
        (b"\x17\x08\x44tracing6\0", "trace-cmd"),
        (b"PERFILE2" + bytes(20), "perf"),
        (b"abc\0\0\0def", "binary"),
        (b"x" * 100_000, "longer than"),
    ],
)
def test_a_file_that_is_not_a_trace(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert what in fails(path).what


def test_a_header_cannot_ask_for_gigabytes(tmp_path: Path) -> None:
    """The dictionary size of the only block, changed to 4 GiB, with the check sum of its header."""
    data = bytearray(lzma.compress(TEXT.encode()))
    end = 12 + (data[12] + 1) * 4
    assert data[14:16] == b"\x21\x01", "the filter is LZMA2"
    data[16] = 40
    data[end - 4 : end] = zlib.crc32(data[12 : end - 4]).to_bytes(4, "little")
    path = tmp_path / "large"
    path.write_bytes(data)
    assert "unpacking needs more than 128 MiB of memory" in fails(path).what
    best = lzma.compress(TEXT.encode(), preset=9 | lzma.PRESET_EXTREME)
    path.write_bytes(best)
    assert len(read(str(path))) == 20_000


MAGICS = [b"", b"\xfd7zXZ\x00\x00\x04", b"\x1f\x8b\x08\x00", lzma.compress(b"x\n" * 99)[:40]]


@given(st.sampled_from(MAGICS), st.binary(max_size=400), st.booleans())
def test_any_bytes_are_lines_or_one_error(magic: bytes, noise: bytes, lenient: bool) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(magic + noise)
        file.flush()
        try:
            lines = read(file.name, lenient=lenient)
        except TraceError as error:
            assert str(error).isprintable()
            assert str(error).startswith(file.name)
        else:
            assert [number for number, _ in lines] == sorted({number for number, _ in lines})
            assert not any("\n" in text or "\0" in text for _, text in lines)


@example(b"a", gzip.compress, 1)
@given(
    st.binary(max_size=3000).map(lambda data: data.replace(b"\0", b" ")),
    st.sampled_from([gzip.compress, lzma.compress]),
    st.integers(0, 3000),
)
def test_a_cut_file_gives_the_lines_before_the_cut(data: bytes, pack: Pack, cut: int) -> None:
    packed = pack(data)
    cut = min(cut, len(packed))
    whole = [line.rstrip(b"\r") for line in data.split(b"\n")]
    with tempfile.NamedTemporaryFile() as file:
        file.write(packed[:cut])
        file.flush()
        try:
            lines = read(file.name, lenient=True)
        except TraceError:
            return
    for number, text in lines:
        assert whole[number - 1].decode(errors="replace") == text


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"good\nbad \xff\xfe\nlast\r\nno newline")
    error = fails(path)
    assert (error.line_number, str(error).split(":")[1]) == (2, "2")
    skips = SkipLog()
    lines = read(str(path), lenient=True, skips=skips)
    assert lines == [(1, "good"), (3, "last"), (4, "no newline")]
    assert skips.reasons[UNDECODABLE].lines == [2]


def test_missing_file_suggests_a_shipped_name(tmp_path: Path) -> None:
    assert "'sqlite-index'" in fails("sqlite-indx").advice
    assert "gcc-compile" in fails("/no/such/file").advice
    assert "directory" in fails(tmp_path).what
    assert "\n" not in str(fails_with_newline())


def fails_with_newline() -> TraceError:
    with pytest.raises(TraceError) as caught:
        read("a\nb")
    return caught.value


@pytest.mark.parametrize("binary", [True, False])
def test_stdin(monkeypatch: pytest.MonkeyPatch, binary: bool) -> None:
    if binary:
        stream: io.TextIOBase = io.TextIOWrapper(io.BytesIO(lzma.compress(b"one\ntwo\n")))
    else:
        stream = io.StringIO("one\ntwo\n")
    monkeypatch.setattr(sys, "stdin", stream)
    assert read("-") == [(1, "one"), (2, "two")]


def test_skip_log_keeps_three_lines() -> None:
    log = SkipLog()
    for line in range(10, 20):
        log.add("reason", line)
    assert log.reasons["reason"].lines == [10, 11, 12]
    assert log.count("reason") == 10
    assert log.count("other") == 0
