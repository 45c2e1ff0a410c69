"""The reference pages of the docs, made from what the platform itself goes by.

Belongs here: Markdown of tables, settings, commands and portfolio keys; pure, nothing is written.
Does not belong here: pages that people write (``docs/``), or how a site is built of them
(``docs/conf.py``).
"""

from energy_platform.reference.commands import command_reference
from energy_platform.reference.portfolio import portfolio_reference
from energy_platform.reference.settings import settings_reference
from energy_platform.reference.tables import data_dictionary

__all__ = ["command_reference", "data_dictionary", "portfolio_reference", "settings_reference"]
