# SPDX-License-Identifier: GPL-3.0-or-later
"""When each phone reached what the plot of a batch counts, so that nobody looks through all events for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OF_SCANS = sa.text("kind IN ('scanned', 'packed', 'returned')")
# What the plot has counted until now
_EVENTS = {
    "first_leased": "kind = 'lease'",
    "first_profile": "kind = 'profile'",
    "first_resynced": """kind = 'resync' AND detail LIKE '%"what"%"success"%'""",
    "first_packed": "kind = 'packed'",
}


def upgrade() -> None:
    """Go there."""
    for name in _EVENTS:
        op.add_column("phones", sa.Column(name, _NUMBER, server_default="0", nullable=False))
    phones = sa.table("phones", sa.column("mac"), *map(sa.column, _EVENTS))
    events = sa.table("events", sa.column("mac"), sa.column("time"))
    first = {
        name: sa.select(sa.func.coalesce(sa.func.min(events.c.time), 0))
        .where(events.c.mac == phones.c.mac, sa.text(condition))
        .scalar_subquery()
        for name, condition in _EVENTS.items()
    }
    op.execute(phones.update().values(first))
    op.create_index("events_of_scans", "events", ["kind", "id"], sqlite_where=_OF_SCANS, postgresql_where=_OF_SCANS)
    op.create_index("ix_phones_model", "phones", ["model"])


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_phones_model", "phones")
    op.drop_index("events_of_scans", "events")
    for name in _EVENTS:
        # As it stands: a new table in its place would take the reports with the old one
        op.drop_column("phones", name)
