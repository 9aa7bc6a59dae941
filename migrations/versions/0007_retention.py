"""When a source was last wanted, jobs by expiry, and how far a round of the cleanup has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    wanted_at = sa.Column(
        "wanted_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
    )
    with op.batch_alter_table("images") as images:
        images.add_column(wanted_at)
    op.create_index(op.f("ix_jobs_expires_at"), "jobs", ["expires_at"])
    op.create_table(
        "rounds",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("behind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_rounds")),
    )


def downgrade() -> None:
    op.drop_table("rounds")
    op.drop_index(op.f("ix_jobs_expires_at"), "jobs")
    with op.batch_alter_table("images") as images:
        images.drop_column("wanted_at")
