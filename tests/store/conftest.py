"""What store tests borrow: signatures and destinations as the flows make them."""

from __future__ import annotations

from tests.outbox.conftest import add_destination, kinds, office, sign, vault

__all__ = ["add_destination", "kinds", "office", "sign", "vault"]
