"""What holds for every test."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# Tests speak of days of their own; data that lie in the working directory must not limit them.
os.environ["ENERGY_PLATFORM_PARTITIONS_FROM"] = "2020-01-01"

# How long an example takes says more about the machine's other work than about the law.
settings.register_profile("platform", deadline=None, print_blob=True)
settings.load_profile("platform")

# A shell has what it starts in the background ignore SIGINT, and so would each command that a test
# starts and interrupts (POSIX shell command language, asynchronous lists).
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
