"""Ports in use are one sentence that says which and what to do."""

from __future__ import annotations

import socket

import pytest

from widget_server.demo.ports import Ports, take_ports
from widget_server.domain.refusals import Problems


def _three_free() -> int:
    """A port that is free with the two after it."""
    for port in range(20_000, 60_000, 37):
        try:
            ports = take_ports(port)
        except Problems:
            continue
        _close(ports)
        return port
    raise AssertionError("no three free ports in a row")


def _close(ports: Ports) -> None:
    for one in (ports.server, *ports.pages, ports.inbox):
        one.close()


def test_three_ports_in_a_row_are_taken_on_this_machine_only() -> None:
    port = _three_free()
    ports = take_ports(port)
    assert ports.server.getsockname() == ("127.0.0.1", port)
    assert ports.pages[0].getsockname() == ("127.0.0.1", port + 1)
    assert all(page.getsockname()[:2] == ("::1", port + 1) for page in ports.pages[1:])
    assert ports.inbox.getsockname() == ("127.0.0.1", port + 2)
    _close(ports)


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_one_in_use_is_named_and_the_others_are_given_back(offset: int) -> None:
    port = _three_free()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port + offset))
        other.listen()
        with pytest.raises(Problems) as refused:
            take_ports(port)
    (sentence,) = refused.value.problems
    assert sentence.startswith(f"Port {port + offset} is in use")
    assert "make demo PORT=9000" in sentence
    _close(take_ports(port))


@pytest.mark.parametrize("port", [0, -1, 65_534, 70_000])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(Problems, match="65,533"):
        take_ports(port)
