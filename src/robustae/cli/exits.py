"""Exit codes."""

__all__ = ["FAILED", "INTERRUPTED", "MISUSED"]

FAILED, MISUSED, INTERRUPTED = 1, 2, 130
