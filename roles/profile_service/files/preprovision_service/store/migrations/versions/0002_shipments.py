# SPDX-License-Identifier: GPL-3.0-or-later
"""What was shipped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "shipments",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("time", _NUMBER, nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("customer", sa.String(length=255), nullable=False),
        sa.Column("firmware", sa.String(length=64), nullable=False),
        sa.Column("profile_hash", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("arrived", _NUMBER, nullable=False),
        sa.Column("fetched", _NUMBER, nullable=False),
        sa.Column("returned", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_shipments_mac", "shipments", ["mac"])
    op.create_index("ix_shipments_time", "shipments", ["time"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("shipments")
