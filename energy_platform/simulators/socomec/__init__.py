"""Socomec SoData and its Keycloak as local servers."""

from energy_platform.simulators.socomec.faults import FAULTS
from energy_platform.simulators.socomec.inventory import CA_UUID, uid
from energy_platform.simulators.socomec.keycloak import ACCOUNT, Keycloak
from energy_platform.simulators.socomec.server import SocomecSimulator

SIMULATOR = SocomecSimulator

__all__ = ["ACCOUNT", "CA_UUID", "FAULTS", "SIMULATOR", "Keycloak", "SocomecSimulator", "uid"]
