"""`undersigned serve`, `dispatch` and `migrate`: the processes themselves."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from typing import Annotated, Any

import typer
import uvicorn

from widget_server.app import create_app, open_dispatcher, utc_now
from widget_server.cli.desk import Json, command, desk, fail, say
from widget_server.domain.refusals import Problems
from widget_server.logs import configure_logs
from widget_server.settings import Settings, read_settings
from widget_server.store.migrate import HEAD

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Server processes side by side.")]


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Workers = 1,
    no_dispatch: Annotated[
        bool, typer.Option("--no-dispatch", help='Leave deliveries to "undersigned dispatch".')
    ] = False,
) -> None:
    """Serve letters, the widget and the sign-on API, and deliver events.

    Behind a proxy, name its network in UNDERSIGNED_TRUSTED_PROXIES. Stops cleanly on Ctrl-C and SIGTERM:
    what was acknowledged is on disk, what was being delivered is taken up again.
    """
    configure_logs()
    try:
        settings = read_settings()
    except Problems as error:
        fail(error.problems)
        return
    if not _is_free(host, port):
        fail([f"port {port} of {host} is in use: stop what listens there, or choose another with --port"])
    print(
        f"Undersigned listens on http://{host}:{port}; visitors reach it at {settings.public_url}",
        file=sys.stderr,
    )
    factory = (
        "widget_server.cli.serve:app_without_dispatch" if no_dispatch else "widget_server.cli.serve:app_with_dispatch"
    )
    uvicorn.run(factory, factory=True, workers=workers if workers > 1 else None, **uvicorn_options(host, port))


def uvicorn_options(host: str, port: int) -> dict[str, Any]:
    """Client addresses and access logs are ours to do: uvicorn would believe anybody on loopback and print secrets."""
    return {
        "host": host,
        "port": port,
        "proxy_headers": False,
        "access_log": False,
        "log_level": "warning",
        "server_header": False,
        "timeout_graceful_shutdown": 10,
        "lifespan": "on",
    }


def app_with_dispatch() -> object:
    return _app(dispatch=True)


def app_without_dispatch() -> object:
    return _app(dispatch=False)


def _app(*, dispatch: bool) -> object:
    configure_logs()
    app = create_app(read_settings(), dispatch=dispatch)
    _settle_in()
    return app


def _settle_in() -> None:
    """For a process that stays. The thread that writes needs Python's lock a dozen times a batch; at the usual 5 ms a
    busy event loop would keep it waiting longer than the disk does. What is loaded by now stays, so the collector need
    not look at it again."""
    sys.setswitchinterval(0.0003)
    gc.collect()
    gc.freeze()


def _is_free(host: str, port: int) -> bool:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@command
async def dispatch() -> None:
    """Deliver events only, for a machine of its own. Several side by side share the work."""
    await _dispatch(read_settings())


async def _dispatch(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_dispatcher(settings, now=utc_now):
        _settle_in()
        print("Undersigned delivers events; stop it with Ctrl-C.", file=sys.stderr)
        await stop.wait()


@command
async def migrate(as_json: Json = False) -> None:
    """Bring the database to this version. Every command that needs the database does it too."""
    async with desk():
        say({"version": HEAD}, as_json, "The database is at this version.")
