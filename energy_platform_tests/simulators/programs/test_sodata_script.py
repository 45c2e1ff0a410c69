"""SoData's published script runs against the simulator as it runs against the cloud."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from .sodata_script import Script

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite

WINDOW = {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-02T00:00:00.000Z"}


def test_the_script_goes_from_the_accounts_name_to_a_history(suite: SimulatorSuite) -> None:
    script = Script(suite)
    account = script.account("Demo CA")
    device = script.device(account, "SN000001")
    variable = script.variable(account, device["uuid"], title="Positive active energy")
    answer = script.history(account, variable, useDeviceLocalTimezone=False, **WINDOW)
    assert answer["dataType"] == "number"
    rise = answer["data"][-1]["value"] - answer["data"][0]["value"]
    signal = suite.world.signals["socomec/SN000001/Global|0|130101"]
    first, last = (
        datetime.fromisoformat(answer["data"][position]["at"]).timestamp() for position in (0, -1)
    )
    assert rise == pytest.approx(signal.true_energy_wh(first, last), abs=1.5)


def test_the_documents_example_of_local_time_begins_before_what_was_asked(
    suite: SimulatorSuite,
) -> None:
    script = Script(suite)
    account = script.account("Demo CA")
    device = script.device(account, "SN000001")
    variable = script.variable(account, device["uuid"], title="V1")
    window = {"from": "2026-01-08T07:47:26.724Z", "to": "2026-01-08T09:47:26.724Z"}
    answer = script.history(account, variable, useDeviceLocalTimezone=True, **window)
    assert answer["deviceTimeZone"] == "Europe/Paris"
    assert "2026-01-08T06:47" <= answer["data"][0]["at"] < "2026-01-08T06:54"


@pytest.mark.parametrize("granularity", ["minute", "hour", "day", "week", "month", "year"])
@pytest.mark.parametrize("how", ["avg", "min", "max", "count", "sum", "var", "stdev"])
@pytest.mark.parametrize("local", [False, True])
def test_every_granularity_and_aggregation_of_the_document_answers_with_numbers(
    suite: SimulatorSuite, granularity: str, how: str, local: bool
) -> None:
    script = Script(suite)
    account = script.account("Demo CA")
    device = script.device(account, "SN000001")
    variable = script.variable(account, device["uuid"], title="V1")
    query = {"granularity": granularity, "aggregation": how, "useDeviceLocalTimezone": local}
    answer = script.history(account, variable, **query, **WINDOW)
    assert answer["aggregation"] == how
    assert all(isinstance(point["value"], int | float) for point in answer["data"])
    if granularity == "day":
        assert len(answer["data"]) == 1
