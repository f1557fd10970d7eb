"""How long what is kept: the terms, and what a round of the retention job erased.

One thing must stay true: the privacy page promises these terms, and the job keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta

UNCONFIRMED = timedelta(days=30)
"""A signature whose address nobody confirmed."""
WITHDRAWN = timedelta(days=30)
"""What was taken back: so long its signer can still look at it."""
TEST = timedelta(days=1)
"""A webmaster's try."""
CLIENT = timedelta(days=7)
"""The keyed hash of a client's address, and its key."""
SEALED = timedelta(days=30)
"""An address that waits, sealed, to tell a destination that a consent ended."""
MAIL = timedelta(days=30)
"""The record of a mail to a signer: when it went, what the mail server said."""
ATTEMPT = timedelta(days=90)
"""One try at a delivery: when, how long, what came back. What became of the delivery itself is kept."""
QUOTA = timedelta(days=30)
"""That a mailbox got mail."""


@dataclass(slots=True)
class Swept:
    """What one round erased of one letter, in rows. `contacts`: confirmed signatures that lost their contact details;
    `places`: keyed hashes of signers who are gone."""

    unconfirmed: int = 0
    withdrawn: int = 0
    rejected: int = 0
    tests: int = 0
    contacts: int = 0
    places: int = 0
    sealed: int = 0

    def as_dict(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __bool__(self) -> bool:
        return any(self.as_dict().values())
