"""Types of single values: what is taken as it is typed, and what is refused, in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from energy_platform.installation.env_file import home_folder
from energy_platform.memory import parse_memory

YEAR_S: Final = 31_536_000
"""No time limit and no pause is longer than a year: longer ones leave the calendar."""

MOST: Final = 1_000_000
"""No number of things is larger; a larger one is a typo."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that plain HTTP may be spoken to."""


def _safe_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an https:// URL")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("plain http is allowed to this machine (loopback) only; use https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("expected a URL without user, password, query or fragment")
    return url


Url = Annotated[str, AfterValidator(_safe_url)]
"""An https URL, or a plain http one on loopback."""


def _day(value: object) -> object:
    """Take days as they are written everywhere: pydantic takes a bare number for Unix seconds."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise ValueError("expected a day as YYYY-MM-DD, such as 2026-01-31")
    return found


Day = Annotated[date, BeforeValidator(_day)]
"""A day, typed YYYY-MM-DD."""


Memory = Annotated[int, BeforeValidator(lambda text: parse_memory(str(text)))]
"""An amount of memory, written with its unit; bytes."""


def number_or_off(most: int) -> BeforeValidator:
    """Return what takes a whole number up to ``most``, or the word off; one sentence otherwise."""

    def take(value: object) -> object:
        text = str(value).strip().lower()
        if text == "off":
            return text
        is_short = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST))
        number = int(text) if is_short else -1
        if not 0 <= number <= most:
            raise ValueError(f"expected a whole number from 0 to {most}, or off")
        return number

    return BeforeValidator(take)


def as_written(rule: Callable[[str], object]) -> Callable[[str], str]:
    """Return what refuses a text that a rule refuses, and keeps it as it was written."""

    def take(text: str) -> str:
        rule(text)
        return text

    return take


def _pem_file(path: Path) -> Path:
    found = home_folder() / path.expanduser()
    try:
        text = found.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or type(error).__name__})") from None
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError("expected a PEM file of certificates")
    return found


CaFile = Annotated[Path, AfterValidator(_pem_file)]
"""A readable file with certificates in PEM."""


def _basic_user(name: str) -> str:
    if not name or ":" in name:
        # RFC 7617, section 2: the colon ends the name.
        raise ValueError("expected a user name without a colon")
    return name


BasicUser = Annotated[str, AfterValidator(_basic_user)]
"""A user name that HTTP Basic can carry."""


Minutes = Annotated[int | Literal["off"], number_or_off(525_600)]
"""How many minutes something must last before it is told; off: it is not."""
