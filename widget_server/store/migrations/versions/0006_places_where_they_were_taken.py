"""Places belong to the signatures that took them, also where staff merged these with others.

Revision ID: 0006
Revises: 0005
"""

from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

_ITS = (
    "SELECT s.id FROM signatures s WHERE s.letter_id = signers.letter_id AND s.signer_hash = signers.signer_hash"
    " AND s.repeat_of = signers.signature_id AND s.status = 'confirmed' ORDER BY s.seq LIMIT 1"
)


def upgrade() -> None:
    op.execute(
        f"UPDATE signers SET signature_id = ({_ITS}), alias = FALSE WHERE alias AND NOT rejected AND EXISTS ({_ITS})"
    )


def downgrade() -> None:
    op.execute(
        "UPDATE signers SET alias = TRUE, signature_id ="
        " (SELECT s.repeat_of FROM signatures s WHERE s.id = signers.signature_id)"
        " WHERE NOT rejected AND EXISTS (SELECT 1 FROM signatures s WHERE s.id = signers.signature_id"
        " AND s.repeat_of IS NOT NULL)"
    )
