"""Whether a request may reach the UI: by its Host, and by the page that sent it.

The UI has no login and takes commands: a GET of ``/graphql`` starts runs. On loopback it is safe
from other machines and not from the browser of its own. A page of anybody can send requests to
``127.0.0.1``, and by a name that it lets point there (DNS rebinding) read the answers as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

UI_HOSTS: Final = "ENERGY_PLATFORM_UI_HOSTS"
"""Variable of the setting, for messages."""

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names by which the UI is always reached."""

_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::(\d{1,5}))?")

_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def parse_hosts(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list, in lower case.

    Raises:
        ValueError: One is not a name of a host.

    >>> parse_hosts("Energy.example.com, 10.0.0.7")
    ('energy.example.com', '10.0.0.7')
    """
    names = [one.strip().lower() for one in text.split(",") if one.strip()]
    for name in names:
        found = _AUTHORITY.fullmatch(name)
        if found is None or found[1] != name:
            raise ValueError(
                f"{name!r} is not a name of a host: expected names without scheme and port, "
                "separated by commas, such as energy.example.com"
            )
    return tuple(names)


def parse_prefix(text: str) -> str:
    """Return the path that all addresses of the UI begin with; empty: none.

    Raises:
        ValueError: It is no such path.

    >>> parse_prefix("/energy")
    '/energy'
    """
    if text and _PREFIX.fullmatch(text) is None:
        raise ValueError("expected a path such as /energy: a slash before, none after")
    return text


def refusal(
    headers: Sequence[tuple[str, str]],
    *,
    allowed: Collection[str],
    is_page: bool,
) -> str | None:
    """Return why a request is refused, one sentence; None when it may pass.

    Args:
        headers: Names in lower case, with values, each as often as it came.
        allowed: Names by which the UI may be called, besides those of loopback.
        is_page: Whether it asks for a page by GET, which a link elsewhere may lead to.
    """
    hosts = [value for name, value in headers if name == "host"]
    if len(hosts) != 1:
        return f"expected one Host header, {len(hosts)} came"
    host = _AUTHORITY.fullmatch(hosts[0].strip().lower())
    if host is None or host[1] not in {*LOOPBACK_NAMES, *allowed}:
        return (
            f"this UI does not answer to the name {_shown(hosts[0])}: call it by 127.0.0.1 or "
            f"localhost, or name it in {UI_HOSTS}"
        )
    values = dict(headers)
    origin = values.get("origin")
    if origin is not None and _origin_authority(origin) != _without_default(host):
        return (
            f"a page of {_shown(origin)} sent this request, which only pages of "
            f"{_shown(hosts[0])} may; a proxy has to hand on the Host header as it came"
        )
    return _fetched_by_another(values, is_page=is_page)


def _fetched_by_another(values: Mapping[str, str], *, is_page: bool) -> str | None:
    """Judge what the browser says of the page that asks (Fetch Metadata, W3C)."""
    if values.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        return None
    if is_page and values.get("sec-fetch-mode") == "navigate":
        return None
    return "a page of another site sent this request, which only pages of this UI may"


def _origin_authority(origin: str) -> tuple[str, str] | None:
    scheme, separator, rest = origin.strip().lower().partition("://")
    found = _AUTHORITY.fullmatch(rest) if separator and scheme in _DEFAULT_PORTS else None
    return None if found is None else _without_default(found)


def _without_default(found: re.Match[str]) -> tuple[str, str]:
    """Return name and port; the ports that browsers leave out are left out."""
    port = found[2] or ""
    return found[1], "" if port in _DEFAULT_PORTS.values() else port


def _shown(value: str) -> str:
    """Return what somebody sent, short and without what moves a cursor."""
    return ascii(value[:100])
