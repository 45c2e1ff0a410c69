"""Which devices the vendor refuses while it answers for others.

One device that answers 400 or 500 for ever costs no other its day; a vendor that refuses every
device has failed as a whole, and is not asked for all of them one after the other.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.sources.http.errors import VendorError

MOST_REFUSED: Final = 3
"""Devices refused, with none answered for, from which the vendor counts as failing."""


class Refusals:
    """The devices of one day, as far as the vendor answered; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: dict[str, VendorError] = {}
        self._answered: set[str] = set()

    def answered(self, devices: Iterable[str]) -> None:
        """Note that the vendor answered for some devices."""
        with self._lock:
            self._answered.update(devices)

    def refused(self, device: str, error: VendorError) -> None:
        """Note that the vendor refused a device.

        Raises:
            VendorError: The error itself, when nothing but refusals came so far.
        """
        with self._lock:
            self._refused.setdefault(device, error)
            if len(self._refused) >= MOST_REFUSED and not self._answered:
                raise error

    def of(self, device: str) -> VendorError | None:
        """Return how a device was refused; None when it was not."""
        with self._lock:
            return self._refused.get(device)

    @property
    def is_total(self) -> VendorError | None:
        """Return the first refusal when no device was answered for."""
        with self._lock:
            if self._answered or not self._refused:
                return None
            return self._refused[min(self._refused)]
