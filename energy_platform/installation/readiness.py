"""Tells the service manager that started this process how it fares (``sd_notify(3)``)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
"""Variable that systemd sets for units of ``Type=notify``."""


def notify(state: str) -> bool:
    """Say a state such as ``READY=1``.

    Returns:
        Whether somebody was told; False where no service manager asked for it.
    """
    address = os.environ.get(SOCKET, "")
    if not address.startswith(("/", "@")):
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        # A name that begins with @ is in the abstract namespace, which begins with a null byte.
        to.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
        to.sendall(state.encode())
        return True
    return False
