# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a phone's state rests on claims, and what proved that a shipped phone had its profile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Go there."""
    op.add_column("phones", sa.Column("claimed", sa.Integer(), server_default="0", nullable=False))
    op.add_column("shipments", sa.Column("evidence", sa.String(length=16), server_default="", nullable=False))
    op.add_column("shipments", sa.Column("override", sa.String(length=255), server_default="", nullable=False))


def downgrade() -> None:
    """Go back."""
    # As they stand: a new table in place of phones would take the reports with the old one
    op.drop_column("phones", "claimed")
    for name in ("evidence", "override"):
        op.drop_column("shipments", name)
