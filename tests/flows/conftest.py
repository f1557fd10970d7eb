"""What tests of flows share with those of the outbox."""

from tests.outbox.conftest import add_destination, kinds, office, sign, vault

__all__ = ["add_destination", "kinds", "office", "sign", "vault"]
