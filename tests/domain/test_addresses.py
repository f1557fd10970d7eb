"""Which addresses are public, and which URLs a destination may have."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.addresses import BadTarget, may_dial, read_target

DENIED = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "0.0.0.0",
    "0.1.2.3",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
ALLOWED = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "169.253.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2001:4860:4860::8888",
    "2001:200::1",
    "::ffff:8.8.8.8",
]


def test_all_the_vectors_are_here() -> None:
    assert (len(DENIED), len(ALLOWED)) == (47, 14)


@pytest.mark.parametrize("address", DENIED)
def test_no_special_address_is_dialled(address: str) -> None:
    assert not may_dial(address, ())


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_dialled(address: str) -> None:
    assert may_dial(address, ())


def test_the_operators_networks_are_dialled_and_nothing_near_them() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert may_dial("10.1.2.3", allowed)
    assert may_dial("::ffff:10.1.2.3", allowed)
    assert may_dial("fd00::1", allowed)
    assert not may_dial("10.2.0.1", allowed)
    assert not may_dial("8.8.8.8", allowed, only_inside=True)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://hooks.example.org/a/b?c=d", "hooks.example.org", 443),
        ("HTTPS://Hooks.Example.ORG./x", "hooks.example.org", 443),
        ("https://montréal.example/", "xn--montral-fya.example", 443),
        ("https://8.8.8.8/", "8.8.8.8", 443),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443),
        ("https://hooks.example.org:443", "hooks.example.org", 443),
    ],
)
def test_plain_targets_pass(url: str, host: str, port: int) -> None:
    target = read_target(url)
    assert (target.host, target.port, target.objections) == (host, port, ())
    assert target.url.startswith("https://")


@pytest.mark.parametrize(
    "url",
    [
        "https://user@example.org/",
        "https://user:password@example.org/",
        "https://example.com:80@evil.test/",
        "https://example.com\\@evil.test/",
        "https://example.com%2f@evil.test/",
        "https://example.org/#part",
        "https://example.org/a b",
        "https://example.org/\r\nX-Header:1",
        "https://example.org/\x00",
        "ftp://example.org/",
        "file:///etc/passwd",
        "//example.org/",
        "example.org",
        "https://",
        "https:///path",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org:443443/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
        "https://①②⑦.⓪.⓪.①/",
        "https://127。0。0。1/",
        "https://example..org/",
        "https://-example.org/",
        "https://[::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://example.org/\u00e9",
        "https://example.org/" + "a" * 2100,
    ],
)
def test_what_two_readers_of_a_url_could_read_differently_is_refused_outright(url: str) -> None:
    with pytest.raises(BadTarget):
        read_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "https://hooks.example.org:8443/",
        "https://localhost/",
        "https://a.localhost/",
        "https://ⓛocalhost/",
        "https://printer.local/",
        "https://db.internal/",
        "https://nas.home.arpa/",
        "https://abcdef.onion/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
    ],
)
def test_what_only_an_allowed_network_may_hold_is_objected_to(url: str) -> None:
    assert read_target(url).objections


def test_our_own_address_is_refused() -> None:
    with pytest.raises(BadTarget, match="circles"):
        read_target("https://letters.example.org/v1/signatures", own_origin="https://letters.example.org")
    with pytest.raises(BadTarget, match="circles"):
        read_target("http://127.0.0.1:8000/x", own_origin="http://127.0.0.1:8000")
    assert read_target("http://127.0.0.1:8002/x", own_origin="http://127.0.0.1:8000").port == 8002


def test_a_kinds_hosts() -> None:
    hosts = frozenset({"hooks.slack.com"})
    assert not read_target("https://hooks.slack.com/services/T/B/x", hosts=hosts).objections
    assert read_target("https://hooks.slack.com.evil.test/", hosts=hosts).objections
    assert read_target("https://evil.test/hooks.slack.com", hosts=hosts).objections


@given(st.text(max_size=60))
def test_no_url_makes_it_stumble(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.org/{text}"):
        try:
            target = read_target(url)
        except BadTarget:
            continue
        assert target.url.isascii()
        assert target.scheme in ("http", "https")
