"""Wattics data collection: one packet per POST, and the last packet read back.

Source: Wattics data collection API, sections 1 to 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.destinations.base import Destination
from energy_platform.destinations.wattics.client import WatticsClient
from energy_platform.destinations.wattics.packets import encode
from energy_platform.destinations.wattics.proposal import proposed_streams
from energy_platform.destinations.wattics.settings import WatticsSettings
from energy_platform.destinations.wattics.stream import WatticsStream, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DESTINATION", "WatticsClient", "WatticsSettings"]


def _connect(
    settings: WatticsSettings, credential: str, may_send: Callable[[], bool]
) -> WatticsClient:
    return WatticsClient(
        settings, credential=settings.all_credentials()[credential], may_send=may_send
    )


DESTINATION: Final = Destination(
    name="wattics",
    title="Wattics",
    settings=WatticsSettings,
    stream_model=WatticsStream,
    fields=fields_of,
    encode=encode,
    connect=_connect,
    reads_back=True,
    # Whether a value that comes twice counts twice is not documented (section 6).
    is_repeatable=False,
    propose=proposed_streams,
    simulated_settings={"WATTICS_PARALLEL_STREAMS": "8"},
)
"""What the registry knows of Wattics."""
