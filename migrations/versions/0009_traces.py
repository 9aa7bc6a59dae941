"""The trace that a job's request belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    traceparent = sa.Column("traceparent", sa.Text(), nullable=True)
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(traceparent)


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("traceparent")
