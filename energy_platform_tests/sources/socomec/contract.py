"""SoData and its Keycloak, simulated, for the contract test."""

from __future__ import annotations

from functools import partial

from energy_platform_tests.sources.cases import simulated

serve = partial(
    simulated,
    "socomec",
    other_calls=(r"/realms/Socomec/protocol/openid-connect/\w+", r"/api/v1/ca/[^/]+/datapoints"),
)
