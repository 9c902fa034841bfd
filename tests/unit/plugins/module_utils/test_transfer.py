# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams between controller and target: whole or refused."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.sealing import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.transfer import (
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
    reader = Reader(io.BytesIO(data))
    return reader.base, reader.salt, list(reader.files()), reader.removed()


@given(st.lists(files, max_size=5), st.sets(texts, max_size=3))
def test_what_is_written_is_read(new, removed):
    assert read(written(new, removed)) == ("000001", "salt", new, removed)


EXAMPLE = written([NewFile("open/a", LiveFile("f", "desk", "service"), b"content\n")], ["open/b"])


@pytest.mark.parametrize("length", range(len(EXAMPLE)))
def test_cut_off_anywhere_it_is_refused(length):
    with pytest.raises(TransferError):
        read(EXAMPLE[:length])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish\n",
        b"{}\n",
        b'{"version":2,"base":"","salt":""}\n0\n',
        EXAMPLE + b"more",
        EXAMPLE.replace(b"\n1\n", b"\n2\n"),
        EXAMPLE.replace(b",8]", b",-8]"),
        EXAMPLE.replace(b",8]", b',"x"]'),
        EXAMPLE.replace(b'"service",', b""),
    ],
)
def test_damage_is_refused(data):
    assert data != EXAMPLE
    with pytest.raises(TransferError):
        read(data)


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


@pytest.mark.parametrize("cut", [1, 17, 1000, 66_000, 131_072])
def test_an_encrypted_stream_that_is_cut_off_is_refused(cut):
    data = encrypted(bytes(200_000))
    with pytest.raises(SealingError):
        io.BufferedReader(EncryptedReader(io.BytesIO(data[:-cut]), KEY.encode())).read()


@given(st.text(max_size=6), st.text(max_size=6), st.dictionaries(texts, st.builds(LiveFile, texts, texts, texts)))
def test_what_is_live(name, salt, entries):
    assert read_live(pack_live(name, salt, entries.items())) == Live(name, salt, entries)


@pytest.mark.parametrize("data", [b"", b"rubbish", pack_live("000001", "salt", [("a", LiveFile("f", "o", "k"))])[:-9]])
def test_a_damaged_answer_is_refused(data):
    with pytest.raises(TransferError):
        read_live(data)


def test_contents_are_sealed():
    packed = pack_contents([("open/a", b"secret content")], KEY)
    assert read_contents(packed, KEY) == {"open/a": b"secret content"}
    assert b"secret" not in packed
    with pytest.raises(SealingError):
        read_contents(packed, "another key")
