"""What Belimo's published programs do, written again step by step: their calls, their reading.

The Python example logs in with its scopes, looks for devices by a word of their names, prints the
description of every datapoint of ``energyvalve3/1.2``, and makes daily energies of a time series.
The connector for Node-RED sends its client by HTTP Basic and no scope.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from energy_platform.simulators.belimo import ACCOUNT as BELIMO
from energy_platform_tests.simulators.web import HTTP

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite

AUDIENCE: Final = "https://api.cloud.belimo.com/"
SCOPE: Final = "public.read offline_access read:dataprofile"
J_PER_KWH: Final = 3_600_000


@dataclass(frozen=True)
class Session:
    """The example's session: one token, answers that are read without looking."""

    url: str
    token: str

    def get(self, path: str, **query: str) -> Any:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = HTTP.get(self.url + path, params=query, headers=headers)
        answer.raise_for_status()
        return answer.json()


def log_in(suite: SimulatorSuite) -> Session:
    environment = suite.environment()
    granted = HTTP.post(
        environment["BELIMO_TOKEN_URL"],
        data={
            "grant_type": "password",
            "username": BELIMO.username,
            "password": BELIMO.password,
            "client_id": BELIMO.client_id,
            "client_secret": BELIMO.client_secret,
            "audience": AUDIENCE,
            "scope": SCOPE,
        },
    ).json()
    # The example's OAuth library raises when another scope is granted than it asked for.
    if set(granted["scope"].split()) != set(SCOPE.split()):
        raise ValueError(f"scope has changed to {granted['scope']}")
    return Session(environment["BELIMO_API_URL"], granted["access_token"])


def node_red_log_in(suite: SimulatorSuite) -> dict[str, Any]:
    """Ask for a token as ``tokenReq`` of the connector does."""
    answer = HTTP.post(
        suite.environment()["BELIMO_TOKEN_URL"],
        data={
            "grant_type": "password",
            "username": BELIMO.username,
            "password": BELIMO.password,
            "audience": AUDIENCE,
        },
        auth=(BELIMO.client_id, BELIMO.client_secret),
    )
    answer.raise_for_status()
    granted: dict[str, Any] = answer.json()
    return granted


def devices_called(session: Session, word: str) -> list[dict[str, Any]]:
    """One page of a hundred, taken for all of them."""
    listed = session.get("/devices", state="REGISTERED", limit="100")
    return [device for device in listed["data"] if word in device["displayName"]]


def descriptions(session: Session, profile: str) -> dict[str, str]:
    """Read every description without looking whether there is one."""
    answer = session.get(f"/definitions/dataprofiles/{profile}")
    return {
        datapoint["id"]: datapoint["featureValues"]["default.description"]
        for datapoint in answer["datapoints"]
    }


def daily_kwh(
    session: Session, device: str, datapoint: str, *, start: str, end: str
) -> dict[str, float]:
    """Energy from each day to the next, of the first series that came."""
    answer = session.get(
        f"/devices/{device}/data/history/timeseries",
        **{"datapointIds": datapoint, "resolution": "1d", "from": start, "to": end},
    )
    values = answer["series"][0]["values"]
    return {
        later["timestamp"]: (later["value"] - earlier["value"]) / J_PER_KWH
        for earlier, later in itertools.pairwise(values)
    }
