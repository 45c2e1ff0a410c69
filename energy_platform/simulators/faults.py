"""Protocol faults: what a cloud does at night, switched on by name.

A fault is written ``NAME[=WHEN][:KEY=VALUE]...``; several are separated by blanks or commas:

    http_503=0.1                       one answer in ten
    http_429=3:retry_after=2           the next three answers
    http_500=@2+5                      the second and the fifth answer
    slow=1.0:seconds=0.5:path=/devices every answer of a path, half a second later
    expire_token_after=3               a switch with a number (each simulator lists its own)

``WHEN`` is a rate (a number with a decimal point), a count of the next occasions, ``@`` with the
numbers of the occasions, or ``on``. Without it the fault is on.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GENERIC: Final = frozenset(
    {"slow", "never", "cut_body", "cut_connection", "html", "redirect", "broken_json", "empty_body"}
    | {
        f"http_{status}"
        for status in (400, 401, 403, 404, 408, 413, 414, 425, 429, 500, 501, 502, 503, 504)
    }
)
"""Faults every simulator understands; ``middleware`` applies them."""

ON: Final = "on"


class FaultError(ValueError):
    """A fault was written wrongly, or is unknown."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and when it occurs.

    Attributes:
        name: One of ``GENERIC`` or a name the simulator declares.
        rate: Share of occasions, 0 to 1; None when another rule decides.
        times: Occurs on the next so many occasions only.
        at: Occurs on exactly these occasions, counted from 1.
        amount: Number of a switch (``truncate=1000``); the same as ``times`` in the text form.
        seconds: How long, for ``slow`` and the like.
        path: Only requests whose path (with query) contains this text are occasions.
        method: Only requests of this method are occasions.
        retry_after: ``Retry-After`` of a 429 or 503: seconds, or ``date`` for an HTTP date one
            second ahead.
    """

    name: str
    rate: float | None = None
    times: int | None = None
    at: tuple[int, ...] = ()
    amount: float | None = None
    seconds: float = 1.0
    path: str = ""
    method: str = ""
    retry_after: str = ""

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read one fault.

        Raises:
            FaultError: What was expected, and what came.
        """
        head, *pairs = text.strip().split(":")
        name, _, when = head.partition("=")
        fault = _when(cls(name=name.strip()), when.strip(), text=text)
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals:
                msg = f"fault {text!r}: expected KEY=VALUE after ':', came {pair!r}"
                raise FaultError(msg)
            fault = _with(fault, key, value, text=text)
        return fault

    def __str__(self) -> str:
        when = ""
        if self.rate is not None:
            when = f"={self.rate}"
        elif self.times is not None:
            when = f"={self.times}"
        elif self.at:
            when = "=@" + "+".join(str(number) for number in self.at)
        pairs = [("path", self.path), ("method", self.method), ("retry_after", self.retry_after)]
        return f"{self.name}{when}" + "".join(f":{key}={value}" for key, value in pairs if value)


def _when(fault: Fault, when: str, *, text: str) -> Fault:
    try:
        if when in {"", ON}:
            return fault
        if when.startswith("@"):
            return replace(fault, at=tuple(int(part) for part in when[1:].split("+")))
        if "." in when:
            rate = float(when)
            return replace(fault, rate=rate) if 0.0 <= rate <= 1.0 else _refuse(when)
        return replace(fault, times=int(when), amount=float(when))
    except ValueError as error:
        msg = (
            f"fault {text!r}: expected a rate between 0.0 and 1.0, a count, @N+M or {ON!r},"
            f" came {when!r}"
        )
        raise FaultError(msg) from error


def _with(fault: Fault, key: str, value: str, *, text: str) -> Fault:
    match key:
        case "seconds" | "amount":
            try:
                number = float(value)
            except ValueError as error:
                msg = f"fault {text!r}: {key} must be a number, came {value!r}"
                raise FaultError(msg) from error
            return (
                replace(fault, seconds=number)
                if key == "seconds"
                else replace(fault, amount=number)
            )
        case "path":
            return replace(fault, path=value)
        case "method":
            return replace(fault, method=value.upper())
        case "retry_after":
            return replace(fault, retry_after=value)
        case _:
            msg = (
                f"fault {text!r}: key {key!r} is unknown;"
                " one of amount, method, path, retry_after, seconds"
            )
            raise FaultError(msg)


def _refuse(when: str) -> Fault:
    raise ValueError(when)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    occasions: int = 0
    hits: int = 0


@dataclass(slots=True)
class Faults:
    """The faults of one simulator; safe to change while it serves.

    Attributes:
        known: Names this simulator understands; others are refused when they are set.
        seed: Of the generator behind the rates.
        occurred: How often each fault occurred.
    """

    known: frozenset[str] = GENERIC
    seed: int = 7
    occurred: Counter[str] = field(default_factory=Counter)
    _armed: dict[str, _Armed] = field(default_factory=dict, init=False, repr=False)
    _random: random.Random = field(default_factory=random.Random, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._random.seed(self.seed)

    @classmethod
    def parse(cls, text: str, *, known: frozenset[str] = GENERIC, seed: int = 7) -> Self:
        """Faults written as in the module's description.

        Raises:
            FaultError: A fault is unknown or written wrongly.
        """
        faults = cls(known=known, seed=seed)
        faults.set(text)
        return faults

    def knowing(self, names: Iterable[str]) -> Self:
        """Let a simulator declare the faults of its own vendor beside the general ones."""
        self.known = self.known | frozenset(names)
        return self

    def set(self, *faults: Fault | str) -> None:
        """Switch faults on; a fault of the same name is replaced and counted afresh.

        Raises:
            FaultError: A fault is unknown or written wrongly.
        """
        parsed: list[Fault] = []
        for fault in faults:
            if isinstance(fault, Fault):
                parsed.append(fault)
            else:
                parsed += [Fault.parse(one) for one in fault.replace(",", " ").split()]
        for fault in parsed:
            if fault.name not in self.known:
                msg = (
                    f"fault {fault.name!r} is unknown here; one of {', '.join(sorted(self.known))}"
                )
                raise FaultError(msg)
        with self._lock:
            for fault in parsed:
                self._armed[fault.name] = _Armed(fault)

    def clear(self, *names: str) -> None:
        """Switch the named faults off, or all of them."""
        with self._lock:
            for name in names or tuple(self._armed):
                self._armed.pop(name, None)

    def active(self, name: str) -> Fault | None:
        """The fault when it is on, without counting an occasion: for switches."""
        armed = self._armed.get(name)
        return None if armed is None else armed.fault

    def should_fail(self, name: str, *, path: str = "", method: str = "") -> Fault | None:
        """Return the fault if this request should fail by it, and count the occasion.

        Args:
            name: The fault asked about.
            path: Path with query of the request; must contain the fault's own ``path``.
            method: Method of the request.

        Returns:
            The fault when it occurs, else None.
        """
        armed = self._armed.get(name)
        if armed is None:
            return None
        fault = armed.fault
        if fault.path not in path or (fault.method and fault.method != method):
            return None
        with self._lock:
            armed.occasions += 1
            if fault.at:
                hit = armed.occasions in fault.at
            elif fault.rate is not None:
                hit = self._random.random() < fault.rate
            elif fault.times is not None:
                hit = armed.hits < fault.times
            else:
                hit = True
            if hit:
                armed.hits += 1
                self.occurred[name] += 1
        return fault if hit else None

    def names(self) -> tuple[str, ...]:
        """Names of the faults that are on."""
        return tuple(self._armed)

    def __iter__(self) -> Iterator[Fault]:
        return iter([armed.fault for armed in tuple(self._armed.values())])


def by_vendor(texts: Iterable[str], *, vendors: Iterable[str]) -> dict[str, list[str]]:
    """Sort ``VENDOR:FAULT`` texts (as on the command line) by vendor.

    Raises:
        FaultError: A text names no vendor, or an unknown one.
    """
    found: dict[str, list[str]] = {vendor: [] for vendor in vendors}
    for text in texts:
        for one in text.replace(",", " ").split():
            vendor, colon, fault = one.partition(":")
            if not colon or vendor not in found:
                msg = f"fault {one!r}: expected VENDOR:FAULT with one of {', '.join(sorted(found))}"
                raise FaultError(msg)
            found[vendor].append(fault)
    return found
