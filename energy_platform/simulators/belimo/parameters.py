"""Query parameters of the Belimo Cloud: paging, bounds, order.

Source: Belimo Cloud Client API, sections 4 (pagination) and 5.1 (bounds).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from energy_platform.simulators.belimo.history import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.simulators.faults import Faults

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a collection.

    Attributes:
        offset: As asked for, echoed.
        limit: As asked for, echoed.
        first: Where the page really begins: faults move it.
        endless: Whether the total is never reached.
        extra: Added to the total by a fault.
        most: Records that exist at most (truncation); None without a limit.
        cap: The total never says more than this; None says the truth.
        size: Elements a page holds at most, whatever ``limit`` says.
        has_total: Whether a total is announced at all.
    """

    offset: int
    limit: int
    first: int
    endless: bool
    extra: int
    most: int | None
    cap: int | None = None
    size: int = MAX_LIMIT
    has_total: bool = True

    @classmethod
    def read(cls, query: Mapping[str, str], *, faults: Faults, path: str, clamp: bool) -> Self:
        """Read ``limit`` and ``offset`` and apply the faults of listings.

        Raises:
            ParameterError: Not whole numbers, or a limit above 2000.
        """
        try:
            limit = int(query.get("limit", DEFAULT_LIMIT))
            offset = int(query.get("offset", 0))
        except ValueError as error:
            raise ParameterError("limit and offset must be whole numbers") from error
        if limit > MAX_LIMIT and clamp:
            limit = MAX_LIMIT
        if not 1 <= limit <= MAX_LIMIT or offset < 0:
            raise ParameterError(f"limit must be 1 to {MAX_LIMIT}, offset at least 0")
        first = offset
        if offset > 0 and faults.should_fail("page_drift", path=path):
            first -= 1
        if offset > 0 and faults.should_fail("repeated_page", path=path):
            first = 0
        truncated = faults.active("truncate")
        capped = faults.active("capped_total")
        short = faults.active("short_pages")
        return cls(
            offset=offset,
            limit=limit,
            first=first,
            endless=faults.active("endless_pages") is not None,
            extra=1 if faults.should_fail("wrong_total", path=path) else 0,
            most=None if truncated is None else int(truncated.amount or 0),
            cap=None if capped is None else int(capped.amount or 0),
            size=limit if short is None else max(1, min(limit, int(short.amount or 1))),
            has_total=not faults.should_fail("no_total", path=path),
        )

    def total(self, records: int) -> int | None:
        """The total to announce; None for an answer without one."""
        if not self.has_total:
            return None
        if self.cap is not None:
            records = min(records, self.cap)
        if self.endless and records:
            return self.offset + self.limit + records
        return (records if self.most is None else min(records, self.most)) + self.extra


def bounds(query: Mapping[str, str], *, since: float, now: float) -> tuple[float, float]:
    """``from`` (default: beginning of the data scope) and ``to`` (default: now).

    Raises:
        ParameterError: Unreadable, or ``to`` not after ``from``.
    """
    start = instant(query["from"], key="from") if "from" in query else since
    end = instant(query["to"], key="to") if "to" in query else now
    if end <= start:
        raise ParameterError("to must be after from")
    return start, end


def instant(text: str, *, key: str) -> float:
    """ISO 8601 or milliseconds since the epoch, as epoch seconds.

    Raises:
        ParameterError: Neither.
    """
    if text.isdigit():
        return int(text) / 1_000
    try:
        # A plus sign that was not escaped arrives as a blank.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise ParameterError(f"{key} {text!r} is not an ISO 8601 date") from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def ordered(
    records: list[dict[str, Any]], query: Mapping[str, str], *, default: str
) -> tuple[list[dict[str, Any]], tuple[str, str]]:
    """Records by ``sortBy`` and ``sortDirection``, and what to echo.

    Raises:
        ParameterError: The field does not exist.
    """
    name, direction = query.get("sortBy", default), query.get("sortDirection", "ASC")
    if direction not in {"ASC", "DESC"}:
        raise ParameterError("sortDirection must be ASC or DESC")
    if records and name.split(".")[0] not in records[0]:
        raise ParameterError(f"sortBy {name!r} is unknown")
    found = sorted(records, key=lambda one: _field(one, name), reverse=direction == "DESC")
    return found, (name, direction)


def _field(one: Any, name: str) -> str:
    for part in name.split("."):
        one = one.get(part) if isinstance(one, dict) else None
    return "" if one is None else str(one)
