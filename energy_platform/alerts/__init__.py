"""Messages that leave the machine: what is wrong, since when, and what to do about it.

Conditions are judged from plain facts (``conditions``), remembered across restarts (``store``),
put into words (``messages``) and sent through apprise (``channels``). Nothing here knows Dagster.
"""

from energy_platform.alerts.channels import Channel, ChannelError, channels_of
from energy_platform.alerts.conditions import Condition, Kind
from energy_platform.alerts.service import watch_service
from energy_platform.alerts.store import ALERTS_FILE, AlertStore, AlertStoreError, Standing
from energy_platform.alerts.watch import send_due, send_test, watch

__all__ = [
    "ALERTS_FILE",
    "AlertStore",
    "AlertStoreError",
    "Channel",
    "ChannelError",
    "Condition",
    "Kind",
    "Standing",
    "channels_of",
    "send_due",
    "send_test",
    "watch",
    "watch_service",
]
