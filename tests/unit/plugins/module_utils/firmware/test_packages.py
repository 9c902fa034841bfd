# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading packages, and rejecting dangerous ones before anything is unpacked."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.firmware.packages import Package, PackageError, Part, aliases


def packed(*entries, method=zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of (name or ZipInfo, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            with warnings.catch_warnings():
                # A name twice, on purpose
                warnings.filterwarnings("ignore", "Duplicate name")
                archive.writestr(name, content)
    return buffer.getvalue()


def special(name, kind) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (kind | 0o777) << 16
    return entry


def open_package(content, **options) -> Package:
    return Package(io.BytesIO(content), **options)


def test_drops_the_folders_of_parts():
    content = packed(
        ("release/", b""), ("release/sip.loads", b"names"), ("release/more/root fs.sbn", b"x" * 3_000_000), ("a.zup", b"")
    )
    package = open_package(content)
    assert package.parts == [Part("sip.loads", 5), Part("root fs.sbn", 3_000_000), Part("a.zup", 0)]
    assert b"".join(package.blocks("root fs.sbn")) == b"x" * 3_000_000
    assert b"".join(package.blocks("a.zup")) == b""


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as a zip file"),
        (b"\0" * 1000, "cannot be read as a zip file"),
        (packed(("../a.loads", b"")), "'../a.loads', a path that leads out of the package"),
        (packed(("a/../../b.loads", b"")), "a path that leads out of the package"),
        (packed(("..", b"")), "a path that leads out of the package"),
        (packed(("/etc/passwd", b"")), "'/etc/passwd', an absolute path"),
        (packed(("C:a", b"")), "'C:a', an absolute path"),
        (packed(("..\\a", b"")), "a name with a backslash or a null byte"),
        (packed((special("a.loads", stat.S_IFLNK), "/etc/shadow")), "'a.loads', which is a link instead of a file"),
        (packed((special("a.loads", stat.S_IFCHR), b"")), "'a.loads', which is a device instead of a file"),
        (packed(("a.loads", b"1"), ("a.loads", b"2")), "contains a.loads twice"),
        (packed(("a.loads", b"1"), ("b/A.loads", b"2")), "contains A.loads twice"),
        (packed((".htaccess", b"")), "'.htaccess', a name that phones cannot request"),
        (packed(("a\nb", b"")), r"'a\nb', a name that phones cannot request"),
        (packed(("a/", b"")), "contains no files"),
        (packed(), "contains no files"),
        (packed(("a", b"x"), method=zipfile.ZIP_LZMA), "compressed with an unsupported method"),
        (packed(*((f"{number}", b"") for number in range(2001))), "has 2,001 parts; at most 2,000 are allowed"),
    ],
)
def test_rejects_dangerous_packages(content, words):
    with pytest.raises(PackageError) as caught:
        open_package(content)
    assert words in str(caught.value)


def test_rejects_a_zip_bomb():
    content = packed(("a", b"\0" * 1_000_000), ("b", b"\0" * 1_000_000))
    assert len(content) < 5000
    assert len(open_package(content, max_bytes=2_000_000).parts) == 2
    with pytest.raises(PackageError, match="more than 1,999,999 bytes"):
        open_package(content, max_bytes=1_999_999)


def test_rejects_an_encrypted_part():
    content = bytearray(packed(("a.loads", b"x")))
    # The flag in the directory at the end
    content[content.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(PackageError, match="which is encrypted"):
        open_package(bytes(content))


def test_rejects_a_part_with_a_false_size():
    content = bytearray(packed(("a.loads", b"x" * 1000)))
    at = content.index(b"PK\1\2") + 24
    assert int.from_bytes(content[at : at + 4], "little") == 1000
    for lie in (10, 2000):
        content[at : at + 4] = lie.to_bytes(4, "little")
        with pytest.raises(PackageError, match=r"contains a\.loads, which is"):
            list(open_package(bytes(content)).blocks("a.loads"))


@given(st.data())
def test_damage_raises_only_package_errors(data):
    content = bytearray(packed(("a.loads", b"some text" * 20), ("b.sbn", bytes(range(256)) * 4)))
    for _change in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        package = open_package(bytes(content[:cut] if data.draw(st.booleans()) else content))
        for part in package.parts:
            assert sum(map(len, package.blocks(part.name))) == part.size
    except PackageError:
        pass


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("a.bin", ["a.bin"]),
        ("Spa.BIN", ["Spa.BIN", "spa.bin"]),
        ("ATA19x.11-2-1.img", ["ATA19x.11-2-1.img", "ata19x.11-2-1.img", "ATA19X.11-2-1.img"]),
        ("ATA19X.11-2-1.img", ["ATA19X.11-2-1.img", "ata19x.11-2-1.img", "ATA19x.11-2-1.img"]),
    ],
)
def test_aliases(name, names):
    assert list(aliases(name)) == names
