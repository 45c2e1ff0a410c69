"""Reading a whole listing page by page without losing or repeating an element.

The total that a page announces is a hint, never a proof: vendors cap it, count before they filter,
or count the page. A listing ends where a page is empty. Where its elements moved meanwhile it is
read again, until two readings bring the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from energy_platform.sources.http.errors import ContractError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

READS: Final = 4
"""How often a collection that changes under the reader is read from the start."""

MAX_PAGES: Final = 5000
"""A collection longer than this is a server that never ends."""


class Paged(NamedTuple, Generic[T]):
    """One page and the number of elements the vendor counts over all pages.

    Attributes:
        items: Elements that can be read.
        total: Elements of all pages, as the vendor says; None when it does not.
        odd: Elements that cannot be read and are left out; they count for the offset.
    """

    items: list[T]
    total: int | None
    odd: int = 0


class _Read(NamedTuple, Generic[T]):
    items: list[T]
    fault: str = ""
    """Why this reading alone does not show the collection to be whole."""
    is_hopeless: bool = False
    """Whether another reading that brings the same would prove nothing."""


def read_all(
    page: Callable[[int], Paged[T]],
    *,
    limit: int,
    identity: Callable[[T], Hashable],
    endpoint: str,
    subject: str | None,
    day: str | None,
) -> list[T]:
    """Read every page of a collection; start over when it changed in between.

    Args:
        page: Reads the page at an offset.
        limit: Elements asked for per page.
        identity: What makes an element unique.
        endpoint: For messages.
        subject: For messages.
        day: For messages.

    Returns:
        Each element once, in the vendor's order.

    Raises:
        TransientError: Several readings did not show the collection to be whole: it kept
            changing, pages are left out, or fewer elements come than are announced.
        ContractError: The vendor sends pages without end.
    """
    before: _Read[T] | None = None
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
        if not read.fault:
            return read.items
        is_same = before is not None and (
            set(map(identity, before.items)) == set(map(identity, read.items))
        )
        if is_same and not read.is_hopeless:
            return read.items
        before = read
    raise TransientError(
        f"the pages do not add up: {before.fault if before else ''} (read {READS} times)",
        vendor="belimo",
        endpoint=endpoint,
        subject=subject,
        day=day,
        kind="body",
        advice="Run it again later",
    )


def _read_once(
    page: Callable[[int], Paged[T]], *, limit: int, identity: Callable[[T], Hashable]
) -> _Read[T] | None:
    items: dict[Hashable, T] = {}
    offset = odd = 0
    totals: list[int | None] = []
    fault = ""
    for _ in range(MAX_PAGES):
        found, total, unreadable = page(offset)
        if not found and not unreadable:
            # Only a first page's: a total that counts the page says 0 where there is nothing.
            totals = totals or [total]
            break
        totals.append(total)
        if total != totals[0]:
            fault = f"the total went from {totals[0]} to {total}"
        fresh = {identity(one): one for one in found if identity(one) not in items}
        if found and not fresh:
            if len(found) == offset < limit and total in {None, offset}:
                # The offset means nothing where one page that is not full holds all.
                break
            return _Read(list(items.values()), "the same page came again", is_hopeless=True)
        if len(fresh) < len(found):
            fault = "an element came twice"
        items |= fresh
        odd += unreadable
        offset += len(found) + unreadable
    else:
        return None
    announced = totals[-1] if totals else None
    came = len(items) + odd
    if announced is not None and announced > came:
        return _Read(
            list(items.values()),
            f"{announced} elements announced, {came} came",
            is_hopeless=True,
        )
    return _Read(list(items.values()), fault)
