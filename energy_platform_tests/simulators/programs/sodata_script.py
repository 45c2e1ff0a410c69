"""What SoData's published script does, written again step by step: its calls, its reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from energy_platform.simulators.socomec import ACCOUNT as SOCOMEC
from energy_platform_tests.simulators.web import HTTP

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite

TAKE = 25


class Script:
    """One user of SoLive Pro; the form names no scope."""

    def __init__(self, suite: SimulatorSuite) -> None:
        form = {
            "grant_type": "password",
            "client_id": SOCOMEC.client_id,
            "client_secret": SOCOMEC.client_secret,
            "username": SOCOMEC.username,
            "password": SOCOMEC.password,
        }
        url = suite.url("socomec_identity")
        answer = HTTP.post(f"{url}/realms/Socomec/protocol/openid-connect/token", data=form)
        self._url = suite.url("socomec") + "/api/v1/ca"
        self._headers = {"authorization": f"Bearer {answer.json()['access_token']}"}

    def all(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Page through a listing as the script does: ``skip`` grows by ``take``."""
        found: list[dict[str, Any]] = []
        skip, total = 0, 1
        while skip < total:
            page = self.get(path, take=str(TAKE), skip=str(skip), **query)
            found += page["results"]
            total = page["total"]
            skip += TAKE
        return found

    def account(self, name: str) -> str:
        """Return the uuid of a corporate account, which the script finds by its name."""
        return next(str(one["uuid"]) for one in self.all("") if one["name"] == name)

    def device(self, account: str, serial: str) -> dict[str, Any]:
        devices = self.all(f"/{account}/devices")
        return next(one for one in devices if one["serialNumber"] == serial)

    def variable(self, account: str, device: str, *, title: str) -> dict[str, Any]:
        answer = self.get(f"/{account}/devices/{device}/variables")
        return next(
            one for one in answer["results"] if one["serviceTranslations"]["en"]["title"] == title
        )

    def history(self, account: str, variable: dict[str, Any], **query: Any) -> dict[str, Any]:
        """The history of one variable; the body as the document prints it."""
        series = {
            "deviceUuid": variable["deviceUuid"],
            "itemType": variable["itemType"],
            "itemIndex": variable["itemIndex"],
            "serviceId": variable["serviceId"],
        }
        if "aggregation" in query:
            series["aggregation"] = query.pop("aggregation")
        body = {"timezone": "UTC", "granularity": "raw", **query, "series": [series]}
        answer = HTTP.put(
            f"{self._url}/{account}/datapoints",
            content=httpx.Request("PUT", "http://x", json=body).read(),
            headers={**self._headers, "content-type": "application/json; charset=utf-8"},
        )
        answer.raise_for_status()
        answered: dict[str, Any] = answer.json()["series"][0]
        return answered

    def get(self, path: str, **query: str) -> Any:
        answer = HTTP.get(self._url + path, params=query, headers=self._headers)
        answer.raise_for_status()
        return answer.json()
