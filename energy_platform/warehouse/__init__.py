"""The warehouse: marts built by dbt in a private work file, published by rename.

``Warehouse`` says what is stale, prepares a build, runs dbt, takes the build as finished and
publishes it. Nobody but the platform opens the work file; everybody may open what is published.
"""

from energy_platform.warehouse.dims import DELIVERY
from energy_platform.warehouse.errors import OutOfMemoryError, WarehouseError, explained
from energy_platform.warehouse.publication import Published
from energy_platform.warehouse.results import BuildPlan, Built, Prepared
from energy_platform.warehouse.selection import build_command
from energy_platform.warehouse.warehouse import Warehouse

__all__ = [
    "DELIVERY",
    "BuildPlan",
    "Built",
    "OutOfMemoryError",
    "Prepared",
    "Published",
    "Warehouse",
    "WarehouseError",
    "build_command",
    "explained",
]
