"""One request and its whole answer, within one time limit and one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from energy_platform.closeable import Closeable
from energy_platform.sources.http.bodies import (
    ACCEPT_ENCODING,
    CutPackingError,
    UnknownPackingError,
    Unpacker,
)
from energy_platform.sources.http.connections import (
    DeadlineBackend,
    PooledTransport,
    connection_pool,
)
from energy_platform.sources.http.errors import ContractError, TransientError
from energy_platform.sources.http.messages import Response, wire_faults

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from energy_platform.sources.http.messages import RequestContext
    from energy_platform.sources.http.rate_limit import Clock

MAX_BODY_BYTES: Final = 256 * 1024 * 1024
"""An answer larger than this is not one of ours; reading on would only exhaust memory."""

DEADLINE: Final = 5
"""A whole answer may take so many times the seconds without a byte."""

_KEEPALIVE_S: Final = 5.0
"""How long an idle connection is kept, as httpx does by default."""


class Exchanger(Closeable):
    """Connections to one host, for several threads.

    Args:
        base_url: Where to; https, or http on loopback.
        timeout_s: Seconds without a byte before an exchange is given up.
        max_connections: Connections at the same time.
        ca_file: Authorities trusted besides the system's.
        clock: Time sources.

    Raises:
        SettingsError: The trust store or the proxy of the environment cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float,
        max_connections: int,
        ca_file: Path | None,
        clock: Clock,
    ) -> None:
        self._url = httpx.URL(base_url)
        self._backend = DeadlineBackend(clock.monotonic)
        self._deadline_s = DEADLINE * timeout_s
        pool = connection_pool(
            self._url,
            ca_file=ca_file,
            backend=self._backend,
            max_connections=max_connections,
            keepalive_s=_KEEPALIVE_S,
        )
        self._http = httpx.Client(
            transport=PooledTransport(pool),
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            follow_redirects=False,
            # Proxies are the pool's; a netrc file must not come between us and the host.
            trust_env=False,
            headers={"User-Agent": "energy-platform", "Accept-Encoding": ACCEPT_ENCODING},
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> httpx.Request:
        """Make a request, as its bytes will leave."""
        return self._http.build_request(
            method, url, params=params, headers=dict(headers), content=content
        )

    def exchange(
        self, request: httpx.Request, *, about: RequestContext, at_most_s: float = float("inf")
    ) -> Response:
        """Send once and return the whole answer, unpacked.

        Args:
            request: Of this host.
            about: For messages.
            at_most_s: Seconds it may take, if that is less than its own limit.

        Raises:
            TransientError: No answer, or not all of it, came in time.
            ConnectionSetupError: No connection can be made until somebody changes something.
            ContractError: It is too large, or packed in an unknown way.
        """
        chunks: list[bytes] = []
        size = 0
        limit_s = max(0.0, min(self._deadline_s, at_most_s))
        with wire_faults(about, url=self._url) as progress, self._backend.deadline(limit_s):
            response = self._http.send(request, stream=True)
            progress.answered = True
            try:
                unpacker = Unpacker(response.headers.get("content-encoding"))
                for chunk in response.iter_raw():
                    for piece in unpacker.pieces(chunk):
                        chunks.append(piece)
                        size += len(piece)
                        if size > MAX_BODY_BYTES:
                            raise ContractError(
                                f"the answer is larger than {MAX_BODY_BYTES} bytes",
                                status=response.status_code,
                                advice="Ask for less at once",
                                **about.fields(),
                            )
                unpacker.end()
            except UnknownPackingError as error:
                raise ContractError(
                    f"the answer is packed as {str(error)[:40]!r}, which was not asked for",
                    status=response.status_code,
                    advice="The vendor, or a proxy in between, does not heed Accept-Encoding",
                    **about.fields(),
                ) from None
            except CutPackingError:
                raise TransientError(
                    "the answer was cut off (it cannot be unpacked)",
                    kind="body",
                    status=response.status_code,
                    advice="Run it again later",
                    **about.fields(),
                ) from None
            finally:
                response.close()
        return Response(b"".join(chunks), response.status_code, response.headers)
