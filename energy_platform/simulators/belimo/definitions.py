"""Dataprofiles and datapoint definitions as the Belimo Cloud serves them.

Source: Belimo Cloud Client API, section 3.2 (dataprofile).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from energy_platform.simulators.belimo.inventory import Record

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
