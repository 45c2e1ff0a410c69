"""Ctrl+C and SIGTERM, noticed for certain.

Python raises what a signal handler raises wherever the main thread happens to be; within a
finalizer or a callback of a library it is lost, and Dagster forgets a signal that comes between its
steps. The kernel's byte on the wakeup descriptor is lost nowhere.
"""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS: Final = frozenset({signal.SIGINT, signal.SIGTERM})


@contextmanager
def noticed_interrupts() -> Iterator[threading.Event]:
    """Give an event that is set once the command was asked to end.

    SIGTERM interrupts as Ctrl+C does. Outside of the main thread, which alone gets signals, the
    event is never set.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        earlier = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        thread = threading.Thread(
            target=_notice, args=(reader, asked), name="interrupts", daemon=True
        )
        thread.start()
        try:
            yield asked
        finally:
            signal.set_wakeup_fd(earlier)
            signal.signal(signal.SIGTERM, before)
            # The reader gets an end of file.
            writer.shutdown(socket.SHUT_RDWR)
            thread.join()


def _notice(reader: socket.socket, asked: threading.Event) -> None:
    while numbers := reader.recv(64):
        if _NUMBERS.intersection(numbers):
            asked.set()
