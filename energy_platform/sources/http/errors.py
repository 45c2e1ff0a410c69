"""What can go wrong with a vendor, said for the person who must act.

Every message is one line and names vendor, endpoint, device, day and status where they are known,
then what happened and what to do. None carries a query string, a token or a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from datetime import datetime

FaultKind = Literal["status", "timeout", "connection", "body", "down"]
"""What a transient fault was: a status, no answer in time, no connection, a bad body, or nothing
asked any more because the source is down."""


class VendorError(Exception):
    """A vendor did not give what was asked for.

    Attributes:
        vendor: Vendor name, such as ``acme``.
        endpoint: Short name of the call, such as ``datapoints``.
        reason: What was expected and what came.
        advice: What the reader can do about it; may be empty.
        day: UTC day the call was for.
        subject: Device, site or other thing the call was about.
        status: HTTP status, when there was an answer.
        code: Machine-readable error code of the answer, such as ``invalid_grant``.
    """

    def __init__(
        self,
        reason: str,
        *,
        vendor: str,
        endpoint: str,
        advice: str = "",
        day: str | None = None,
        subject: str | None = None,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.vendor = vendor
        self.endpoint = endpoint
        self.advice = advice
        self.day = day
        self.subject = subject
        self.status = status
        self.code = code

    def __str__(self) -> str:
        """Return the one line for display."""
        about = [f"{self.vendor} {self.endpoint}"]
        if self.subject:
            about.append(self.subject)
        if self.day:
            about.append(f"day {self.day}")
        if self.status is not None:
            about.append(f"HTTP {self.status}")
        line = f"{', '.join(about)}: {self.reason}"
        return f"{line}. {self.advice}" if self.advice else line

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Make copies, also into another process, without the keywords of the constructor."""
        return _bare, (type(self), *self.args), vars(self)

    def about(self, *, day: str | None = None, subject: str | None = None) -> Self:
        """Fill in a day or subject that the place of failure did not know; returns itself."""
        self.day = self.day or day
        self.subject = self.subject or subject
        return self


def _bare(kind: type[VendorError], *args: object) -> VendorError:
    """Make an error that has nothing but its arguments yet."""
    return kind.__new__(kind, *args)


class TransientError(VendorError):
    """A fault that can heal by itself; raised when the attempts are used up.

    Attributes:
        kind: What kind of fault it was.
        retry_after_s: Seconds the vendor asked to wait, when it did.
        exhausted: Whether a layer below has used up its attempts, so that no other tries again.
    """

    def __init__(
        self,
        reason: str,
        *,
        vendor: str,
        endpoint: str,
        kind: FaultKind,
        advice: str = "",
        day: str | None = None,
        subject: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(
            reason,
            vendor=vendor,
            endpoint=endpoint,
            advice=advice,
            day=day,
            subject=subject,
            status=status,
            code=code,
        )
        self.kind: FaultKind = kind
        self.retry_after_s = retry_after_s
        self.exhausted = False


class SourceDownError(TransientError):
    """The source gave no answer to several calls, so this one was not made.

    It ends at once: no layer tries again or asks for less, the next run does.
    """

    def __init__(
        self,
        reason: str,
        *,
        vendor: str,
        endpoint: str,
        advice: str = "",
        day: str | None = None,
        subject: str | None = None,
    ) -> None:
        super().__init__(
            reason,
            vendor=vendor,
            endpoint=endpoint,
            kind="down",
            advice=advice,
            day=day,
            subject=subject,
        )
        self.exhausted = True


class RunLimitError(SourceDownError):
    """The run has spent the time it may take for a source (``<VENDOR>_RUN_LIMIT_S``)."""


class PermanentError(VendorError):
    """Asking again will not help: a refusal, a redirect, a call that may not be made."""


class ConnectionSetupError(PermanentError):
    """No connection can be made until somebody changes something: a certificate, TLS, a proxy."""


class AuthenticationError(PermanentError):
    """Credentials are missing or refused; alarm on it apart from missing data.

    Attributes:
        refused_since: When these credentials were first refused; None when that is not kept.
        next_try_at: When they are tried again by themselves.
    """

    refused_since: datetime | None = None
    next_try_at: datetime | None = None


class ContractError(PermanentError):
    """The answer is not of the documented shape: the vendor changed something."""
