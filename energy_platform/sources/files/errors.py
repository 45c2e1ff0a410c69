"""What can be wrong with a dropped file or its mapping, said for whoever dropped it.

Here belong the exceptions of this source; what becomes of the file is decided by the intake.
"""

from __future__ import annotations


class RefusedFileError(ValueError):
    """A file cannot be read as a whole; the message says why and what to do."""


class MappingError(ValueError):
    """A mapping cannot be used; one line per problem with file and line."""
