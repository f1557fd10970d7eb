"""A signature that can be trusted, and taken back: confirming, consents, abuse, review, retention.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

import widget_server.store.tables
from widget_server.domain.emails import BadEmail
from widget_server.domain.emails import read as read_email
from widget_server.domain.signers import address_hash, signer_hash


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('client_keys',
    sa.Column('day', sa.String(length=10), nullable=False),
    sa.Column('key', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('day', name=op.f('pk_client_keys'))
    )
    op.create_table('spent_challenges',
    sa.Column('challenge', sa.String(length=64), nullable=False),
    sa.Column('expires_at', widget_server.store.tables.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('challenge', name=op.f('pk_spent_challenges')),
    sqlite_with_rowid=False
    )
    op.create_table('block_rules',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('letter_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('pattern', sa.Text(), nullable=False),
    sa.Column('allow', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('created_at', widget_server.store.tables.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['letter_id'], ['letters.id'], name=op.f('fk_block_rules_letter_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_block_rules')),
    sqlite_autoincrement=True
    )
    op.create_table('mail_quotas',
    sa.Column('letter_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('who', sa.String(length=43), nullable=False),
    sa.Column('started_at', widget_server.store.tables.Instant(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['letter_id'], ['letters.id'], name=op.f('fk_mail_quotas_letter_id')),
    sa.PrimaryKeyConstraint('letter_id', 'who', name=op.f('pk_mail_quotas')),
    sqlite_with_rowid=False
    )
    op.create_table('rejections',
    sa.Column('id', widget_server.store.tables.Id(), nullable=False),
    sa.Column('letter_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('pattern', widget_server.store.tables.Json(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('created_at', widget_server.store.tables.Instant(), nullable=False),
    sa.Column('undone_at', widget_server.store.tables.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['letter_id'], ['letters.id'], name=op.f('fk_rejections_letter_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rejections'))
    )
    op.create_table('remainders',
    sa.Column('letter_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('what', sa.String(length=16), nullable=False),
    sa.Column('statement', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['letter_id'], ['letters.id'], name=op.f('fk_remainders_letter_id')),
    sa.PrimaryKeyConstraint('letter_id', 'what', 'statement', 'kind', name=op.f('pk_remainders'))
    )
    op.create_table('spikes',
    sa.Column('letter_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('what', sa.String(length=8), nullable=False),
    sa.Column('subject', sa.String(length=255), nullable=False),
    sa.Column('told_at', widget_server.store.tables.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['letter_id'], ['letters.id'], name=op.f('fk_spikes_letter_id')),
    sa.PrimaryKeyConstraint('letter_id', 'what', 'subject', name=op.f('pk_spikes'))
    )
    op.create_table('consents',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('signature_id', widget_server.store.tables.Id(), nullable=False),
    sa.Column('letter_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('purpose', sa.String(length=12), nullable=False),
    sa.Column('partner_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('given', sa.Boolean(), nullable=False),
    sa.Column('way', sa.String(length=12), nullable=False),
    sa.Column('version', sa.String(length=16), nullable=True),
    sa.Column('shown', sa.Boolean(), nullable=False),
    sa.Column('locale', sa.String(length=16), nullable=False),
    sa.Column('page', sa.Text(), nullable=True),
    sa.Column('token_version', sa.Integer(), nullable=True),
    sa.Column('at', widget_server.store.tables.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['letter_id'], ['letters.id'], name=op.f('fk_consents_letter_id')),
    sa.ForeignKeyConstraint(['partner_id'], ['partners.id'], name=op.f('fk_consents_partner_id')),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_consents')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.create_index('ix_consents_signature', ['signature_id'], unique=False)

    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.add_column(sa.Column('told_address', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('sealed', sa.Text(), nullable=True))

    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.create_index('ix_events_signature', ['signature_id'], unique=False, sqlite_where=sa.text('signature_id IS NOT NULL'), postgresql_where=sa.text('signature_id IS NOT NULL'))

    with op.batch_alter_table('letters', schema=None) as batch_op:
        batch_op.add_column(sa.Column('closed_at', widget_server.store.tables.Instant(), nullable=True))

    with op.batch_alter_table('signatures', schema=None) as batch_op:
        batch_op.add_column(sa.Column('address_hash', sa.String(length=43), nullable=True))
        batch_op.add_column(sa.Column('client', sa.String(length=22), nullable=True))
        batch_op.add_column(sa.Column('address_confirmed_at', widget_server.store.tables.Instant(), nullable=True))
        batch_op.add_column(sa.Column('mail_refused_at', widget_server.store.tables.Instant(), nullable=True))
        batch_op.add_column(sa.Column('rejected_from', sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column('rejection_id', widget_server.store.tables.Id(), nullable=True))
        batch_op.create_index('ix_signatures_address', ['letter_id', 'address_hash'], unique=False, sqlite_where=sa.text('address_hash IS NOT NULL'), postgresql_where=sa.text('address_hash IS NOT NULL'))
        batch_op.create_index('ix_signatures_rejection', ['rejection_id'], unique=False, sqlite_where=sa.text('rejection_id IS NOT NULL'), postgresql_where=sa.text('rejection_id IS NOT NULL'))
        batch_op.create_index('ix_signatures_repeats', ['repeat_of'], unique=False, sqlite_where=sa.text('repeat_of IS NOT NULL'), postgresql_where=sa.text('repeat_of IS NOT NULL'))

    with op.batch_alter_table('signers', schema=None) as batch_op:
        batch_op.add_column(sa.Column('rejected', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('alias', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index('ix_signers_alias', ['signature_id'], unique=False, sqlite_where=sa.text('alias'), postgresql_where=sa.text('alias'))
        batch_op.create_index('ix_signers_rejected', ['letter_id', 'signer_hash'], unique=False, sqlite_where=sa.text('rejected'), postgresql_where=sa.text('rejected'))


    op.execute(
        "UPDATE letters SET closed_at = (SELECT max(audit.at) FROM audit WHERE audit.letter_id = letters.id"
        " AND audit.action = 'letter.close') WHERE state = 'closed'"
    )
    _hash_what_is_there()


_PAGE = 1000


def _hash_what_is_there() -> None:
    """Signatures from before: whose mailbox they came from, and organizations by the wider reading of their name."""
    tables = sa.MetaData()
    connection = op.get_bind()
    tables.reflect(connection, only=("letters", "signatures", "signers"))
    letters, signatures, signers = (tables.tables[name] for name in ("letters", "signatures", "signers"))
    keys = {id_: bytes(key) for id_, key in connection.execute(sa.select(letters.c.id, letters.c.signer_key))}
    s, after = signatures.c, 0
    while True:
        rows = connection.execute(
            sa.select(s.seq, s.id, s.letter_id, s.kind, s.organization, s.email, s.signer_hash)
            .where(s.email.is_not(None), s.seq > after)
            .order_by(s.seq)
            .limit(_PAGE)
        ).all()
        for seq, id_, letter_id, kind, organization, email, old in rows:
            after = seq
            try:
                canonical = read_email(email).canonical
            except BadEmail:
                continue
            key = keys[letter_id]
            mailbox = address_hash(key, canonical)
            connection.execute(signatures.update().where(s.seq == seq).values(address_hash=mailbox))
            new = signer_hash(key, kind, canonical, organization)
            here = (signers.c.letter_id == letter_id) & (signers.c.signer_hash == old)
            holds = connection.scalar(sa.select(signers.c.signature_id).where(here))
            taken = (signers.c.letter_id == letter_id) & (signers.c.signer_hash == new)
            if new != old and str(holds) == str(id_) and connection.scalar(sa.select(signers.c.alias).where(taken)) is None:
                connection.execute(
                    signers.insert().values(letter_id=letter_id, signer_hash=new, signature_id=id_, alias=True)
                )
        if len(rows) < _PAGE:
            return


def downgrade() -> None:
    with op.batch_alter_table('signers', schema=None) as batch_op:
        batch_op.drop_index('ix_signers_rejected', sqlite_where=sa.text('rejected'), postgresql_where=sa.text('rejected'))
        batch_op.drop_index('ix_signers_alias', sqlite_where=sa.text('alias'), postgresql_where=sa.text('alias'))
        batch_op.drop_column('alias')
        batch_op.drop_column('rejected')

    with op.batch_alter_table('signatures', schema=None) as batch_op:
        batch_op.drop_index('ix_signatures_repeats', sqlite_where=sa.text('repeat_of IS NOT NULL'), postgresql_where=sa.text('repeat_of IS NOT NULL'))
        batch_op.drop_index('ix_signatures_rejection', sqlite_where=sa.text('rejection_id IS NOT NULL'), postgresql_where=sa.text('rejection_id IS NOT NULL'))
        batch_op.drop_index('ix_signatures_address', sqlite_where=sa.text('address_hash IS NOT NULL'), postgresql_where=sa.text('address_hash IS NOT NULL'))
        batch_op.drop_column('rejection_id')
        batch_op.drop_column('rejected_from')
        batch_op.drop_column('mail_refused_at')
        batch_op.drop_column('address_confirmed_at')
        batch_op.drop_column('client')
        batch_op.drop_column('address_hash')

    with op.batch_alter_table('letters', schema=None) as batch_op:
        batch_op.drop_column('closed_at')

    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.drop_index('ix_events_signature', sqlite_where=sa.text('signature_id IS NOT NULL'), postgresql_where=sa.text('signature_id IS NOT NULL'))

    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.drop_column('sealed')
        batch_op.drop_column('told_address')

    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.drop_index('ix_consents_signature')

    op.drop_table('consents')
    op.drop_table('spikes')
    op.drop_table('remainders')
    op.drop_table('rejections')
    op.drop_table('mail_quotas')
    op.drop_table('block_rules')
    op.drop_table('spent_challenges')
    op.drop_table('client_keys')
