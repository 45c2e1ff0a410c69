"""Belimo Cloud and its login, simulated, for the contract test."""

from __future__ import annotations

from functools import partial

from energy_platform_tests.sources.cases import simulated

serve = partial(simulated, "belimo", other_calls=("/oauth/token",))
