"""What retries, poison pictures and the reconciler's proofs need to know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    with op.batch_alter_table("colorways") as colorways:
        colorways.add_column(
            sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        colorways.add_column(
            sa.Column("opened_at", moment, server_default=sa.func.now(), nullable=False)
        )
        colorways.create_index(op.f("ix_colorways_status_opened_at"), ["status", "opened_at"])
    op.execute(
        "UPDATE colorways SET opened_at ="
        " (SELECT created_at FROM jobs WHERE jobs.id = colorways.job_id)"
    )
    with op.batch_alter_table("images") as images:
        images.add_column(sa.Column("deaths", sa.Integer(), server_default="0", nullable=False))
    few = sa.text("deaths > 0")
    op.create_index(
        op.f("ix_images_deaths"), "images", ["deaths"], sqlite_where=few, postgresql_where=few
    )
    with op.batch_alter_table("jobs") as jobs:
        jobs.create_index(op.f("ix_jobs_finished_at"), ["finished_at"])
    with op.batch_alter_table("renditions") as renditions:
        renditions.add_column(
            sa.Column("checked_at", moment, server_default=sa.func.now(), nullable=False)
        )
        renditions.create_index(op.f("ix_renditions_checked_at"), ["checked_at"])
    op.execute("UPDATE renditions SET checked_at = created_at")
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("drift", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
    )


def downgrade() -> None:
    op.drop_table("reconciliations")
    with op.batch_alter_table("renditions") as renditions:
        renditions.drop_index(op.f("ix_renditions_checked_at"))
        renditions.drop_column("checked_at")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index(op.f("ix_jobs_finished_at"))
    op.drop_index(op.f("ix_images_deaths"), "images")
    with op.batch_alter_table("images") as images:
        images.drop_column("deaths")
    with op.batch_alter_table("colorways") as colorways:
        colorways.drop_index(op.f("ix_colorways_status_opened_at"))
        colorways.drop_column("opened_at")
        colorways.drop_column("alone")
