"""The suite as other processes meet it: environment, control endpoint, command line."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from energy_platform.simulators.__main__ import main
from energy_platform.simulators.faults import FaultError
from energy_platform.simulators.process import SimulatorProcess, SimulatorProcessError
from energy_platform.simulators.suite import SimulatorSuite, server_names
from energy_platform.simulators.wattics import WatticsSimulator
from energy_platform.simulators.world import Bulk
from energy_platform.sources.belimo.settings import BelimoSettings
from energy_platform.sources.skycentrics.settings import SkycentricsSettings
from energy_platform.sources.socomec.settings import SocomecSettings
from energy_platform_tests.simulators.web import HTTP

KEY = "socomec/SN000001/Global|0|130101"


def test_the_environment_is_what_the_platforms_settings_read(
    suite: SimulatorSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in suite.environment().items():
        monkeypatch.setenv(name, value)
    assert SocomecSettings().client_id == "demo-sodata"
    assert BelimoSettings().api_url == suite.url("belimo") + "/api/v3"
    assert SkycentricsSettings().client_id == "demo-client"


def test_every_server_listens_on_loopback_only(suite: SimulatorSuite) -> None:
    urls = {suite.url(name) for name in server_names()}
    assert len(urls) == len(server_names())
    assert all(url.startswith("http://127.0.0.1:") for url in urls)


def test_another_process_can_switch_faults_events_and_the_clock(suite: SimulatorSuite) -> None:
    def order(path: str, content: object) -> dict[str, Any]:
        answer = HTTP.post(suite.url("control") + path, json=content).raise_for_status()
        state: dict[str, Any] = answer.json()
        return state

    event = {"signal": KEY, "kind": "zeros", "start": "2026-01-01T00:00:00Z"}
    order("/faults", {"set": ["socomec:http_503=0.5"]})
    order("/events", {"add": [event]})
    state = order("/clock", {"now": "2026-01-05T12:00:00Z"})
    assert state["now"] == "2026-01-05T12:00:00Z"
    assert state["faults"]["socomec"] == {"http_503=0.5": 0}
    assert suite.world.signals[KEY].samples(1.7673e9, 1.7674e9).values.max() == 0.0
    assert suite.now() == datetime(2026, 1, 5, 12, tzinfo=UTC)
    order("/faults", {"clear": True})
    order("/events", {"clear": True})
    state = HTTP.get(suite.url("control") + "/state").json()
    assert state["faults"]["socomec"] == {}
    assert state["events"] == []


@pytest.mark.parametrize(
    ("path", "order", "complaint"),
    [
        ("/faults", {"set": ["socomec:explode"]}, "unknown here"),
        ("/faults", {"sett": []}, "unknown field"),
        (
            "/events",
            {"add": [{"signal": "x", "kind": "zeros", "start": "2026-01-01T00:00:00Z"}]},
            "no signal 'x'",
        ),
        ("/clock", {"now": "2026-01-05T12:00:00"}, "zone"),
        ("/transfer", {"serial": "nobody"}, "no valve"),
    ],
)
def test_a_wrong_order_is_refused_with_its_reason(
    suite: SimulatorSuite, path: str, order: dict[str, object], complaint: str
) -> None:
    answer = HTTP.post(suite.url("control") + path, json=order)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]


def test_the_control_endpoint_serves_truth_and_report(
    suite: SimulatorSuite,
) -> None:
    control = suite.url("control")
    bounds = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    truth = HTTP.get(control + "/truth", params=bounds).json()
    report = HTTP.get(control + "/delivery-report").json()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert truth["paris"] == suite.world.site_energy_wh(
        "paris", start, datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert report["packets"] == 0
    assert report["clean"]
    assert len(report["streams"]) >= 12


def test_a_record_survives_the_suite(tmp_path: Path) -> None:
    packet = {"id": "paris-sn000001", "tsISO8601": "2026-01-01T10:15:00.000+01:00", "pC_1": 5}
    with SimulatorSuite(record_dir=tmp_path) as suite:
        variables = suite.environment()
        auth = (variables["WATTICS_USERNAME"], variables["WATTICS_PASSWORD"])
        HTTP.post(variables["WATTICS_BASE_URL"], json=packet, auth=auth).raise_for_status()
    with SimulatorSuite(record_dir=tmp_path) as suite:
        assert len(suite.simulator(WatticsSimulator).packets("paris-sn000001")) == 1


def test_an_unknown_fault_keeps_the_suite_from_starting() -> None:
    with pytest.raises(FaultError, match="expected VENDOR:FAULT"):
        SimulatorSuite(faults=["explode"])


def test_the_suite_runs_in_a_process_of_its_own_and_ends_with_it() -> None:
    with SimulatorProcess(
        faults=["belimo:http_503=1"],
        now=datetime(2026, 1, 5, tzinfo=UTC),
        bulk=Bulk(3, services=2),
    ) as process:
        pid = process.pid
        assert process.ask("/state")["now"] == "2026-01-05T00:00:00Z"
        info = process.url("belimo") + "/api/v3/api-info"
        assert [HTTP.get(info).status_code for _ in range(2)] == [503, 200]
        assert "BULK000003" in process.ask("/portfolio")
        with pytest.raises(SimulatorProcessError, match="unknown here"):
            process.ask("/faults", order={"set": ["belimo:explode"]})
    assert pid is not None
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_suite_process_that_cannot_start_says_so() -> None:
    with (
        pytest.raises(SimulatorProcessError, match="ended with code 2"),
        SimulatorProcess(faults=["x"]),
    ):
        pass


def test_the_command_line_refuses_a_wrong_fault_with_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--faults=socomec:explode"]) == 2
    assert "fault 'explode' is unknown here" in capsys.readouterr().err
    assert main(['--event={"signal":"x","kind":"zeros","start":"2026-01-01T00:00:00Z"}']) == 2
    assert "no signal 'x'" in capsys.readouterr().err
