"""Whom the platform trusts on the network, and what a refused certificate means.

One trust store for every client, the login included: the system's, and the authorities of
``ENERGY_PLATFORM_CA_FILE`` added to it. Adding rather than replacing, since a company's proxy
usually signs some hosts and lets others through.
"""

from __future__ import annotations

import atexit
import os
import ssl
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import certifi

from energy_platform.settings import CA_FILE, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_STORES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)
"""Where Linux systems keep their store (Debian, Fedora, RHEL, Alpine, SUSE), for a Python whose
OpenSSL was built for another place."""

UNKNOWN_AUTHORITY: Final = (
    f"If this is your company's own authority, name its certificate (a PEM file) in {CA_FILE}"
)

_ADVICE_HOST: Final = "Check the URL in the settings"

_VERIFY: Final[dict[int, tuple[str, str]]] = {
    2: ("is signed by an authority that is unknown here", UNKNOWN_AUTHORITY),
    9: ("is not valid yet", "Check the clock of this machine"),
    10: ("has expired", "The host's owner must renew it; check the clock of this machine too"),
    18: ("is self-signed", UNKNOWN_AUTHORITY),
    19: ("is signed by an authority that is unknown here", UNKNOWN_AUTHORITY),
    20: ("is signed by an authority that is unknown here", UNKNOWN_AUTHORITY),
    21: ("is signed by an authority that is unknown here", UNKNOWN_AUTHORITY),
    23: ("was revoked", "The host's owner must replace it"),
    62: ("is for another host", _ADVICE_HOST),
    64: ("is for another address", _ADVICE_HOST),
}
"""OpenSSL's verification results (``X509_V_ERR_*``) that users meet, and what to do."""

_OLD: Final = frozenset(
    {
        "UNSUPPORTED_PROTOCOL",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "NO_PROTOCOLS_AVAILABLE",
        "VERSION_TOO_LOW",
    }
)
"""OpenSSL's words for a server that speaks only versions before TLS 1.2."""

_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""OpenSSL's words for a server that does not speak TLS at all."""

_WANTS_CLIENT: Final = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE"}
)


class TlsFault(NamedTuple):
    """Why a secure connection cannot be made, and what to do; waiting does not help."""

    reason: str
    advice: str


@lru_cache(maxsize=4)
def ssl_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return the verifying context for all clients; made once, since it takes a tenth of a second.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` replace the system's store as for every program that
    uses OpenSSL; nothing else of the environment is looked at.

    Args:
        ca_file: PEM file of further authorities.

    Raises:
        SettingsError: The file holds no certificates.
    """
    context = _system_context()
    # An issuing authority alone may be trusted, as Python does by itself since 3.13.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "not PEM"
            raise SettingsError(
                f"{CA_FILE}: {ca_file} cannot be read as certificates ({why}). Name a PEM file of "
                "the authorities to trust."
            ) from None
    return context


@lru_cache(maxsize=4)
def bundle_file(ca_file: Path | None = None) -> Path:
    """Return a file of what :func:`ssl_context` trusts, for libraries that take nothing else.

    Args:
        ca_file: PEM file of further authorities; a joint file is made for the life of the process.
    """
    system = Path(ssl.get_default_verify_paths().cafile or _store_file())
    if ca_file is None:
        return system
    descriptor, name = tempfile.mkstemp(prefix="energy-platform-", suffix=".pem")
    joint = Path(name)
    atexit.register(joint.unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as out:
        out.write(system.read_bytes() + b"\n" + ca_file.read_bytes())
    return joint


def _store_file() -> str:
    # A slim container may have no store at all.
    return next((store for store in SYSTEM_STORES if Path(store).is_file()), certifi.where())


def _system_context() -> ssl.SSLContext:
    if sys.platform in {"darwin", "win32"}:
        import truststore  # noqa: PLC0415 - only where the system verifies by itself

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What truststore does on Linux, without its lock: it makes all handshakes of a process wait for
    # one another, and one host that hangs would stop the clients of all others.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found = ssl.get_default_verify_paths()
    if found.cafile or (found.capath and any(Path(found.capath).glob("*.[0-9]"))):
        context.set_default_verify_paths()
    else:
        context.load_verify_locations(cafile=_store_file())
    return context


def tls_fault(error: BaseException, *, host: str) -> TlsFault | None:
    """Return what is wrong with a host's certificate or TLS; None when it is something else.

    Args:
        error: What a client raised; its causes are looked at.
        host: Whom it spoke to, for the message.

    >>> tls_fault(TimeoutError(), host="api.example") is None
    True
    """
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            known = _VERIFY.get(cause.verify_code)
            what, advice = known or (
                f"is refused ({cause.verify_message})",
                "Ask the host's owner, or your network's, what signs it",
            )
            return TlsFault(f"the certificate of {host} {what}", advice)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return _handshake_fault(cause.reason or "", host=host)
    return None


def _handshake_fault(reason: str, *, host: str) -> TlsFault | None:
    if reason in _OLD:
        return TlsFault(
            f"{host} speaks only TLS versions before 1.2, which are not safe",
            "The host's owner, or the proxy's, must allow TLS 1.2 or newer",
        )
    if reason in _NO_TLS:
        return TlsFault(f"{host} does not speak TLS on this port", _ADVICE_HOST)
    if reason in _WANTS_CLIENT:
        return TlsFault(
            f"{host} wants a certificate of the client, which the platform cannot show",
            _ADVICE_HOST,
        )
    if "HANDSHAKE_FAILURE" in reason or "KEY_TOO_SMALL" in reason or "MD_TOO_WEAK" in reason:
        return TlsFault(
            f"{host} offers no encryption that is safe enough ({reason})",
            "The host's owner must renew its key or its TLS settings",
        )
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
