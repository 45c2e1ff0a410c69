"""The Belimo Cloud and BelimoID as local servers."""

from energy_platform.simulators.belimo.faults import FAULTS
from energy_platform.simulators.belimo.identity import BelimoIdentity
from energy_platform.simulators.belimo.server import BelimoSimulator

__all__ = ["FAULTS", "BelimoIdentity", "BelimoSimulator"]
