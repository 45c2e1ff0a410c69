"""What keeps a backup from being made or put back."""

from __future__ import annotations


class BackupError(RuntimeError):
    """A backup cannot be made, read or put back; the message says what to do."""
