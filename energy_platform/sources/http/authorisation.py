"""How a vendor's requests are authorised: what each vendor's login has in common."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx


class Auth:
    """Authorises requests; this one does nothing.

    All methods may be called from several threads at once.
    """

    def headers(self) -> Mapping[str, str]:
        """Return the headers for the next attempt, renewing what is about to expire.

        Raises:
            AuthenticationError: The credentials are refused.
        """
        return {}

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Surround an attempt, whose refusal leaves this as an AuthenticationError.

        Raises:
            AuthenticationError: These credentials were refused before; nothing is asked.
        """
        yield

    def sign(self, request: httpx.Request) -> None:
        """Add what depends on the final request, such as a signature; called on every attempt."""

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Get new credentials after a 401.

        Args:
            rejected: The headers that :meth:`headers` had returned for the refused attempt, so
                that parallel refusals of the same token renew it once.

        Returns:
            Whether one more attempt makes sense.

        Raises:
            AuthenticationError: The credentials are refused.
        """
        del rejected
        return False
