# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: round trips, no cell is a formula, and openssl verifies the signature."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preprovision_service.manifest import COLUMNS, Item, public_key, signing_key, to_archive, to_csv, to_json

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.from_regex(r"\A\s?[=+\-@\t\r|%].*")
ITEMS = st.lists(st.builds(Item, **dict.fromkeys(COLUMNS, TEXTS)), max_size=4)
ITEM = Item(**{name: f"{name} 1" for name in COLUMNS})
SECRET = "for tests: the secret of a station"
ABOUT = {"made": "2026-01-31T12:00:00+00:00", "operator": "ann", "station": "bench-1", "chosen": {"customer": "Example"}}


@given(ITEMS)
def test_csv_round_trip(items: list[Item]) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(items).decode(), newline="")))
    assert rows[0] == list(COLUMNS)
    assert len(rows) == len(items) + 1
    for row, item in zip(rows[1:], items, strict=True):
        for cell, text in zip(row, asdict(item).values(), strict=True):
            assert cell in (text, f"'{text}")
            assert not cell.lstrip().startswith(("=", "+", "-", "@"))
            assert not cell.startswith(("\t", "\r", "\n", "\0"))


@given(st.text())
def test_writes_any_text(text: str) -> None:
    """Lone surrogates, and anything else that a database may contain."""
    item = Item(**{**asdict(ITEM), "name": text})
    assert to_csv([item]).decode()
    assert json.loads(to_json([item], **ABOUT))["phones"] == [asdict(item)]


@given(ITEMS)
def test_json_round_trip(items: list[Item]) -> None:
    document = json.loads(to_json(items, **ABOUT))
    assert document["phones"] == [asdict(item) for item in items]
    assert document["count"] == len(items)
    assert to_json(items, **ABOUT) == to_json(items, **ABOUT)


def test_plain_cells_are_unchanged() -> None:
    assert to_csv([ITEM]).decode().splitlines()[1] == ",".join(f'"{name} 1"' for name in COLUMNS)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return the folder of an unpacked archive."""
    packed = to_archive(to_json([ITEM], **ABOUT), to_csv([ITEM]), signing_key(SECRET))
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        file.extractall(tmp_path)
    return tmp_path


def verify(folder: Path) -> bool:
    """Verify as README.txt describes."""
    command = next(line.split() for line in (folder / "README.txt").read_text().splitlines() if line.startswith("    openssl"))
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == ("Signature Verified Successfully" in done.stdout)
    return done.returncode == 0


def test_openssl_verifies(archive: Path) -> None:
    assert verify(archive)


@pytest.mark.parametrize("change", ["document", "signature", "key"])
def test_openssl_rejects_changes(archive: Path, change: str) -> None:
    if change == "document":
        text = (archive / "manifest.json").read_text()
        (archive / "manifest.json").write_text(text.replace("operator 1", "operator 2"))
    elif change == "signature":
        signature = (archive / "manifest.json.sig").read_bytes()
        (archive / "manifest.json.sig").write_bytes(bytes([signature[0] ^ 1]) + signature[1:])
    else:
        (archive / "manifest.pem").write_bytes(public_key(signing_key(SECRET + "!")))
    assert not verify(archive)


def test_key_is_derived_from_the_secret() -> None:
    assert public_key(signing_key(SECRET)) == public_key(signing_key(SECRET)) != public_key(signing_key("another secret " * 3))
    assert SECRET.encode() not in public_key(signing_key(SECRET))


@pytest.mark.parametrize("secret", ["", "0" * 31])
def test_nothing_is_signed_with_a_secret_that_anybody_could_guess(secret):
    with pytest.raises(ValueError, match=f"the service's secret has {len(secret)} characters, but a signature needs at least 32"):
        signing_key(secret)
