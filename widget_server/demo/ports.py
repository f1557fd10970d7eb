"""The demo's three ports: taken before anything starts, so that one in use is a sentence and not a stack.

One thing must stay true: a port that the demo has taken is handed on as a socket, never closed in between.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from widget_server.domain.refusals import Problems

HIGHEST = 65_533


@dataclass(frozen=True, slots=True)
class Ports:
    """Open sockets for the server, the partners' pages (IPv4 and, where there is one, IPv6) and the inbox."""

    server: socket.socket
    pages: tuple[socket.socket, ...]
    inbox: socket.socket


def take_ports(port: int) -> Ports:
    """Takes `port` and the two after it, on this machine only. Raises `Problems`."""
    if not 1 <= port <= HIGHEST:
        raise Problems([f"--port {port}: choose a port from 1 to {HIGHEST:,}; the two after it are used as well"])
    wanted = [("127.0.0.1", port), ("127.0.0.1", port + 1), ("127.0.0.1", port + 2)]
    if socket.has_ipv6:
        wanted.append(("::1", port + 1))  # what `localhost` is for some browsers
    taken: list[socket.socket] = []
    for host, number in wanted:
        try:
            taken.append(_listen(host, number))
        except OSError as error:
            if host == "::1" and error.errno != errno.EADDRINUSE:
                continue  # a machine whose IPv6 is turned off does without
            for one in taken:
                one.close()
            raise Problems([_sentence(port, number, error)]) from error
    server, page, inbox, *page6 = taken
    return Ports(server, (page, *page6), inbox)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError:
        found.close()
        raise
    return found


def _sentence(first: int, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        free = "9000" if first != 9000 else "9100"
        return (
            f"Port {port} is in use by another program (another demo?). The demo needs {first}, {first + 1} "
            f"and {first + 2}. Stop that program, or choose other ports: make demo PORT={free} "
            f"(undersigned demo --port {free})"
        )
    return f"Port {port} cannot be used: {error.strerror}. Choose another: make demo PORT=9000"
