"""What a delivery may have done already and has to remember; what a destination keeps; how often it failed lately.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

import widget_server.store.tables


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('deliveries', sa.Column('doubtful', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('deliveries', sa.Column('note', sa.Text(), nullable=True))
    op.add_column('destinations', sa.Column('kept', sa.Text(), nullable=True))
    op.add_column('destinations', sa.Column('renewal', widget_server.store.tables.Id(), nullable=True))
    op.add_column('destinations', sa.Column('renewing_until', widget_server.store.tables.Instant(), nullable=True))
    op.add_column('destinations', sa.Column('sampled_at', widget_server.store.tables.Instant(), nullable=True))
    op.add_column('destinations', sa.Column('sampled', sa.Integer(), server_default='0', nullable=False))
    op.add_column('destinations', sa.Column('sampled_ill', sa.Integer(), server_default='0', nullable=False))
    op.add_column('destinations', sa.Column('rests', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    for column in ('rests', 'sampled_ill', 'sampled', 'sampled_at', 'renewing_until', 'renewal', 'kept'):
        op.drop_column('destinations', column)
    for column in ('note', 'doubtful'):
        op.drop_column('deliveries', column)
