"""What goes wrong in the fortnight, when, and which alert it must raise."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from energy_platform.alerts import Kind
    from energy_platform_tests.fortnight.site import Site

How = Literal["fault", "closed port", "asleep", "set back"]

_ADDRESS: Final = {
    "socomec": ("SOCOMEC_API_URL", "/"),
    "belimo": ("BELIMO_API_URL", "/api/v3"),
    "skycentrics": ("SKYCENTRICS_API_URL", "/api"),
}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that goes wrong for a while.

    Attributes:
        name: For the table.
        who: The source, ``wattics``, or ``machine``.
        how: Kind of trouble.
        start: When it begins, after the first midnight.
        lasts: For how long; of a clock that is set back, by how much.
        faults: What the simulator is to do meanwhile.
        alert: Kind of the alert that must be sent once, with its all-clear once; None: none.
        allowed_alert: Kind that may be sent, with its all-clear, at most once: days that are
            still missing while the source is back.
    """

    name: str
    who: str
    how: How
    start: timedelta
    lasts: timedelta
    faults: tuple[str, ...] = ()
    alert: Kind | None = None
    allowed_alert: Kind | None = None

    @property
    def end(self) -> timedelta:
        """When it is over."""
        return self.start + self.lasts

    def begin(self, site: Site) -> None:
        """Switch it on."""
        if self.how == "fault":
            site.suite.set_faults(f"{self.who}:{fault}" for fault in self.faults)
        elif self.how == "closed port":
            variable, path = _ADDRESS[self.who]
            os.environ[variable] = f"http://127.0.0.1:{_closed_port()}{path}"

    def finish(self, site: Site) -> None:
        """Switch it off."""
        if self.how == "fault":
            site.suite.faults[self.who].clear()
        elif self.how == "closed port":
            variable, _ = _ADDRESS[self.who]
            os.environ[variable] = site.suite.environment()[variable]


def _closed_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _at(days: float, hours: float = 0, minutes: float = 0) -> timedelta:
    return timedelta(days=days, hours=hours, minutes=minutes)


FORTNIGHT: Final = (
    Trouble(
        name="SoData answers 503 for 25 minutes",
        who="socomec",
        how="fault",
        faults=("http_503",),
        start=_at(1, 8, 55),
        lasts=_at(0, 0, 25),
    ),
    Trouble(
        name="Belimo Cloud answers 503 for nine days",
        who="belimo",
        how="fault",
        faults=("http_503",),
        start=_at(2, 7),
        lasts=_at(9),
        alert="source_silent",
        allowed_alert="days_missing",
    ),
    Trouble(
        name="SkyCentrics refuses connections for 30 hours",
        who="skycentrics",
        how="closed port",
        start=_at(3, 10),
        lasts=_at(1, 6),
        alert="source_silent",
        allowed_alert="days_missing",
    ),
    Trouble(
        name="SoData never answers for 14 hours",
        who="socomec",
        how="fault",
        faults=("never",),
        start=_at(5, 4),
        lasts=_at(0, 14),
        alert="source_silent",
    ),
    Trouble(
        name="Socomec's password is refused for two days",
        who="socomec",
        how="fault",
        faults=("refuse_login",),
        start=_at(7, 10),
        lasts=_at(2),
        alert="source_refused",
        allowed_alert="days_missing",
    ),
    Trouble(
        name="Wattics answers 503 for 6 hours",
        who="wattics",
        how="fault",
        faults=("http_503",),
        start=_at(10, 4),
        lasts=_at(0, 6),
        alert="stream_stuck",
    ),
    Trouble(
        name="the clock is set back by an hour",
        who="machine",
        how="set back",
        start=_at(11, 15, 10),
        lasts=_at(0, 1),
    ),
    Trouble(
        name="SkyCentrics refuses connections for 10 minutes",
        who="skycentrics",
        how="closed port",
        start=_at(11, 20, 55),
        lasts=_at(0, 0, 10),
    ),
    Trouble(
        name="the machine is asleep for a day",
        who="machine",
        how="asleep",
        start=_at(12, 3, 50),
        lasts=_at(1),
    ),
)
"""Of fourteen days."""

SHORT: Final = (
    Trouble(
        name="Belimo Cloud answers 503 for fifteen hours",
        who="belimo",
        how="fault",
        faults=("http_503",),
        start=_at(0, 3),
        lasts=_at(0, 15),
        alert="source_silent",
    ),
    Trouble(
        name="Socomec's password is refused for fourteen hours",
        who="socomec",
        how="fault",
        faults=("refuse_login",),
        start=_at(0, 5),
        lasts=_at(0, 14),
        alert="source_refused",
    ),
)
"""Of one day and a night."""

SHORT_LASTS: Final = _at(1, 4)
