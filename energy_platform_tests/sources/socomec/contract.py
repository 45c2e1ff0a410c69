"""SoData and its Keycloak, simulated, for the contract test."""

from __future__ import annotations

from functools import partial

from energy_platform_tests.sources.cases import simulated

serve = partial(simulated, "socomec", login_paths=("/realms/Socomec/protocol/openid-connect/",))
