"""Socomec SoData and its Keycloak as local servers."""

from energy_platform.simulators.socomec.inventory import CA_UUID, uid
from energy_platform.simulators.socomec.keycloak import Keycloak
from energy_platform.simulators.socomec.server import FAULTS, SocomecSimulator

__all__ = ["CA_UUID", "FAULTS", "Keycloak", "SocomecSimulator", "uid"]
