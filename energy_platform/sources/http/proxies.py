"""Which proxy of the environment a client goes through: the same rule for every client.

``HTTPS_PROXY``, else ``ALL_PROXY``, in either case of letters, unless ``NO_PROXY`` names the host.
Plain HTTP is spoken to this machine only and never sees a proxy, nor does https on loopback.
"""

from __future__ import annotations

import ipaddress
import os
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpx

from energy_platform.settings import LOOPBACK, SettingsError

KINDS: Final = ("http", "https", "socks5", "socks5h")
"""Proxies that are spoken to; with both SOCKS kinds the proxy resolves the host's name."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """Return the proxy for an address; None to go straight.

    Raises:
        SettingsError: The environment names a proxy that cannot be used; names the variable.
    """
    if url.scheme != "https" or url.host in LOOPBACK or _is_exempt(url):
        return None
    named = getproxies()
    scheme = "https" if named.get("https", "").strip() else "all"
    address = named.get(scheme, "").strip()
    if not address:
        return None
    variable = _variable(scheme)
    if "://" not in address:
        address = f"http://{address}"
    try:
        proxy = httpx.Proxy(address)
    except (ValueError, httpx.InvalidURL):
        proxy = None
    # httpx quotes what no host name can hold instead of refusing it.
    if proxy is None or proxy.url.scheme not in KINDS or _is_no_host(proxy.url.host):
        kind = address.partition("://")[0]
        what = f"a proxy of the kind {kind}" if kind.isalnum() and kind not in KINDS else "this"
        raise SettingsError(
            f"{variable}: {what} cannot be used; expected the URL of an {', '.join(KINDS[:-1])} "
            f"or {KINDS[-1]} proxy, such as http://proxy.example:3128"
        )
    return proxy


def _is_no_host(host: str) -> bool:
    return not host or "%" in host


def shown(proxy: httpx.Proxy) -> str:
    """Return host and port of a proxy, without its user and password.

    >>> shown(httpx.Proxy("http://user:secret@proxy.example:3128"))
    'proxy.example:3128'
    """
    return f"{proxy.url.host}:{proxy.url.port or DEFAULT_PORTS[proxy.url.scheme]}"


def _variable(scheme: str) -> str:
    """Return the variable that named the proxy, as it is written there."""
    wanted = f"{scheme}_proxy"
    found = [name for name in os.environ if name.lower() == wanted]
    # Like urllib: where both are set the lower-case one counts.
    return min(found, key=str.isupper, default=wanted.upper())


def _is_exempt(url: httpx.URL) -> bool:
    if proxy_bypass(f"{url.host}:{url.port or 443}"):
        return True
    try:
        address = ipaddress.ip_address(url.host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _exempt_networks())


def _exempt_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the networks in NO_PROXY, which companies write as 10.0.0.0/8."""
    networks = []
    for part in getproxies().get("no", "").split(","):
        try:
            networks.append(ipaddress.ip_network(part.strip(), strict=False))
        except ValueError:
            continue
    return networks
