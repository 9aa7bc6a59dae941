"""How many of a job's pictures were there when it was submitted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    cached = sa.Column("cached", sa.Integer(), server_default="0", nullable=False)
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(cached)


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("cached")
