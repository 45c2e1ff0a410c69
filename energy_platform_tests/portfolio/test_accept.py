"""``accept`` in the portfolio: spans on the site's clock, and mistakes named with their line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform_tests.portfolio.test_refused import TEXT

POINT_ID = "socomec/SN1/Global|0|1"


def accepting(span: str, *, point: str = POINT_ID, reason: str = "it was real") -> str:
    entry = f"accept:\n  - {{points: ['{point}'], reason: {reason}, {span}}}\n"
    return TEXT + entry


@pytest.mark.parametrize(
    ("span", "start", "end"),
    [
        (
            "from: 2026-03-28 14:00, to: 2026-03-29 14:00",
            datetime(2026, 3, 28, 13, tzinfo=UTC),
            datetime(2026, 3, 29, 12, tzinfo=UTC),
        ),
        (
            "from: 2026-07-01, to: 2026-07-02",
            datetime(2026, 6, 30, 22, tzinfo=UTC),
            datetime(2026, 7, 1, 22, tzinfo=UTC),
        ),
        (
            "from: 2026-07-01T08:00:00Z, to: '2026-07-01T12:00:00+03:00'",
            datetime(2026, 7, 1, 8, tzinfo=UTC),
            datetime(2026, 7, 1, 9, tzinfo=UTC),
        ),
    ],
)
def test_a_span_is_on_the_clock_of_the_site_unless_it_has_an_offset(
    span: str, start: datetime, end: datetime
) -> None:
    (one,) = parse_portfolio(accepting(span)).accepted
    assert (one.point_id, one.start, one.end) == (POINT_ID, start, end)


def test_a_span_holds_on_the_days_it_touches() -> None:
    portfolio = parse_portfolio(accepting("from: 2026-07-01, to: 2026-07-02"))
    holds = {
        day: bool(portfolio.policy_on(POINT_ID, day=day).accepted)
        for day in ("2026-06-29", "2026-06-30", "2026-07-01", "2026-07-02")
    }
    assert list(holds.values()) == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (accepting("from: 2026-07-02, to: 2026-07-01"), "'to' must lie after 'from'"),
        (accepting("from: 2026-07-02"), "to"),
        (accepting("from: 2026-07-01, to: 2026-07-02", point="socomec/SN9/x"), "unknown point"),
        (
            accepting("from: 2026-07-01, to: 2026-07-02", point="socomec/SN1/Global|0|2"),
            "is not an energy register",
        ),
        (accepting("from: yesterday, to: 2026-07-02"), "'yesterday' is not a date"),
        (accepting("from: 2026-07-01, to: 2026-07-02", reason="''"), "reason"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, said: str) -> None:
    line = text.splitlines().index("accept:") + 2
    with pytest.raises(PortfolioError) as caught:
        parse_portfolio(text, name="p.yaml")
    assert f"p.yaml:{line}: " in str(caught.value)
    assert said in str(caught.value)
