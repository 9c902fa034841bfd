# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of the board, which ended with their cookie only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "board_sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("since", _NUMBER, nullable=False),
        sa.Column("proof", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_board_sessions_operator", "board_sessions", ["operator"])
    op.create_index("ix_board_sessions_since", "board_sessions", ["since"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("board_sessions")
