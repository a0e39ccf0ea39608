"""What evaluations of a model's file found, where they are whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "evaluation_scores",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("suite", sa.String(20), nullable=False),
        sa.Column("model", sa.String(400), nullable=False),
        sa.Column("file_digest", sa.String(64), nullable=False),
        sa.Column("file_state", sa.String(64), nullable=False),
        sa.Column("template_digest", sa.String(64), nullable=False),
        sa.Column("engine", sa.String(200), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_evaluation_scores_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name="pk_evaluation_scores"),
    )
