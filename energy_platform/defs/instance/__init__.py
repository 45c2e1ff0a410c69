"""What runs on the Dagster instance: the launcher, who lives, who died, which runs are forgotten.

The instance's folder and ``dagster.yaml`` are rendered by ``energy_platform.installation``, which
does not import Dagster; the classes that ``dagster.yaml`` names are here.
"""
