"""Pages of listings, as the Belimo Cloud answers them.

Source: Belimo Cloud Client API, section 4 (pagination).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from energy_platform.simulators.belimo.answers import body
from energy_platform.simulators.belimo.history import listing
from energy_platform.simulators.belimo.parameters import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from energy_platform.simulators.belimo.inventory import Record
    from energy_platform.simulators.faults import Faults


class Listings:
    """Answers with pages.

    Args:
        faults: Those of listings move, repeat and cut the pages.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def page(self, request: Request) -> Page:
        """Return the page that is asked for, as the faults will have it."""
        return Page.read(
            request.query_params,
            faults=self._faults,
            path=request.url.path,
            clamp=self._faults.active("clamp_limit") is not None,
        )

    def answer(
        self,
        request: Request,
        found: list[Record],
        *,
        sorting: tuple[str, str],
        filters: dict[str, Any],
        complete: Callable[[Record], Record] | None = None,
    ) -> Response:
        """Return a page of these records.

        Args:
            request: With ``limit`` and ``offset``.
            found: All records, in order.
            sorting: Field and direction, echoed.
            filters: What was asked for, echoed.
            complete: Applied to the records of the page only.
        """
        page = self.page(request)
        chosen = found[page.first : page.first + page.size]
        if page.endless and found:
            chosen = [found[(page.first + i) % len(found)] for i in range(page.limit)]
        if complete is not None:
            chosen = [complete(one) for one in chosen]
        data = b",".join(msgspec.json.encode(one) for one in chosen)
        return body(
            listing(
                data,
                total=page.total(len(found)),
                offset=page.offset,
                limit=page.limit,
                sorting=sorting,
                filters=filters,
            )
        )
