"""The Belimo Cloud and BelimoID as local servers."""

from energy_platform.simulators.belimo.faults import FAULTS
from energy_platform.simulators.belimo.identity import ACCOUNT, BelimoIdentity
from energy_platform.simulators.belimo.server import BelimoSimulator

SIMULATOR = BelimoSimulator

__all__ = ["ACCOUNT", "FAULTS", "SIMULATOR", "BelimoIdentity", "BelimoSimulator"]
