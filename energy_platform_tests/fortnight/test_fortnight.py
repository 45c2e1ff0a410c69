"""A day of the real schedules and sensors with two troubles, their alerts counted.

``make fortnight`` is the long one, with everything that follows from what the vendors give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform_tests.fortnight.judge import judge
from energy_platform_tests.fortnight.scenario import live
from energy_platform_tests.fortnight.troubles import SHORT, SHORT_LASTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
@pytest.mark.end_to_end
def test_troubles_heal_raise_one_alert_each_and_delay_no_other_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with live(
        tmp_path, troubles=SHORT, lasts=SHORT_LASTS, intraday_minutes=240, refresh_every=None
    ) as scenario:
        found = judge(scenario)
    assert found.breaches == ()
    alerts = {row.name: (row.mail, row.webhook) for row in found.rows}
    assert set(alerts.values()) == {("1+1", "1+1")}
    assert len(scenario.whole_at) == 3, "the day of three sources"
