"""One line on how the platform is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from energy_platform.web.health import judge

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def answer(
    *, heartbeat: float | None = NOW.timestamp() - 20, load: str = "LOADED", kind: str = ""
) -> dict[str, Any]:
    daemons = [
        {"daemonType": "SENSOR", "required": True, "lastHeartbeatTime": heartbeat},
        {"daemonType": "SCHEDULER", "required": True, "lastHeartbeatTime": NOW.timestamp()},
        {"daemonType": "MONITORING", "required": False, "lastHeartbeatTime": None},
    ]
    entry = {
        "name": "energy_platform",
        "loadStatus": load,
        "locationOrLoadError": {"__typename": kind or "RepositoryLocation"},
    }
    return {
        "data": {
            "instance": {"daemonHealth": {"allDaemonStatuses": daemons}},
            "workspaceOrError": {"__typename": "Workspace", "locationEntries": [entry]},
        }
    }


def test_all_that_answers_is_well() -> None:
    assert judge(answer(), now=NOW).is_healthy


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (answer(heartbeat=None), "the daemon has not shown itself yet (sensor)"),
        (answer(heartbeat=NOW.timestamp() - 420), "the daemon is silent for 7 minutes (sensor)"),
        (answer(load="LOADING"), "the code location energy_platform is not loaded"),
        (answer(kind="PythonError"), "the code location energy_platform is not loaded"),
        ({"errors": [{"message": "x"}], "data": None}, "does not know its daemon"),
        ({"data": {"workspaceOrError": {"__typename": "PythonError"}}}, "does not know its daemon"),
        ([], "does not know its daemon"),
        ("Internal Server Error", "does not know its daemon"),
    ],
)
def test_what_is_not_well_is_named(said: object, line: str) -> None:
    found = judge(said, now=NOW)
    assert not found.is_healthy
    assert line in found.line
    assert "\n" not in found.line


def test_a_place_without_daemon_or_code_is_not_well() -> None:
    empty: dict[str, Any] = answer()
    empty["data"]["instance"]["daemonHealth"]["allDaemonStatuses"] = []
    assert "no daemon is known" in judge(empty, now=NOW).line
    empty["data"]["workspaceOrError"]["locationEntries"] = []
    assert "no code location is known" in judge(empty, now=NOW).line
