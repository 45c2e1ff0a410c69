"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# Tests speak of days of their own; data that lie in the working directory must not limit them.
os.environ["ENERGY_PLATFORM_PARTITIONS_FROM"] = "2020-01-01"

# How long an example takes says more about the machine's other work than about the property.
settings.register_profile("platform", deadline=None, print_blob=True)
settings.load_profile("platform")
