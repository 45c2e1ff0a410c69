"""Whether the UI, the daemon and the code location are well, in one line.

The web server is asked what it knows of the others (`QUERY`); `judge` makes one line of the answer.
The same line is what ``/health`` and ``energy-platform health`` say.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

PATH: Final = "/health"
"""Where the web server says it: status 200 when all is well, else 503."""

SILENT_AFTER: Final = timedelta(minutes=5)
"""A daemon says that it lives every half a minute; Dagster itself waits half an hour for it."""

QUERY: Final = """
query EnergyPlatformHealth {
  instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } }
  workspaceOrError {
    __typename
    ... on Workspace {
      locationEntries { name loadStatus locationOrLoadError { __typename } }
    }
  }
}
"""


class Health(NamedTuple):
    """What was found.

    Attributes:
        is_healthy: Whether everything answers.
        line: One sentence, for a person.
    """

    is_healthy: bool
    line: str


def judge(answer: Any, *, now: datetime) -> Health:
    """Say whether all is well by what the web server answered to `QUERY`.

    Args:
        answer: The decoded JSON, whatever it is.
        now: The present.
    """
    try:
        data = answer["data"]
        entries = data["workspaceOrError"]["locationEntries"]
        statuses = data["instance"]["daemonHealth"]["allDaemonStatuses"]
        troubles = [*_locations(entries), *_daemons(statuses, now=now)]
    except (KeyError, TypeError):
        return Health(False, "the web server does not know its daemon and code location")
    if troubles:
        return Health(False, "; ".join(troubles))
    return Health(
        True, "well: the web server answers, the code location is loaded, the daemon lives"
    )


def _locations(entries: list[dict[str, Any]]) -> list[str]:
    if not entries:
        return ["no code location is known"]
    return [
        f"the code location {one['name']} is not loaded; see ui.log in data/dagster"
        for one in entries
        if one["loadStatus"] != "LOADED"
        or (one["locationOrLoadError"] or {}).get("__typename") != "RepositoryLocation"
    ]


def _daemons(statuses: list[dict[str, Any]], *, now: datetime) -> list[str]:
    required = [one for one in statuses if one["required"]]
    if not required:
        return ["no daemon is known"]
    limit = (now - SILENT_AFTER).timestamp()
    silent = {
        str(one["daemonType"]).lower(): one["lastHeartbeatTime"]
        for one in required
        if (one["lastHeartbeatTime"] or 0.0) < limit
    }
    if not silent:
        return []
    names = ", ".join(sorted(silent))
    times = [time for time in silent.values() if time]
    if not times:
        return [f"the daemon has not shown itself yet ({names})"]
    return [f"the daemon is silent for {(now.timestamp() - min(times)) / 60:.0f} minutes ({names})"]
