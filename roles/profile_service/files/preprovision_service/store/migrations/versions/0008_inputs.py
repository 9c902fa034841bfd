# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory's phones were made of, so that only those with other inputs are read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
oldest_code = "0006"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "inputs",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("versions", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("inputs")
