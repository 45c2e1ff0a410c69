"""Conditions in words: what, where, since when, what to do."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.destinations.base import titles
from energy_platform.sources.http.masking import mask

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from energy_platform.alerts.conditions import Condition, Kind
    from energy_platform.alerts.store import Standing

Phase = Literal["begin", "over", "digest", "test", "report"]

MOST_NAMED: Final = 20
"""Conditions that one message spells out; the others are counted."""

_TITLES: Final[dict[Kind, str]] = {
    "run_failed": "a run failed",
    "run_died": "a run died",
    "source_silent": "a source is silent",
    "source_refused": "a login is refused",
    "days_missing": "days are missing",
    "stream_stuck": "{destination} does not take packets",
    "stream_refused": "{destination} refused packets",
    "check_failed": "a blocking check failed",
    "figure_disputed": "a figure is disputed",
    "figures_restated": "final figures changed",
    "disk_nearly_full": "the disk is nearly full",
    "publication_old": "the published figures are old",
    "service_unhealthy": "the platform itself is not well",
}


def title_of(kind: Kind) -> str:
    """Return how a kind of condition is called in messages."""
    return _TITLES[kind].format(destination=titles(joint="or"))


class Message(NamedTuple):
    """One message for every channel."""

    phase: Phase
    title: str
    body: str


class Writer:
    """Puts conditions into words.

    Args:
        where: Name of the installation.
        hidden: Secrets of the settings; none is ever part of a message.
    """

    def __init__(self, *, where: str, hidden: Collection[str] = ()) -> None:
        self._where = where
        self._hidden = [secret for secret in hidden if secret]

    def begun(self, conditions: Sequence[Condition]) -> list[Message]:
        """Return one message for each kind of the conditions."""
        return [
            self._message(
                "begin",
                f"{self._about(kind, group)}",
                [_paragraph(one) for one in group],
            )
            for kind, group in _by_kind(conditions)
        ]

    def over(self, conditions: Sequence[Condition], *, now: datetime) -> list[Message]:
        """Return one all-clear for each kind of the conditions."""
        return [
            self._message(
                "over",
                f"over: {self._about(kind, group)}",
                [f"{one.what}\nBegan {_time(one.since)}, over by {_time(now)}." for one in group],
            )
            for kind, group in _by_kind(conditions)
        ]

    def digest(self, standing: Sequence[Standing], *, now: datetime) -> Message:
        """Return the daily list of what still stands."""
        count = len(standing)
        return self._message(
            "digest",
            f"{count} thing{'' if count == 1 else 's'} to look at on {now:%d %b %Y}",
            [_paragraph(one.condition) for one in standing],
        )

    def test(self, *, now: datetime) -> Message:
        """Return a message that shows that a channel works."""
        return self._message(
            "test", "test", [f"Sent by `energy-platform alert test` at {_time(now)}. All is well."]
        )

    def _about(self, kind: Kind, group: Sequence[Condition]) -> str:
        names = ", ".join(one.subject for one in group[:3])
        more = f" and {len(group) - 3} more" if len(group) > 3 else ""  # noqa: PLR2004 - as above
        return f"{title_of(kind)}: {names}{more}"

    def _message(self, phase: Phase, title: str, paragraphs: list[str]) -> Message:
        shown = paragraphs[:MOST_NAMED]
        if len(paragraphs) > MOST_NAMED:
            shown.append(f"… and {len(paragraphs) - MOST_NAMED} more: `energy-platform alert list`")
        body = "\n\n".join([*shown, f"Installation: {self._where}"])
        return Message(
            phase,
            self._clean(f"[energy_platform {self._where}] {title}"),
            "\n".join(self._clean(line) for line in body.split("\n")),
        )

    def _clean(self, text: str) -> str:
        # Only what is known to be secret: paths and stream ids look like tokens to a wider net.
        for secret in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(secret, "***")
        return " ".join(
            mask(word) if "://" in word or "@" in word else word for word in text.split(" ")
        )


def _paragraph(one: Condition) -> str:
    return f"{one.what}\nSince {_time(one.since)}.\nTo do: {one.todo}."


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _by_kind(conditions: Sequence[Condition]) -> list[tuple[Kind, list[Condition]]]:
    def kind_of(one: Condition) -> Kind:
        return one.kind

    ordered = sorted(conditions, key=kind_of)
    return [(kind, list(group)) for kind, group in groupby(ordered, key=kind_of)]
