"""Dataprofiles and datapoint definitions as the Belimo Cloud serves them.

Source: Belimo Cloud Client API, section 3.2 (dataprofile).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.simulators.belimo.answers import as_json, refusal
from energy_platform.simulators.belimo.parameters import ordered

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from energy_platform.simulators.belimo.inventory import Record
    from energy_platform.simulators.belimo.listings import Listings

_EXPANSION = ("datapoints", "subprofiles", "aspects")


def expanded(profile: Record, *, wanted: str | None) -> Record:
    """A profile with its datapoints, or without when ``expanded=false`` was sent."""
    if wanted != "false":
        return profile
    return {key: value for key, value in profile.items() if key not in _EXPANSION}


def find_profile(profiles: dict[str, Record], *, identity: str, version: str) -> Record | None:
    """The profile of that id and version, ``last`` included."""
    for profile in profiles.values():
        if profile["id"] == identity and version in {profile["version"], "last"}:
            return profile
    return None


def find_datapoint(profiles: dict[str, Record], *, identity: str) -> Record | None:
    """The definition of a datapoint; both profiles share their ids."""
    for profile in profiles.values():
        for datapoint in profile["datapoints"]:
            if datapoint["id"] == identity:
                return {**datapoint, "version": "1.0", "definedBy": profile["ref"]}
    return None


class DefinitionCalls:
    """Answers about dataprofiles and datapoints.

    Args:
        profiles: Dataprofiles by ``id/version``.
        listings: Makes pages.
    """

    def __init__(self, profiles: dict[str, Record], *, listings: Listings) -> None:
        self._profiles = profiles
        self._listings = listings

    def dataprofiles(self, request: Request) -> Response:
        """Answer the listing of the dataprofiles."""
        wanted = request.query_params.get("expanded")
        found, sorting = ordered(
            [expanded(one, wanted=wanted) for one in self._profiles.values()],
            request.query_params,
            default="name",
        )
        return self._listings.answer(request, found, sorting=sorting, filters={})

    def dataprofile(self, request: Request) -> Response:
        """Answer one version of a dataprofile."""
        path = request.path_params
        found = find_profile(self._profiles, identity=path["id"], version=path["version"])
        if found is None:
            return refusal(404, "dataprofile not found")
        return as_json(expanded(found, wanted=request.query_params.get("expanded")))

    def datapoint(self, request: Request) -> Response:
        """Answer the definition of a datapoint."""
        found = find_datapoint(self._profiles, identity=request.path_params["id"])
        return refusal(404, "datapoint not found") if found is None else as_json(found)
