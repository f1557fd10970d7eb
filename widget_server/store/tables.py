"""The tables, the same on SQLite and PostgreSQL. `migrations/` is their history; a test holds the two equal.

One thing must stay true: personal data of a signer stands in `signatures` and nowhere else, but for the address that
a consent's end carries, sealed, in its one delivery (`deliveries.sealed`) until that is over.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override


class Instant(TypeDecorator[datetime]):
    """An aware UTC time: TIMESTAMPTZ on PostgreSQL, ISO 8601 text of fixed width (so that it sorts) on SQLite."""

    impl = Text
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else instant_text(value)

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return datetime.fromisoformat(value) if isinstance(value, str) else value


class Id(TypeDecorator[str]):
    """A UUID as its canonical text: native on PostgreSQL, 36 characters on SQLite."""

    impl = String
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=False))
        return dialect.type_descriptor(String(36))


class Json(TypeDecorator[Any]):
    """A JSON value as text, on both engines alike."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json_text(value)

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def instant_text(value: datetime) -> str:
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f"{utc.isoformat(timespec='microseconds')[:26]}Z"


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_seq = BigInteger().with_variant(Integer, "sqlite")

letters = Table(
    "letters",
    metadata,
    Column("id", _seq, primary_key=True, autoincrement=True),
    Column("slug", String(64), nullable=False, unique=True),
    Column("state", String(8), nullable=False),
    Column("settings", Json, nullable=False),
    Column("outcome", Json, nullable=False),
    Column("version", Integer, nullable=False),
    Column("signer_key", LargeBinary, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("announced", String(8), nullable=False),
    Column("milestone", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
    sqlite_autoincrement=True,
)
"""`announced`: the status last told to destinations. `milestone`: the highest count told. `closed_at`: when a
coordinator closed it; a closing time that has passed stands in `settings`."""

text_versions = Table(
    "text_versions",
    metadata,
    Column("letter_id", _seq, ForeignKey("letters.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("wording", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

partners = Table(
    "partners",
    metadata,
    Column("id", _seq, primary_key=True, autoincrement=True),
    Column("letter_id", _seq, ForeignKey("letters.id"), nullable=False),
    Column("slug", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("revoked_versions", Json, nullable=False),
    Column("revoked_at", Instant),
    Column("origins", Json, nullable=False),
    Column("locale", String(16)),
    Column("strict_origins", Boolean, nullable=False),
    Column("contact", Text),
    Column("legal_name", Text),
    Column("postal_address", Text),
    Column("privacy_url", Text),
    Column("contact_email", Text),
    Column("phone", Text),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("letter_id", "slug"),
    sqlite_autoincrement=True,
)

consent_wordings = Table(
    "consent_wordings",
    metadata,
    Column("version", String(16), primary_key=True),
    Column("partner_id", _seq, ForeignKey("partners.id"), nullable=False),
    Column("wording", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)
"""What the consent boxes said, by locale and purpose; `signatures.consent_version` points here."""

signatures = Table(
    "signatures",
    metadata,
    Column("seq", _seq, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("letter_id", _seq, ForeignKey("letters.id"), nullable=False),
    Column("partner_id", _seq, ForeignKey("partners.id"), nullable=False),
    Column("statement", String(64), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("status", String(12), nullable=False),
    Column("listing", String(20), nullable=False),
    Column("repeat_of", Id),
    Column("test", Boolean, nullable=False),
    Column("quarantine", Text),
    Column("name", Text),
    Column("organization", Text),
    Column("role", Text),
    Column("organization_website", Text),
    Column("authorized", Boolean, nullable=False),
    Column("email", Text),
    Column("signer_hash", String(43)),
    Column("country", String(2), nullable=False),
    Column("postal_code", Text),
    Column("city", Text),
    Column("comment", Text),
    Column("locale", String(16), nullable=False),
    Column("public", Boolean, nullable=False),
    Column("contact_opt_in", Boolean, nullable=False),
    Column("partner_opt_in", Boolean, nullable=False),
    Column("consent_version", String(16)),
    Column("source", String(64)),
    Column("page", Text),
    Column("origin", Text),
    Column("origin_flagged", Boolean, nullable=False),
    Column("text_version", Integer, nullable=False),
    Column("shown", Boolean, nullable=False),
    Column("elapsed", BigInteger),
    Column("import_key", String(43)),
    Column("sort_key", Text, nullable=False),
    Column("initiator_rank", Integer),
    Column("created_at", Instant, nullable=False),
    Column("confirmed_at", Instant),
    Column("withdrawn_at", Instant),
    Column("rejected_at", Instant),
    Column("address_hash", String(43)),
    Column("client", String(22)),
    Column("address_confirmed_at", Instant),
    Column("mail_refused_at", Instant),
    Column("rejected_from", String(12)),
    Column("rejection_id", Id),
    Index("ix_signatures_letter_status", "letter_id", "status", "seq"),
    Index(
        "ix_signatures_listed",
        "letter_id",
        "statement",
        "confirmed_at",
        "seq",
        sqlite_where=text("listing = 'listed'"),
        postgresql_where=text("listing = 'listed'"),
    ),
    Index(
        "ix_signatures_initiators",
        "letter_id",
        "initiator_rank",
        sqlite_where=text("initiator_rank IS NOT NULL"),
        postgresql_where=text("initiator_rank IS NOT NULL"),
    ),
    Index(
        "ix_signatures_address",
        "letter_id",
        "address_hash",
        sqlite_where=text("address_hash IS NOT NULL"),
        postgresql_where=text("address_hash IS NOT NULL"),
    ),
    Index(
        "ix_signatures_repeats",
        "repeat_of",
        sqlite_where=text("repeat_of IS NOT NULL"),
        postgresql_where=text("repeat_of IS NOT NULL"),
    ),
    Index(
        "ix_signatures_rejection",
        "rejection_id",
        sqlite_where=text("rejection_id IS NOT NULL"),
        postgresql_where=text("rejection_id IS NOT NULL"),
    ),
    Index(
        "uq_signatures_import",
        "letter_id",
        "import_key",
        unique=True,
        sqlite_where=text("import_key IS NOT NULL"),
        postgresql_where=text("import_key IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
"""`address_hash`: whose mailbox, keyed with the letter's key. `client`: HMAC of the client's address, with a key that
lives for seven days. `address_confirmed_at`: when the link in the mail was pressed, which a quarantined one keeps for
its release. `mail_refused_at`: when a mail server refused the address for good. `rejected_from`: the status that a
restored one goes back to."""

signers = Table(
    "signers",
    metadata,
    Column("letter_id", _seq, ForeignKey("letters.id"), primary_key=True),
    Column("signer_hash", String(43), primary_key=True),
    Column("signature_id", Id, nullable=False),
    Column("rejected", Boolean, nullable=False, server_default=false()),
    Column("alias", Boolean, nullable=False, server_default=false()),
    Index(
        "ix_signers_rejected",
        "letter_id",
        "signer_hash",
        sqlite_where=text("rejected"),
        postgresql_where=text("rejected"),
    ),
    Index("ix_signers_alias", "signature_id", sqlite_where=text("alias"), postgresql_where=text("alias")),
    sqlite_with_rowid=False,
)
"""Who has signed already: one row a signer, with the signature that took the place. The index decides, nobody looks
first.

`rejected`: that signature was refused, and whatever comes from this signer next is quarantined. `alias`: one that the
signature has besides its own, from before a name was corrected, or of one behind it that was erased. A row outlives a
signature that staff erased, so that nobody counts twice."""

remainders = Table(
    "remainders",
    metadata,
    Column("letter_id", _seq, ForeignKey("letters.id"), primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("statement", String(64), primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""Numbers that outlive their rows. `what`: `erased` (still counted) or `unconfirmed` (never was)."""

consents = Table(
    "consents",
    metadata,
    Column("seq", _seq, primary_key=True, autoincrement=True),
    Column("signature_id", Id, nullable=False),
    Column("letter_id", _seq, ForeignKey("letters.id"), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("partner_id", _seq, ForeignKey("partners.id"), nullable=False),
    Column("given", Boolean, nullable=False),
    Column("way", String(12), nullable=False),
    Column("version", String(16)),
    Column("shown", Boolean, nullable=False),
    Column("locale", String(16), nullable=False),
    Column("page", Text),
    Column("token_version", Integer),
    Column("at", Instant, nullable=False),
    Index("ix_consents_signature", "signature_id"),
    sqlite_autoincrement=True,
)
"""Each consent to e-mail that was given or ended: for whom, under which wording (`version`, `locale`), whether we know
that it was shown, how (`way`), on which page, under which version of the partner's attribution token."""

rejections = Table(
    "rejections",
    metadata,
    Column("id", Id, primary_key=True),
    Column("letter_id", _seq, ForeignKey("letters.id"), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("pattern", Json, nullable=False),
    Column("number", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("undone_at", Instant),
)
"""Each rejection by staff, of one signature or of all that fit a pattern, so that it can be undone as one."""

block_rules = Table(
    "block_rules",
    metadata,
    Column("id", _seq, primary_key=True, autoincrement=True),
    Column("letter_id", _seq, ForeignKey("letters.id")),
    Column("pattern", Text, nullable=False),
    Column("allow", Boolean, nullable=False),
    Column("reason", Text),
    Column("actor", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
"""Domains and addresses that staff block, or allow although a shipped rule blocks them. No letter: for all."""

client_keys = Table(
    "client_keys",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("key", LargeBinary, nullable=False),
)
"""One key a day for `signatures.client`. What it made says nothing any more once the key is gone."""

mail_quotas = Table(
    "mail_quotas",
    metadata,
    Column("letter_id", _seq, ForeignKey("letters.id"), primary_key=True),
    Column("who", String(43), primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("number", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""How many mails a mailbox got since `started_at`, by a keyed hash of the mailbox and of what they are for."""

spent_challenges = Table(
    "spent_challenges",
    metadata,
    Column("challenge", String(64), primary_key=True),
    Column("expires_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
"""Proofs of work that bought a signature: none buys a second one."""

spikes = Table(
    "spikes",
    metadata,
    Column("letter_id", _seq, ForeignKey("letters.id"), primary_key=True),
    Column("what", String(8), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("told_at", Instant, nullable=False),
)
"""What coordinators were last told of: many signatures from one client, mail domain or partner."""

signature_counts = Table(
    "signature_counts",
    metadata,
    Column("letter_id", _seq, ForeignKey("letters.id"), primary_key=True),
    Column("statement", String(64), primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("number", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", _seq, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("type", String(32), nullable=False),
    Column("letter_id", _seq, ForeignKey("letters.id"), nullable=False),
    Column("partner_id", _seq),
    Column("signature_id", Id),
    Column("data", Json, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("fanned_out_at", Instant),
    Index(
        "ix_events_waiting",
        "seq",
        sqlite_where=text("fanned_out_at IS NULL"),
        postgresql_where=text("fanned_out_at IS NULL"),
    ),
    Index(
        "ix_events_signature",
        "signature_id",
        sqlite_where=text("signature_id IS NOT NULL"),
        postgresql_where=text("signature_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

destinations = Table(
    "destinations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("letter_id", _seq, ForeignKey("letters.id"), nullable=False),
    Column("partner_id", _seq, ForeignKey("partners.id")),
    Column("kind", String(40), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("event_types", Json),
    Column("status", String(10), nullable=False),
    Column("reason", Text),
    Column("not_before", Instant),
    Column("last_sent_at", Instant),
    Column("first_failed_at", Instant),
    Column("told_at", Instant),
    Column("tested_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("kept", Text),
    Column("renewal", Id),
    Column("renewing_until", Instant),
    Column("sampled_at", Instant),
    Column("sampled", Integer, nullable=False, server_default="0"),
    Column("sampled_ill", Integer, nullable=False, server_default="0"),
    Column("rests", Integer, nullable=False, server_default="0"),
    Column("after_seq", _seq),
    Index("ix_destinations_letter", "letter_id"),
)
"""`sealed`: URL, options and secrets, encrypted with the settings' keys. `not_before`: no send sooner (pace,
`Retry-After`). `first_failed_at`: the first failure since the last success. `told_at`: when its owner was last told of
a delivery that gave up. `tested_at`: when a chat kind last got a test signature, of which it takes one a minute.
`kept`: what its integration keeps (tokens that are renewed), encrypted; `renewal` is the lease of whoever renews it,
until `renewing_until`. `sampled`, `sampled_ill`: results since `sampled_at`, and those of them that failed; `rests`:
how often in a row it was given a rest because of them. `after_seq`: the last event before it was added."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("event_id", Id, nullable=False),
    Column("destination_id", Id, ForeignKey("destinations.id", ondelete="CASCADE")),
    Column("kind", String(40), nullable=False),
    Column("status", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("throttled", Integer, nullable=False),
    Column("next_attempt_at", Instant),
    Column("leased_until", Instant),
    Column("lease", Id),
    Column("last_error", Text),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("told_address", Boolean, nullable=False, server_default=false()),
    Column("sealed", Text),
    Column("doubtful", Boolean, nullable=False, server_default=false()),
    Column("note", Text),
    UniqueConstraint("event_id", "destination_id"),
    Index(
        "ix_deliveries_due",
        "destination_id",
        "next_attempt_at",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
)
"""`told_address`: an attempt carried the signer's address, so that its receiver must hear when the consent ends.
`sealed`: the address that such an end carries, encrypted, until the delivery is over. `doubtful`: an attempt may have
arrived without our hearing of it. `note`: what its integration keeps between attempts, encrypted. A mail has no
destination."""

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_id", Id, ForeignKey("deliveries.id", ondelete="CASCADE"), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("status_code", Integer),
    Column("error", Text),
    Column("response", Text),
    Index("ix_attempts_delivery", "delivery_id", "started_at"),
)

scripts = Table(
    "scripts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("kept_at", Instant, nullable=False),
)
"""Every script that a server of ours has given out under its hash, `name.hash.js`, compressed with Brotli: a page that
pinned it gets the same bytes for ever, from whichever server and version."""

sightings = Table(
    "sightings",
    metadata,
    Column("partner_id", _seq, ForeignKey("partners.id"), primary_key=True),
    Column("origin", String(300), primary_key=True),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
)
"""On which sites a partner's widget was loaded: their origins, as browsers named them, and nothing of who loaded it."""

revisions = Table(
    "revisions",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""`directory` rises with every change of a letter, partner or block rule, so that each server notices within a
second."""

audit = Table(
    "audit",
    metadata,
    Column("seq", _seq, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("letter_id", _seq),
    Column("subject", Text),
    Column("reason", Text),
    Column("data", Json),
    sqlite_autoincrement=True,
)
"""Every change by staff: who, when, what, why."""
