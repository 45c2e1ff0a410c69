"""What a destination is, and the registry of those there are.

Belongs here: the types that delivery and a destination share, and the checks that a destination is
whole when it is registered. Does not: the name of any destination, how a packet is sent, when, or
what was sent before (that is ``delivery``).

A destination is one folder and one registration: an object of :class:`Destination`, named by the
entry point group ``energy_platform.destinations`` of an installed package.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from energy_platform.destinations import BUILT_IN, GROUP, other_destinations
from energy_platform.settings import DestinationSettings, SettingsError
from energy_platform.sources.http.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from energy_platform.discovery.vendor_inventory import ProposedDevice
    from energy_platform.portfolio import Stream

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")

AnswerKind = Literal["stored", "in_doubt", "refused", "authentication", "transient", "redirect"]
"""What an answer means for a packet.

``stored``: it is there; ``in_doubt``: the answer looks good and proves nothing; ``refused``: it is
never accepted as it is; ``authentication``: the credential is refused; ``transient``: the same
packet may be sent again later; ``redirect``: something else than the destination answered.
"""

FieldContent = Literal["register", "gauge", "by_reading"]
"""Cumulative energy; a number of the moment; whatever the stream's agreed ``reading`` says."""


class FieldSpec(NamedTuple):
    """One field of a packet.

    Attributes:
        name: As in the packet and in the portfolio.
        unit: Of the number sent; None: the quantity's canonical unit.
        content: What stands in it.
        is_whole: Whether the number is whole: of registers whose unit has no decimals.
    """

    name: str
    unit: str | None
    content: FieldContent
    is_whole: bool = False


class Answer(NamedTuple):
    """What came of one packet.

    Attributes:
        kind: What it means.
        status: Status of the transport, such as HTTP's; None when no answer came.
        retry_after_s: Seconds the destination asked to wait.
        reason: One line for display.
        excerpt: Begin of the body of a refusal, without markup and without secrets.
        in_doubt: Whether the packet may be stored although no answer said so.
        shape: The same for answers in doubt that mean the same, so that read-backs can prove what
            they mean; empty when the answer may never be learned.
    """

    kind: AnswerKind
    status: int | None
    retry_after_s: float | None
    reason: str
    excerpt: str
    in_doubt: bool
    shape: str = ""


class LastPacket(NamedTuple):
    """The last packet that a destination received and stored for a stream.

    Attributes:
        stream_id: The stream asked for.
        at: Sampling instant, UTC.
        fields: The numbers of the packet by field name.
    """

    stream_id: str
    at: datetime
    fields: dict[str, float]


class ProposedStream(NamedTuple):
    """A stream that ``discover`` proposes; its id and its fields are agreed by hand.

    Attributes:
        id: Proposed id; a number is added where another stream has it.
        kind: Which of the destination's kinds of packets.
        unit: Of its numbers; None: what the kind says.
        points: The point of each field, by the field's name.
    """

    id: str
    kind: str
    unit: str | None
    points: Mapping[str, str]


class RedirectedError(PermanentError):
    """The question was answered with another place, or with a page for display: no session."""

    @property
    def is_page(self) -> bool:
        """Whether a page came with a good status; a new session may help."""
        return self.status == HTTPStatus.OK


class Connection(Protocol):
    """One connection with one credential, used by one thread at a time."""

    def push(self, body: bytes) -> Answer:
        """Send one packet once; faults of the network are answers too, not exceptions."""
        ...

    def last_packet(self, stream_id: str) -> LastPacket | None:
        """Read back the last packet stored for a stream; None when nothing is stored.

        Raises:
            AuthenticationError: The credential is refused.
            TransientError: No good answer came; nothing is known.
            RedirectedError: Another place or a page came instead; there is no session.
            PermanentError: The question was refused.
        """
        ...

    def close(self) -> None:
        """Close the connection and forget its session."""
        ...

    def abort(self) -> None:
        """End the request under way and let no other begin; may come from another thread."""
        ...


class DestinationError(SettingsError):
    """A destination cannot be registered, or there is none of a name; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """All that delivery needs to know of a destination; whole, or not registered.

    Attributes:
        name: In the portfolio and the ledger: lower-case letters, digits, underscores.
        title: For display.
        settings: Its section of the settings; its ``destination`` is the name.
        stream_model: What a stream's entry in the portfolio looks like.
        fields: Returns the fields of a stream, in packet order.
        encode: Returns the exact bytes of a packet: of a stream, at an instant on its own clock,
            with the names and numbers of the fields that there are. The same again gives the same
            bytes.
        connect: Opens a connection with a credential by name; what asks before each request whether
            it may leave comes last.
        reads_back: Whether the last packet stored can be asked for.
        is_repeatable: Whether any packet sent twice does no harm. Where not, that is so for
            cumulative streams only, and what is in doubt is read back first.
        propose: Returns the streams to propose for a device at a site, as ``discover`` writes them
            into the portfolio as comments; None: none are proposed.
        simulated_settings: Variables that differ where the destination is simulated.

    Raises:
        DestinationError: A part is missing or of the wrong kind.
    """

    name: str
    title: str
    settings: type[DestinationSettings]
    stream_model: type[Stream]
    fields: Callable[[Any], Sequence[FieldSpec]]
    encode: Callable[[Any, datetime, Sequence[tuple[str, str]]], bytes]
    connect: Callable[[Any, str, Callable[[], bool]], Connection]
    reads_back: bool
    is_repeatable: bool
    propose: Callable[[ProposedDevice, str], Sequence[ProposedStream]] | None = None
    simulated_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def packets(self) -> str:
        """Name of the asset of its packets."""
        return f"{self.name}_packets"

    @property
    def pool(self) -> str:
        """Name of the pool that caps what is asked of it at once."""
        return f"{self.name}_api"

    def __post_init__(self) -> None:
        problems = [*self._problems()]
        if problems:
            raise DestinationError(f"destination {self.name!r}: {'; '.join(problems)}")

    def _problems(self) -> list[str]:
        # The portfolio asks the registry while it is being imported.
        from energy_platform.portfolio.model import Stream  # noqa: PLC0415

        # Whoever wrote the plug-in need not have checked its types.
        part: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        found = []
        if not isinstance(part["name"], str) or not _NAME.fullmatch(part["name"]):
            found.append("name has to be lower-case letters, digits and underscores")
        if not isinstance(part["title"], str) or not part["title"]:
            found.append("title is missing")
        if not _is_subclass(part["settings"], of=DestinationSettings):
            found.append("settings has to be a subclass of DestinationSettings")
        elif getattr(part["settings"], "destination", None) != self.name:
            found.append(f"settings.destination has to be {self.name!r}")
        elif part["settings"].model_config.get("env_prefix") != f"{self.name}_".upper():
            found.append(f"settings have to have the env_prefix {f'{self.name}_'.upper()!r}")
        if not _is_subclass(part["stream_model"], of=Stream):
            found.append("stream_model has to be a subclass of portfolio.Stream")
        found += [
            f"{name} has to be callable"
            for name in ("fields", "encode", "connect")
            if not callable(part[name])
        ]
        if part["propose"] is not None and not callable(part["propose"]):
            found.append("propose has to be callable, or None")
        return found


def _is_subclass(what: object, *, of: type) -> bool:
    return isinstance(what, type) and issubclass(what, of)


_registered: Final[dict[str, Destination]] = {}


def register(destination: Destination) -> Destination:
    """Add a destination to the registry.

    Raises:
        DestinationError: It is not a destination, or there is another one of its name.
    """
    found: object = destination
    if not isinstance(found, Destination):
        raise DestinationError(
            f"expected a Destination of {__name__}, got a {type(found).__name__}"
        )
    if _registered.setdefault(destination.name, destination) is not destination:
        raise DestinationError(f"there are two destinations named {destination.name!r}")
    return destination


def destinations() -> dict[str, Destination]:
    """Return every destination by name: those of this package, then those of entry points.

    Raises:
        DestinationError: An installed one cannot be loaded or is not whole.
    """
    for name in BUILT_IN:
        register(importlib.import_module(f"{__package__}.{name}").DESTINATION)
    for point in other_destinations():
        try:
            found = point.load()
        except DestinationError:
            raise
        except Exception as error:
            raise DestinationError(
                f"entry point {point.name!r} ({point.value}) of {GROUP} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        register(found)
    return dict(_registered)


def addressed(settings: Iterable[DestinationSettings] | None = None) -> list[DestinationSettings]:
    """Return the settings of the destinations that have an address: packets go there only.

    Args:
        settings: Of every destination; None: as they are in the environment.
    """
    every = (one.settings() for one in destinations().values()) if settings is None else settings
    return [one for one in every if one.base_url is not None]


def why_nothing_is_sent() -> str:
    """Say which setting is missing where no destination has an address."""
    names = [one.settings.variable("base_url") for one in destinations().values()]
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not set: nothing is sent"


def titles(*, joint: str = "and") -> str:
    """Return the destinations as they are called in a sentence.

    Args:
        joint: The word between two of them.
    """
    return f" {joint} ".join(one.title for one in destinations().values())


def destination(name: str) -> Destination:
    """Return a destination by name.

    Raises:
        DestinationError: There is none of this name, or an installed one is not whole.
    """
    found = _registered.get(name)
    if found is None:
        every = destinations()
        if name not in every:
            raise DestinationError(f"unknown destination {name!r}; known: {', '.join(every)}")
        found = every[name]
    return found
