"""The command line: one page per group of commands, nothing heavy imported before it is needed."""

from robustae.cli.app import app, main

__all__ = ["app", "main"]
