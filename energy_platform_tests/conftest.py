"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says more about the machine's other work than about the law.
settings.register_profile("platform", deadline=None, print_blob=True)
settings.load_profile("platform")
