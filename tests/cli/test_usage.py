"""What every command says of itself, however it was started."""

from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from widget_server.__main__ import app


def test_usage_names_the_command_that_people_type() -> None:
    """The demo's command runs `python -m widget_server`."""
    command = [sys.executable, "-m", "widget_server", "partner", "add", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "Usage: undersigned partner add [OPTIONS]" in said
    assert "python" not in said


def test_help_keeps_the_asterisks_of_patterns() -> None:
    """Help is Markdown, to which two asterisks in a line mean emphasis."""
    said = CliRunner().invoke(app, ["rule", "add", "--help"], env={"COLUMNS": "200"}).stdout
    assert "spam.example (addresses there), *.spam.example (below it), jane*@x.example, noreply@*." in said
