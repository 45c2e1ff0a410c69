"""What the status of an answer means: good, can heal by waiting, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from energy_platform.sources.http.errors import PermanentError, TransientError
from energy_platform.sources.http.masking import error_summary, safe_url
from energy_platform.sources.http.rate_limit import retry_after_s

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.sources.http.messages import RequestContext, Response

TRANSIENT_STATUSES: Final = frozenset({408, 425, 429})
"""Answers below 500 that can heal by waiting; every 5xx can too."""

_ADVICE: Final[dict[int, str]] = {
    400: "Report it: the request no longer fits the vendor's API",
    403: "Ask the vendor's account owner for the right to read this",
    404: "Check that the id still exists and is visible to this account",
    413: "Ask for a shorter window or fewer series",
    414: "Ask for a shorter window or fewer series",
    429: "Lower the requests per second of this vendor in the settings",
}


def judged(response: Response, *, about: RequestContext, now: datetime) -> Response:
    """Return a good answer.

    Args:
        response: Any answer.
        about: For messages.
        now: The present, for a ``Retry-After`` that is a date.

    Raises:
        TransientError: The status can heal.
        PermanentError: It cannot.
    """
    status = response.status
    if httpx.codes.is_success(status):
        return response
    code, words = error_summary(response.content, hidden=about.hidden)
    said = ": ".join(part for part in (code, words) if part)
    if httpx.codes.is_redirect(status):
        raise PermanentError(
            f"redirected to {safe_url(response.headers.get('location', ''))}; not followed",
            status=status,
            advice="Check the base URL in the settings",
            **about.fields(),
        )
    if status in TRANSIENT_STATUSES or httpx.codes.is_server_error(status):
        raise TransientError(
            f"the vendor is busy or broken{said and f' ({said})'}",
            kind="status",
            status=status,
            code=code,
            retry_after_s=retry_after_s(response.headers.get("retry-after"), now=now),
            advice=_ADVICE.get(status, "Run it again later"),
            **about.fields(),
        )
    raise PermanentError(
        f"the vendor refused the call{said and f' ({said})'}",
        status=status,
        code=code,
        advice=_ADVICE.get(status, "Report it: the vendor's API may have changed"),
        **about.fields(),
    )
