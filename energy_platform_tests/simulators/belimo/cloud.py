"""A bare client of the tests: what the vendor's example sends, nothing of the platform's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from energy_platform.simulators.belimo import ACCOUNT as BELIMO
from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform_tests.simulators.web import HTTP

if TYPE_CHECKING:
    import httpx

    from energy_platform.simulators.suite import SimulatorSuite

AUDIENCE: Final = "https://api.cloud.belimo.com/"
SCOPE: Final = "public.read offline_access read:dataprofile"
HEAT: Final = "evcloud.210"
DAY: Final = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


def token(suite: SimulatorSuite, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "password",
        "username": BELIMO.username,
        "password": BELIMO.password,
        "client_id": BELIMO.client_id,
        "client_secret": BELIMO.client_secret,
        "audience": AUDIENCE,
        "scope": SCOPE,
    }
    return HTTP.post(suite.environment()["BELIMO_TOKEN_URL"], data=form | changes)


def valve(suite: SimulatorSuite, *traits: str, number: int = 0) -> str:
    """Serial number of a valve with these traits (none: a plain one)."""
    found = [
        device.serial
        for device in suite.world.of_vendor("belimo")
        if (set(traits) <= device.traits if traits else not device.traits)
    ]
    return found[number]


def device_id(suite: SimulatorSuite, serial: str) -> str:
    """The id that the vendor has for a serial number today."""
    return suite.simulator(BelimoSimulator).device_id(serial)


class Cloud:
    """Calls with one access token."""

    def __init__(self, suite: SimulatorSuite, **changes: str) -> None:
        granted = token(suite, **changes).raise_for_status().json()
        self._url = suite.environment()["BELIMO_API_URL"]
        self._headers = {"authorization": f"Bearer {granted['access_token']}"}

    def get(self, path: str, **query: str | int) -> httpx.Response:
        return HTTP.get(self._url + path, params=query, headers=self._headers)

    def post(self, path: str, content: Any) -> httpx.Response:
        return HTTP.post(self._url + path, json=content, headers=self._headers)

    def devices(self, **query: str | int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self.get("/devices", offset=len(found), **query).raise_for_status().json()
            found += page["data"]
            if not page["data"] or len(found) >= page["paging"]["total"]:
                return found

    def raw(self, device: str, datapoint: str = HEAT, **query: str | int) -> dict[str, Any]:
        path = f"/devices/{device}/data/history/datapoints/{datapoint}"
        wanted: dict[str, str | int] = {**DAY, "limit": 2000, **query}
        answer: dict[str, Any] = self.get(path, **wanted).raise_for_status().json()
        return answer
