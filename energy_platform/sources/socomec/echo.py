"""Whether an answer of the history call is one to the question (SoData API, section 5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.sources.http.errors import ContractError

if TYPE_CHECKING:
    from energy_platform.sources.socomec.batch_size import HistoryRequest
    from energy_platform.sources.socomec.models import Datapoints

ENDPOINT: Final = "datapoints"
"""Name of the history call in messages; a failed login in between has another."""


def is_of_window(answer: Datapoints, request: HistoryRequest) -> bool:
    """Whether the echoed bounds are those asked for, as far as they can be read."""
    for echoed, asked in ((answer.from_, request.start), (answer.to, request.end)):
        try:
            at = datetime.fromisoformat(echoed)
        except (ValueError, TypeError):
            continue
        if at.tzinfo is not None and abs(at - asked) >= timedelta(seconds=1):
            return False
    return True


def check(answer: Datapoints, request: HistoryRequest) -> None:
    """Compare the echoed request with what was asked.

    Raises:
        ContractError: The answer is of another kind, or only about other series.
    """
    wrong = ""
    if answer.granularity not in {None, "raw"}:
        wrong = f"asked for raw points, got granularity {answer.granularity}"
    elif answer.use_device_local_timezone:
        wrong = "asked for UTC, the answer is in the device's local time"
    elif (came := {series.key for series in answer.series}) and not came & set(request.series):
        wrong = f"got a series that was not asked for: {'|'.join(min(came)[1:])}"
    if wrong:
        raise ContractError(
            wrong,
            vendor="socomec",
            endpoint=ENDPOINT,
            subject=name_of(request),
            advice="The vendor may have changed its API; compare with its document",
        )


def text_of(at: datetime) -> str:
    """Return an instant for display.

    >>> text_of(datetime(2026, 3, 1, tzinfo=UTC))
    '2026-03-01T00:00Z'
    """
    return at.isoformat(timespec="minutes").replace("+00:00", "Z")


def name_of(request: HistoryRequest) -> str:
    """Return what a request is about, for display."""
    first, *others = request.series
    name = f"device {first.device_uuid} series {'|'.join(first[1:])}"
    return f"{name} and {len(others)} more" if others else name
