"""The command line: a module for each command, named like it, and a few that all of them use (_*)."""

from robustae.cli._app import app, main

__all__ = ["app", "main"]
