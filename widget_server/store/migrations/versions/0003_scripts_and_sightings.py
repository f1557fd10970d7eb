"""Scripts kept by their hash, for pages that pinned them; where each partner's widget was seen.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

import widget_server.store.tables


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('scripts',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('kept_at', widget_server.store.tables.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('name', 'hash', name=op.f('pk_scripts'))
    )
    op.create_table('sightings',
    sa.Column('partner_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('origin', sa.String(length=300), nullable=False),
    sa.Column('first_seen_at', widget_server.store.tables.Instant(), nullable=False),
    sa.Column('last_seen_at', widget_server.store.tables.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['partner_id'], ['partners.id'], name=op.f('fk_sightings_partner_id')),
    sa.PrimaryKeyConstraint('partner_id', 'origin', name=op.f('pk_sightings'))
    )


def downgrade() -> None:
    op.drop_table('sightings')
    op.drop_table('scripts')
