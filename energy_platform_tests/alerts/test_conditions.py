"""What is worth a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from energy_platform.alerts.conditions import (
    RunEnd,
    SourceFacts,
    StreamFacts,
    disk_condition,
    failed_runs,
    publication_condition,
    source_conditions,
    stream_conditions,
)

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HEALTHY = SourceFacts(
    source="socomec",
    heard_at=NOW - QUARTER,
    configured_at=NOW - timedelta(days=30),
    refused_since=None,
    refusal="",
    retry_at=None,
    failure="",
    missing_days=(),
    missing_since=None,
)


def kinds(facts: SourceFacts) -> list[str]:
    return [one.kind for one in source_conditions([facts], now=NOW, expected_every=QUARTER)]


def test_a_healthy_source_is_no_condition() -> None:
    assert kinds(HEALTHY) == []


def test_an_outage_is_one_condition_not_three() -> None:
    away = HEALTHY._replace(
        heard_at=NOW - timedelta(days=9),
        failure="socomec datapoints, HTTP 503: the vendor is busy or broken",
        missing_days=("2026-03-01", "2026-03-02"),
        missing_since=NOW - timedelta(days=8),
    )
    (one,) = source_conditions([away], now=NOW, expected_every=QUARTER)
    assert one.kind == "source_silent"
    assert one.since == NOW - timedelta(days=9)
    assert "HTTP 503" in one.what
    refused = away._replace(refused_since=NOW - timedelta(hours=2), refusal="invalid_grant")
    assert kinds(refused) == ["source_refused"]
    assert kinds(away._replace(heard_at=NOW - QUARTER)) == ["days_missing"]


def test_a_source_that_never_answered_is_silent_since_somebody_asks() -> None:
    assert kinds(HEALTHY._replace(heard_at=None)) == ["source_silent"]
    assert kinds(HEALTHY._replace(heard_at=None, configured_at=NOW)) == []


def test_a_failure_that_another_condition_tells_is_left_out_but_not_a_death() -> None:
    failed = RunEnd("ingest_socomec", "r1", NOW, 3, died=False, message="HTTP 503")
    assert failed_runs([failed], reported_elsewhere={"ingest_socomec"}) == []
    (one,) = failed_runs([failed], reported_elsewhere=())
    assert "3 times in a row" in one.what
    (died,) = failed_runs([failed._replace(died=True)], reported_elsewhere={"ingest_socomec"})
    assert died.kind == "run_died"
    good = failed._replace(failing_since=None)
    assert failed_runs([good], reported_elsewhere=()) == []


def test_streams_are_stuck_or_refused_never_both() -> None:
    stuck = StreamFacts("st-1", "Wattics", None, NOW, "no connection", None, 0)
    assert [one.kind for one in stream_conditions([stuck], now=NOW)] == ["stream_stuck"]
    both = stuck._replace(stopped="HTTP 400", refused_since=NOW, refused=2)
    (one,) = stream_conditions([both], now=NOW)
    assert one.kind == "stream_refused"
    assert "2 packets refused" in one.what
    assert stream_conditions([stuck._replace(failing_since=None)], now=NOW) == []


def test_the_disk_is_told_by_what_is_left_or_by_its_growth() -> None:
    def judged(*, free: int, days_left: float | None) -> list[str]:
        found = disk_condition(
            free=free,
            total=100 * 1024**3,
            days_left=days_left,
            now=NOW,
            least_free=5 * 1024**3,
            warn_days=14,
        )
        return [one.what for one in found]

    assert judged(free=50 * 1024**3, days_left=None) == []
    assert judged(free=50 * 1024**3, days_left=400) == []
    assert "full in 3 days" in judged(free=50 * 1024**3, days_left=3)[0]
    assert "1.0 of 100 GiB" in judged(free=1024**3, days_left=None)[0]


def test_a_publication_is_old_only_while_newer_data_wait() -> None:
    assert publication_condition(published_at=NOW - timedelta(days=9), newer_since=None) == []
    (one,) = publication_condition(published_at=None, newer_since=NOW)
    assert "never published" in one.what
