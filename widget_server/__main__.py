"""`undersigned`: the command line, one file a noun."""

from __future__ import annotations

import typer

from widget_server import __version__
from widget_server.cli import audit, delivery, demo, destination, letter, partner, retention, rule, serve, signatures

NAME = "undersigned"

app = typer.Typer(
    name=NAME,
    help="A coalition's open letter, signed on every partner's own website.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # else help keeps the line breaks of its docstring
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say which version this is."
    ),
) -> None:
    """A coalition's open letter, signed on every partner's own website."""


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("dispatch")(serve.dispatch)
app.command("migrate")(serve.migrate)
app.command("retention")(retention.retention)
app.command("audit")(audit.audit)
app.add_typer(letter.app, name="letter")
app.add_typer(partner.app, name="partner")
app.add_typer(signatures.app, name="signatures")
app.add_typer(destination.app, name="destination")
app.add_typer(delivery.app, name="delivery")
app.add_typer(rule.app, name="rule")


def main() -> None:
    app(prog_name=NAME)  # else usage names what was run: the demo's command is `python -m widget_server`


if __name__ == "__main__":
    main()
