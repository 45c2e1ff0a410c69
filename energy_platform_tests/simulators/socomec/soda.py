"""A bare client of the tests: what the vendor's script sends, nothing of the platform's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from energy_platform.simulators.socomec import ACCOUNT as SOCOMEC
from energy_platform.simulators.socomec import CA_UUID, uid
from energy_platform_tests.simulators.web import HTTP

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite

ACCOUNT: Final = f"/api/v1/ca/{CA_UUID}"
MAIN: Final = uid("device", "SN000001")
IMPORT: Final = ("Global", "0", "130101")
OPENID: Final = "/realms/Socomec/protocol/openid-connect"
TOKEN_PATH: Final = f"{OPENID}/token"


def login(suite: SimulatorSuite, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "password",
        "client_id": SOCOMEC.client_id,
        "client_secret": SOCOMEC.client_secret,
        "username": SOCOMEC.username,
        "password": SOCOMEC.password,
    }
    return HTTP.post(suite.url("socomec_identity") + TOKEN_PATH, data=form | changes)


def renew(suite: SimulatorSuite, refresh_token: str) -> httpx.Response:
    return login(suite, grant_type="refresh_token", refresh_token=refresh_token)


class Soda:
    """Calls with one access token."""

    def __init__(self, suite: SimulatorSuite) -> None:
        token = login(suite).raise_for_status().json()["access_token"]
        self._url = suite.url("socomec") + ACCOUNT
        self._headers = {"authorization": f"Bearer {token}"}

    def get(self, path: str, **query: str | int) -> httpx.Response:
        return HTTP.get(self._url + path, params=query, headers=self._headers)

    def put(self, query: Any, *, content_type: str = "application/json") -> httpx.Response:
        return HTTP.put(
            self._url + "/datapoints",
            content=httpx.Request("PUT", "http://x", json=query).read(),
            headers=self._headers | {"content-type": content_type},
        )

    def absolute(self, url: str) -> httpx.Response:
        return HTTP.get(url, headers=self._headers)

    def put_json(self, path: str, body: Any) -> httpx.Response:
        return HTTP.put(self._url + path, json=body, headers=self._headers)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return HTTP.post(self._url + path, json=body or {}, headers=self._headers)

    def listing(self, path: str, *, take: int) -> list[dict[str, Any]]:
        """The vendor script's loop."""
        found: list[dict[str, Any]] = []
        skip, total = 0, 1
        while skip < total:
            page = self.get(path, take=take, skip=skip).raise_for_status().json()
            assert page["take"] == take
            found += page["results"]
            total = page["total"]
            skip += take
        return found


def series(device: str = MAIN, *keys: str, **more: str) -> dict[str, str]:
    names = ("itemType", "itemIndex", "serviceId")
    return {"deviceUuid": device, **dict(zip(names, keys or IMPORT, strict=True)), **more}


def query(*wanted: dict[str, str], start: str, end: str, **changes: Any) -> dict[str, Any]:
    return {
        "from": start,
        "to": end,
        "timezone": "UTC",
        "useDeviceLocalTimezone": False,
        "granularity": "raw",
        "series": list(wanted) or [series()],
    } | changes
