"""The command line: ``energy-platform``."""

from energy_platform.cli.app import main

__all__ = ["main"]
