# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams between controller and target: complete or rejected."""

from __future__ import annotations

import contextlib
import gc
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.publishing import transfer
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.transfer import (
    EncryptedReader,
    EncryptedWriter,
    Live,
    LiveFile,
    NewFile,
    Reader,
    TransferError,
    Writer,
    pack_contents,
    pack_live,
    read_contents,
    read_live,
)

KEY = "a key for one transfer"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
files = st.builds(NewFile, texts, st.builds(LiveFile, texts, texts, texts), st.binary(max_size=200))


def written(new, removed=(), base="000001") -> bytes:
    stream = io.BytesIO()
    writer = Writer(stream, base, "salt")
    for path, file, content in new:
        writer.add(path, *file, content)
    writer.finish(removed)
    return stream.getvalue()


def read(data: bytes):
    return read_stream(io.BufferedReader(io.BytesIO(data)))


def read_stream(stream):
    reader = Reader(stream)
    return reader.base, reader.salt, list(reader.files()), reader.removed()


@given(st.lists(files, max_size=5), st.sets(texts, max_size=3))
def test_reads_what_it_writes(new, removed):
    assert read(written(new, removed)) == ("000001", "salt", new, removed)


EXAMPLE = written([NewFile("open/a", LiveFile("f", "desk", "service"), b"content\n")], ["open/b"])


@pytest.mark.parametrize("length", range(len(EXAMPLE)))
def test_rejects_truncation_anywhere(length):
    with pytest.raises(TransferError):
        read(EXAMPLE[:length])


def test_does_not_yield_truncated_files():
    files = Reader(io.BytesIO(EXAMPLE[: EXAMPLE.index(b"content") + 4])).files()
    with pytest.raises(TransferError, match="cut off"):
        next(files)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish\n",
        b"{}\n",
        b'{"version":2,"base":"","salt":""}\n0\n',
        b'{"version":1}\n0\n',
        b'{"version":1,"base":1,"salt":""}\n0\n',
        b"[" * 60_000 + b"\n",
        b"[" * 70_000 + b"\n",
        EXAMPLE + b"more",
        EXAMPLE.replace(b"\n1\n", b"\n2\n"),
        EXAMPLE.replace(b"\n1\n", b'\n"1"\n'),
        EXAMPLE.replace(b",8]", b",-8]"),
        EXAMPLE.replace(b",8]", b",9]"),
        EXAMPLE.replace(b",8]", b",7]"),
        EXAMPLE.replace(b",8]", b',"x"]'),
        EXAMPLE.replace(b",8]", b",8.0]"),
        EXAMPLE.replace(b'"service",', b""),
        EXAMPLE.replace(b'"open/a"', b"5"),
        EXAMPLE.replace(b'"desk"', b"null"),
        EXAMPLE.replace(b'["open/b"]', b"[5]"),
        EXAMPLE.replace(b'["open/b"]', b"[]"),
        EXAMPLE.replace(b'["open/b"]', b'{"open/b":1}'),
    ],
)
def test_rejects_damage(data):
    assert data != EXAMPLE
    with pytest.raises(TransferError):
        read(data)


@given(st.binary(max_size=60), st.integers(0, len(EXAMPLE)), st.integers(0, len(EXAMPLE)))
def test_reads_or_rejects_any_bytes(rubbish, start, end):
    with contextlib.suppress(TransferError):
        read(EXAMPLE[:start] + rubbish + EXAMPLE[end:])


@given(st.binary(max_size=300_000), st.integers(1, 100_000))
def test_encryption(data, step):
    sealed = encrypted(data, step)
    assert data[:100] not in sealed or len(data) < 8
    assert io.BufferedReader(EncryptedReader(io.BytesIO(sealed), KEY.encode())).read() == data


def encrypted(data: bytes, step: int = 1000) -> bytes:
    file = io.BytesIO()
    stream = EncryptedWriter(file, KEY.encode())
    for start in range(0, len(data), step):
        stream.write(data[start : start + step])
    stream.close()
    return file.getvalue()


@pytest.fixture
def short_records(monkeypatch):
    monkeypatch.setattr(transfer, "_RECORD_SIZE", 40)


def test_rejects_truncated_or_altered_encrypted_transfers(short_records):
    whole = encrypted(EXAMPLE)
    assert len(whole) > 4 * 40

    def read_encrypted(data):
        return read_stream(io.BufferedReader(EncryptedReader(io.BytesIO(data), KEY.encode())))

    assert read_encrypted(whole) == read(EXAMPLE)
    for place in range(len(whole)):
        for data in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            with pytest.raises((SealingError, TransferError)):
                read_encrypted(data)


def test_an_aborted_writer_leaves_an_incomplete_transfer(short_records):
    file = io.BytesIO()
    stream = EncryptedWriter(file, KEY.encode())
    Writer(stream, "", "salt").add("open/a", "f", "desk", "service", b"content")
    stream.close()
    with pytest.raises(TransferError, match="cut off"):
        read_stream(io.BufferedReader(EncryptedReader(io.BytesIO(file.getvalue()), KEY.encode())))


def test_an_abandoned_writer_writes_nothing_more(short_records):
    file = io.BytesIO()
    stream = EncryptedWriter(file, KEY.encode())
    stream.write(bytes(100))
    before = file.getvalue()
    # Its file may be closed and deleted by then
    del stream
    gc.collect()
    assert file.getvalue() == before


@pytest.mark.parametrize("cut", [1, 17, 1000, 66_000, 131_072])
def test_rejects_a_truncated_encrypted_stream(cut):
    data = encrypted(bytes(200_000))
    with pytest.raises(SealingError):
        io.BufferedReader(EncryptedReader(io.BytesIO(data[:-cut]), KEY.encode())).read()


@given(st.text(max_size=6), st.text(max_size=6), st.dictionaries(texts, st.builds(LiveFile, texts, texts, texts)))
def test_describes_live_files(name, salt, entries):
    assert read_live(pack_live(name, salt, entries.items())) == Live(name, salt, entries)


LIVE = Live("000001", "salt", {f"open/{name}": LiveFile(f"print of {name}", "desk", "service") for name in "abc"})
PACKED = pack_live(LIVE.name, LIVE.salt, LIVE.entries.items())


@pytest.mark.parametrize("length", range(len(PACKED)))
def test_rejects_a_truncated_answer(length):
    with pytest.raises(TransferError):
        read_live(PACKED[:length])


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_rejects_a_damaged_answer_unless_it_reads_the_same(place, bits):
    with contextlib.suppress(TransferError):
        assert read_live(PACKED[:place] + bytes([PACKED[place] ^ bits]) + PACKED[place + 1 :]) == LIVE


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"5\n",
        b'["000001"]\n',
        b'["000001",5]\n',
        b'["000001","salt"]\n["open/a","f","desk"]\n',
        b'["000001","salt"]\n[["open/a"],"f","desk","service"]\n',
        b'["000001","salt"]\n["open/a",5,"desk","service"]\n',
        b'["000001","salt"]\n' + b"[" * 100_000,
    ],
)
def test_rejects_answers_in_another_format(lines):
    with pytest.raises(TransferError):
        read_live(gzip.compress(lines))


def test_keeps_each_phones_name_once_in_memory():
    owners = [file.owner for file in read_live(PACKED).entries.values()]
    assert all(owner is owners[0] for owner in owners)


def test_contents_are_sealed():
    packed = pack_contents([("open/a", b"secret content")], KEY)
    assert read_contents(packed, KEY) == {"open/a": b"secret content"}
    assert b"secret" not in packed
    with pytest.raises(SealingError):
        read_contents(packed, "another key")
