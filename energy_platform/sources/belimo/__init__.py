"""Belimo Cloud Client API v3: energy valves, their dataprofiles and their sample history."""

from energy_platform.sources.belimo.client import BelimoClient

__all__ = ["BelimoClient"]
