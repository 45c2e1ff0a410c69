"""The connections of one sender, and the circuit breaker of refused credentials."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.delivery.ledger import CredentialStop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from energy_platform.delivery.ledger import Ledger
    from energy_platform.destinations.base import Connection

PROBE_US: Final = 300 * 1_000_000
"""A refused credential is tried again once in five minutes."""


class Connections:
    """The connections of one sender: one per credential, opened when first needed.

    Used by one thread; only ``abort`` may come from another.

    Args:
        open_connection: Opens a connection for a credential by name.
    """

    def __init__(self, open_connection: Callable[[str], Connection]) -> None:
        self._open = open_connection
        self._connections: dict[str, Connection] = {}
        self._served: set[str] = set()
        self._lock = threading.Lock()
        self._is_aborted = False

    def of(self, credential: str) -> Connection:
        """Return the connection of a credential."""
        connection = self._connections.get(credential)
        if connection is None:
            opened = self._open(credential)
            with self._lock:
                if self._is_aborted:
                    opened.abort()
                connection = self._connections[credential] = opened
        return connection

    def served(self, credential: str) -> None:
        """Mark the session as authenticated, so that it is worth renewing."""
        self._served.add(credential)

    def renew(self, credential: str) -> bool:
        """Begin a new session in place of one that worked before and may have ended.

        Returns:
            Whether another attempt makes sense.
        """
        if credential not in self._served:
            return False
        self._served.discard(credential)
        with self._lock:
            connection = self._connections.pop(credential)
        connection.close()
        return True

    def abort(self) -> None:
        """End the request under way; nothing is sent any more."""
        with self._lock:
            self._is_aborted = True
            for connection in self._connections.values():
                connection.abort()

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            connections = [*self._connections.values()]
            self._connections.clear()
        for connection in connections:
            connection.close()


class Permit(NamedTuple):
    """The circuit breaker's answer to a sender.

    Attributes:
        is_open: Whether anything may be sent.
        is_probe: Whether this one request finds out for all others.
        reason: Why not; empty while another sender is finding out.
    """

    is_open: bool
    is_probe: bool = False
    reason: str = ""


class CircuitBreaker:
    """Stops every stream of a refused credential, and lets one probe through when it is time.

    The first request of each credential in a run goes alone as well, so that a wrong password is
    heard of once and not by every sender.

    Args:
        ledger: Keeps the stops, so that the next run does not ask again too early.
        destination: Whose credentials they are, by name.
        names: Credentials that exist.
        now_us: The present.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        destination: str,
        names: Iterable[str],
        now_us: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._destination = destination
        self._now_us = now_us
        self._lock = threading.Lock()
        self._stops = {
            name: stop
            for name, stop in ledger.stopped_credentials(destination).items()
            if name in set(names)
        }
        self._probing: set[str] = set()
        self._proven: set[str] = set()

    def ask(self, credential: str) -> Permit:
        """Ask to send one packet."""
        if credential in self._proven:  # the usual case, without the lock
            return Permit(is_open=True)
        with self._lock:
            stop = self._stops.get(credential)
            if stop is not None and self._now_us() < stop.probe_us:
                return Permit(is_open=False, reason=stop.reason)
            if credential in self._probing:
                return Permit(is_open=False)
            self._probing.add(credential)
            return Permit(is_open=True, is_probe=True)

    def refusals(self) -> dict[str, str]:
        """Return the credentials that nothing may be sent with now, with the reason."""
        if not self._stops:
            return {}
        now_us = self._now_us()
        with self._lock:
            return {
                name: stop.reason for name, stop in self._stops.items() if now_us < stop.probe_us
            }

    def refused(self, credential: str, *, reason: str) -> None:
        """Stop sending with a credential that was refused."""
        now_us = self._now_us()
        with self._lock:
            self._probing.discard(credential)
            self._proven.discard(credential)
            before = self._stops.get(credential)
            stop = CredentialStop(
                destination=self._destination,
                name=credential,
                stopped_us=now_us if before is None else before.stopped_us,
                probe_us=now_us + PROBE_US,
                reason=reason,
            )
            self._stops[credential] = stop
            self._ledger.stop_credential(stop)

    def undecided(self, credential: str) -> None:
        """Say that a probe met something else: another one may try."""
        with self._lock:
            self._probing.discard(credential)

    def worked(self, credential: str) -> None:
        """Let all senders use a credential that was accepted."""
        if credential in self._proven:
            return
        with self._lock:
            self._probing.discard(credential)
            self._proven.add(credential)
            if self._stops.pop(credential, None) is not None:
                self._ledger.free_credential(
                    credential, destination=self._destination, now_us=self._now_us()
                )
