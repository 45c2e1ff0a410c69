"""Property: of a series at one cadence every sample comes, or the answer says it is not whole."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.sources.belimo.decoding import SamplePage, rows_of
from energy_platform.sources.belimo.proof import Window, whole
from energy_platform.sources.belimo.samples import MILLISECOND, Answer, Asked, read_samples
from energy_platform_tests.sources.belimo.cloud import at, said

if TYPE_CHECKING:
    from collections.abc import Callable

START, END = at("2026-01-01T00:00:00+00:00"), at("2026-01-02T00:00:00+00:00")
ASKED = Asked("raw samples", "device point", "2026-01-01")


class Vendor(NamedTuple):
    """What an answer makes of the samples that exist."""

    most: int
    """Samples an answer holds at all."""
    newest: bool
    """Whether it keeps the newest of them instead of the oldest."""
    size: int
    """Samples of a page, whatever was asked for."""
    cap: int | None
    """What the total never exceeds; None says no total."""
    surplus: int
    """What is added to the total."""
    ignores_offset: bool
    back: int
    """How many samples too early a later page begins."""

    def pages(
        self, stamps: list[datetime], *, limit: int, end: datetime
    ) -> Callable[[datetime, int], SamplePage]:
        """Answer as the history call does."""

        def page(low: datetime, offset: int) -> SamplePage:
            inside = [one for one in stamps if low <= one < end]
            kept = inside[-self.most :] if self.newest else inside[: self.most]
            first = 0 if self.ignores_offset else max(0, offset - (self.back if offset else 0))
            part = kept[first : first + min(limit, self.size)]
            total = None if self.cap is None else min(self.cap, len(kept)) + self.surplus
            rows = rows_of([said(one) for one in part], [float(one.hour) for one in part])
            return SamplePage(rows, len(part), total)

        return page


vendors = st.builds(
    Vendor,
    most=st.integers(1, 200),
    newest=st.booleans(),
    size=st.integers(1, 120),
    cap=st.none() | st.integers(0, 150),
    surplus=st.sampled_from([0, 0, 1, 40]),
    ignores_offset=st.booleans(),
    back=st.integers(0, 2),
)


@settings(deadline=None, max_examples=80)
@given(vendors, st.integers(4, 120), st.integers(20, 100), st.sampled_from([0.2, 0.5, 0.8]))
def test_no_answer_is_short_without_a_word(
    vendor: Vendor, count: int, limit: int, phase: float
) -> None:
    step = (END - START) / count
    stamps = [(START + (n + phase) * step).replace(microsecond=0) for n in range(count)]

    def ask(low: datetime, high: datetime) -> Answer:
        return read_samples(
            vendor.pages(stamps, limit=limit, end=high),
            start=low,
            end=high,
            limit=limit,
            cadence=None,
            end_tolerance=timedelta(0),
            asked=ASKED,
        )

    found = whole(ask, window=Window(START, END, is_open=False, step=MILLISECOND))
    came = set(found.frame["at"])
    assert came <= set(stamps)
    assert came == set(stamps) or found.doubts
