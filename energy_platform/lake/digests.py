"""The one digest of what something was made of; content ids have their own in :mod:`parquet`."""

from __future__ import annotations

import hashlib


def digest_of(content: str | bytes) -> str:
    """Return a digest of a text, the same in every process: 32 hexadecimal figures.

    >>> digest_of("")
    'cae66941d9efbd404e4d88758ea67670'
    """
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(raw, digest_size=16).hexdigest()
