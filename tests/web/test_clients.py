"""Who is asking: nobody but a trusted proxy chooses the address a client is known by."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs

from widget_server.web.clients import Clients

PROXY, OTHER = "10.0.0.1", "203.0.113.9"
TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        (OTHER, {}, OTHER),
        (OTHER, {"x-forwarded-for": "192.0.2.7"}, OTHER),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.7"}, "127.0.0.1"),
        (PROXY, {"x-forwarded-for": "192.0.2.7"}, "192.0.2.7"),
        (PROXY, {"x-forwarded-for": "6.6.6.6, 192.0.2.7, 10.0.0.2"}, "192.0.2.7"),
        (PROXY, {"x-forwarded-for": "192.0.2.7:4711"}, "192.0.2.7"),
        (PROXY, {"x-forwarded-for": "nonsense"}, PROXY),
        (PROXY, {"forwarded": 'for=192.0.2.7;proto=https, for="10.0.0.2"'}, "192.0.2.7"),
        (PROXY, {"forwarded": 'for="[2001:db8:1:2::7]:80"'}, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:aaaa::1", {}, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", {}, "192.0.2.7"),
    ],
)
def test_address(peer: str, headers: dict[str, str], client: str) -> None:
    assert Clients(TRUSTED).address(peer, headers) == client


def test_an_untrusted_proxy_is_named_once() -> None:
    clients = Clients([])
    with capture_logs() as logs:
        for _ in range(3):
            clients.address(PROXY, {"x-forwarded-for": "192.0.2.7"})
    assert len(logs) == 1
    assert "UNDERSIGNED_TRUSTED_PROXIES" in logs[0]["hint"]
    assert "192.0.2.7" not in str(logs)
