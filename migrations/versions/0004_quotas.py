"""Quotas of accounts, and what has to be counted for them and for who watches the queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("max_pending", sa.Integer(), nullable=True))
        accounts.add_column(sa.Column("max_stored_bytes", sa.BigInteger(), nullable=True))
    unfinished = sa.text("finished_at IS NULL")
    op.create_index(
        "ix_jobs_account_id_open",
        "jobs",
        ["account_id"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index(op.f("ix_images_account_id_bytes"), "images", ["account_id", "bytes"])
    op.create_index(op.f("ix_renditions_account_id_bytes"), "renditions", ["account_id", "bytes"])
    op.create_index(op.f("ix_colorways_status_finished_at"), "colorways", ["status", "finished_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_colorways_status_finished_at"), "colorways")
    op.drop_index(op.f("ix_renditions_account_id_bytes"), "renditions")
    op.drop_index(op.f("ix_images_account_id_bytes"), "images")
    op.drop_index("ix_jobs_account_id_open", "jobs")
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_column("max_stored_bytes")
        accounts.drop_column("max_pending")
