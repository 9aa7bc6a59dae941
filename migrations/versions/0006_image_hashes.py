"""What a source looks like, and the indexes that find what looks the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

HASHES = ("phash", "ahash", "dhash", "whash")
HASHED = sa.text("phash IS NOT NULL")


def upgrade() -> None:
    for name in HASHES:
        op.add_column("images", sa.Column(name, sa.BigInteger(), nullable=True))
    _index("ix_images_account_id_hashes", ["account_id", *HASHES, "id"])
    _index("ix_images_account_id_newest", ["account_id", "id"])


def _index(name: str, columns: list[str]) -> None:
    op.create_index(op.f(name), "images", columns, postgresql_where=HASHED, sqlite_where=HASHED)


def downgrade() -> None:
    op.drop_index(op.f("ix_images_account_id_newest"), "images")
    op.drop_index(op.f("ix_images_account_id_hashes"), "images")
    for name in reversed(HASHES):
        op.drop_column("images", name)
