"""Whether what runs is still what is installed."""

from __future__ import annotations


def restart_needed() -> str:
    """Return why this process has to be started again, empty when it has not."""
    return ""
