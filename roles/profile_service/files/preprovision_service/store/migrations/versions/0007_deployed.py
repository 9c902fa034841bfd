# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployed phones: when a phone was packed and when it last called home, and where an event was seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
oldest_code = "0006"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PHONES = ("packed", "contact", "asked_by_key_id")


def upgrade() -> None:
    """Go there. Every column has a default, so that servers with an earlier release write on meanwhile."""
    op.add_column("events", sa.Column("place", sa.String(length=8), server_default="bench", nullable=False))
    for name in _PHONES:
        op.add_column("phones", sa.Column(name, _NUMBER, server_default="0", nullable=False))
    op.add_column("phones", sa.Column("contact_address", sa.String(length=45), server_default="", nullable=False))
    op.create_index("ix_phones_contact", "phones", ["contact"])
    op.execute("UPDATE phones SET packed = since WHERE state = 'packed'")


def downgrade() -> None:
    """Go back."""
    op.execute("UPDATE phones SET state = 'packed', since = packed WHERE state = 'deployed' AND packed > 0")
    op.execute("UPDATE phones SET state = 'resynced' WHERE state = 'deployed'")
    op.drop_index("ix_phones_contact", "phones")
    # As they stand: a new table in place of phones would take the reports with the old one
    for name in (*_PHONES, "contact_address"):
        op.drop_column("phones", name)
    op.drop_column("events", "place")
