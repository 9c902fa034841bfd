# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file a phone gets by TFTP as its own, whether it logs what it does with it, and when it was done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go there."""
    op.add_column("phones", sa.Column("unit_file", sa.String(length=8), server_default="", nullable=False))
    op.add_column("phones", sa.Column("logs", sa.Integer(), server_default="1", nullable=False))
    op.add_column("phones", sa.Column("done", _NUMBER, server_default="0", nullable=False))
    # Those that were done before need no file any more
    op.execute("UPDATE phones SET done = since WHERE state IN ('resynced', 'reported', 'packed')")
    op.create_index("ix_phones_done", "phones", ["done"])


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_phones_done", "phones")
    for name in ("unit_file", "logs", "done"):
        # As it stands: a new table in its place would take the reports with the old one
        op.drop_column("phones", name)
