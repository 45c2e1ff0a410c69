"""What the settings of all sources have in common."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from energy_platform.settings.section import ConnectedSection
from energy_platform.settings.values import MOST, YEAR_S, Day

RUN_LIMIT_IS: Final = (
    "Seconds a run may spend on this source for each day it asks for, pauses included."
)


class SourceSettings(ConnectedSection):
    """What the settings of every source have; a source's own follow in its folder.

    The prefix of the variables is the source's name in capitals. A setting that is a secret is a
    ``SecretStr``, which no text shows.
    """

    start_day: Day | None = Field(
        None, description="First day with data, YYYY-MM-DD; empty: the first one that landed."
    )
    late_days: int = Field(1, ge=0, le=60, description="Days read again for late data.")
    run_limit_s: float = Field(1800, gt=0, le=YEAR_S, description=RUN_LIMIT_IS)


class ApiSettings(SourceSettings):
    """What the settings of a source behind an HTTP API have besides: its pace and its limits.

    Its login is its own: client id and secret, a password or a token.
    """

    rps: float = Field(5, ge=0.001, le=MOST, description="Requests per second.")
    max_in_flight: int = Field(2, ge=1, le=32, description="Requests in flight.")
    timeout_s: float = Field(60, gt=0, le=YEAR_S, description="Seconds to wait for an answer.")
    attempts: int = Field(
        5, ge=1, le=100, description="Attempts per request for faults that can heal."
    )
    backoff_s: float = Field(
        1, ge=0, le=YEAR_S, description="First pause before another attempt, s."
    )
