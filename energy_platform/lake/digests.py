"""The one digest of what something was made of; content ids have their own in :mod:`parquet`."""

from __future__ import annotations

import hashlib


def digest_of(content: str | bytes, *, size: int = 16) -> str:
    """Return a digest of a text, the same in every process: two hexadecimal figures a byte.

    Args:
        content: The text, or its bytes.
        size: Bytes of the digest; fewer where it is read by people or compared within one file.

    >>> digest_of("")
    'cae66941d9efbd404e4d88758ea67670'
    >>> digest_of("", size=4)
    '1271cf25'
    """
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(raw, digest_size=size).hexdigest()
