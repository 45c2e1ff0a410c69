"""Reading a whole collection page by page without losing or repeating an element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from energy_platform.vendors.errors import ContractError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

READS: Final = 4
"""How often a collection that changes under the reader is read from the start."""

MAX_PAGES: Final = 5000
"""A collection longer than this is a server that never ends."""


class Paged(NamedTuple, Generic[T]):
    """One page and the number of elements the vendor counts over all pages."""

    items: list[T]
    total: int | None


class _Read(NamedTuple, Generic[T]):
    items: list[T]
    fault: str | None
    """Why the pages do not add up; None when they do."""


def read_all(
    page: Callable[[int], Paged[T]],
    *,
    limit: int,
    identity: Callable[[T], Hashable] | None,
    endpoint: str,
    subject: str | None,
    day: str | None,
) -> list[T]:
    """Read every page of a collection; start over when it changed in between.

    Args:
        page: Reads the page at an offset.
        limit: Elements asked for per page.
        identity: What makes an element unique; None when elements may be equal.
        endpoint: For messages.
        subject: For messages.
        day: For messages.

    Raises:
        TransientError: The collection changed during each of several reads.
        ContractError: The vendor sends pages without end.
    """
    fault: str | None = None
    for _ in range(READS):
        read = _read_once(page, limit=limit, identity=identity)
        if read is None:
            raise ContractError(
                f"more than {MAX_PAGES} pages",
                vendor="belimo",
                endpoint=endpoint,
                subject=subject,
                day=day,
                advice="Report it: the vendor's paging never ends",
            )
        if read.fault is None:
            return read.items
        fault = read.fault
    raise TransientError(
        f"the pages do not add up: {fault} (read {READS} times)",
        vendor="belimo",
        endpoint=endpoint,
        subject=subject,
        day=day,
        kind="body",
        advice="Run it again later",
    )


def _read_once(
    page: Callable[[int], Paged[T]],
    *,
    limit: int,
    identity: Callable[[T], Hashable] | None,
) -> _Read[T] | None:
    items: list[T] = []
    seen: set[Hashable] = set()
    total: int | None = None
    for number in range(MAX_PAGES):
        found, counted = page(len(items))
        if number and counted != total:
            return _Read(items, f"the total went from {total} to {counted}")
        total = counted
        if not found:
            break
        if number and found == items[-len(found) :] and len(found) > 1:
            return _Read(items, "the same page came again")
        items += found
        if identity is not None:
            before = len(seen)
            seen.update(map(identity, found))
            if len(seen) - before < len(found):
                return _Read(items, "an element came twice")
        if len(items) >= total if total is not None else len(found) < limit:
            break
    else:
        return None
    if total is not None and len(items) != total:
        return _Read(items, f"{total} elements announced, {len(items)} came")
    return _Read(items, None)
