"""Refused logins, remembered across threads, runs and processes, so that no account is locked.

A login that was refused is tried again by itself after growing pauses, by one thread of one process
at a time; everybody else is told at once since when, why and until when. Other credentials are
tried at once, and a login that succeeds forgets the refusal.

What is kept is one small file for each source, without any secret: whether the credentials are
still the same is told by two bytes of a salted digest, which one of 65,536 passwords has.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from filelock import FileLock, Timeout

from energy_platform.lake.files import staged
from energy_platform.sources.http.errors import AuthenticationError, SourceDownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

FOLDER: Final = "logins"
"""Folder in the data folder."""

FIRST_PAUSE: Final = timedelta(minutes=15)
"""Pause after a first refusal; doubled after each further one."""

LONGEST_PAUSE: Final = timedelta(hours=6)
"""Longest pause. With the first one this makes eight logins on the first day and four on any later
one; Keycloak's brute force detection locks after thirty, others after ten."""

LOCK_WAIT_S: Final = 120.0
"""How long a login waits for that of another process."""

_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 2


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A login that is refused.

    Attributes:
        source: Whose login.
        since: When these credentials were first refused.
        reason: What the vendor said.
        attempts: How often they were refused since then.
        next_at: When they are tried again by themselves.
        last_at: When they were last refused.
        endpoint: The call that was refused, such as ``token``.
        status: HTTP status of the refusal.
        code: Machine-readable code of the refusal.
        advice: What to check.
        salt: Of the digest, in hex.
        digest: Two bytes of a digest of the credentials, in hex.
    """

    source: str
    since: datetime
    reason: str
    attempts: int
    next_at: datetime
    last_at: datetime
    endpoint: str
    status: int | None = None
    code: str | None = None
    advice: str = ""
    salt: str
    digest: str


_REFUSAL: Final = msgspec.json.Decoder(Refusal)


def pause_after(attempts: int) -> timedelta:
    """Return how long a login rests after so many refusals in a row.

    >>> [str(pause_after(attempts)) for attempts in (1, 2, 3, 9)]
    ['0:15:00', '0:30:00', '1:00:00', '6:00:00']
    """
    return min(FIRST_PAUSE * float(1 << min(max(attempts, 1) - 1, 30)), LONGEST_PAUSE)


class RefusedLogins:
    """What is known of refused logins; for any number of threads and processes.

    Args:
        folder: Where it is kept; None keeps it in this object only.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._held: dict[str, Refusal] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._locks_lock = threading.Lock()

    @classmethod
    def of(cls, data_dir: Path) -> RefusedLogins:
        """Return what is kept in a data folder."""
        return cls(data_dir / FOLDER)

    def all(self) -> list[Refusal]:
        """Return every refusal that stands, by source in order."""
        sources = set(self._held)
        if self._folder is not None and self._folder.is_dir():
            sources |= {path.stem for path in self._folder.glob("*.json")}
        found = (self.refusal(source) for source in sorted(sources))
        return [one for one in found if one is not None]

    def refusal(self, source: str) -> Refusal | None:
        """Return the refusal of a source; None when its login is not known to be refused."""
        if self._folder is None:
            return self._held.get(source)
        try:
            return _REFUSAL.decode(self._path(source).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s: cannot be read (%s); the login is tried", self._path(source), error)
            return None

    def forget(self, source: str) -> None:
        """Note that the credentials of a source are accepted."""
        with self._locked(source, endpoint="token"):
            self._forget(source)

    def try_now(self, source: str, *, now: datetime) -> None:
        """Let the next login of a source be tried at once; how often it was refused stays known."""
        with self._locked(source, endpoint="token"):
            known = self.refusal(source)
            if known is not None:
                self._keep(msgspec.structs.replace(known, next_at=now))

    @contextmanager
    def attempt(
        self,
        source: str,
        *,
        endpoint: str,
        credentials: Sequence[str],
        now: Callable[[], datetime],
    ) -> Iterator[None]:
        """Surround a login; one at a time for each source.

        Args:
            source: Whose login.
            endpoint: Name of the call in messages.
            credentials: All that the login depends on; another one is another login.
            now: The present.

        Raises:
            AuthenticationError: These credentials are known to be refused and it is not time to
                try them again: nothing was asked. Or they were refused now, which the error then
                says more about.
            SourceDownError: Another process has been logging in for minutes.
        """
        with self._locked(source, endpoint=endpoint):
            known = self.refusal(source)
            if known is not None and not _is_same(known, credentials):
                known = None
            at = now()
            if known is not None and _rests(known, at=at):
                raise _not_asked(known)
            if known is not None:
                # Kept before it is tried: a process that dies meanwhile has used up its try, too.
                self._keep(_again(known, at=at))
            try:
                yield
            except AuthenticationError as error:
                self._note(source, error, known=known, credentials=credentials, at=at)
                raise
            except BaseException:
                # No answer, so no refusal either.
                if known is not None:
                    self._keep(known)
                raise
            self._forget(source)

    def note(
        self,
        source: str,
        error: AuthenticationError,
        *,
        credentials: Sequence[str],
        now: Callable[[], datetime],
    ) -> None:
        """Note a refusal that was met outside of an attempt."""
        with self._locked(source, endpoint=error.endpoint):
            known = self.refusal(source)
            at = now()
            if known is not None and _is_same(known, credentials) and _rests(known, at=at):
                # Several threads meet the same refusal.
                return
            self._note(source, error, known=None, credentials=credentials, at=at)

    def _note(
        self,
        source: str,
        error: AuthenticationError,
        *,
        known: Refusal | None,
        credentials: Sequence[str],
        at: datetime,
    ) -> None:
        if known is None:
            salt = secrets.token_bytes(_SALT_BYTES)
            refusal = Refusal(
                source=source,
                since=at,
                reason=error.reason,
                attempts=1,
                next_at=at + pause_after(1),
                last_at=at,
                endpoint=error.endpoint,
                status=error.status,
                code=error.code,
                advice=error.advice,
                salt=salt.hex(),
                digest=_digest(salt, credentials),
            )
        else:
            refusal = msgspec.structs.replace(
                _again(known, at=at), reason=error.reason, status=error.status, code=error.code
            )
        self._keep(refusal)
        error.refused_since, error.next_try_at = refusal.since, refusal.next_at
        error.advice = _advice(refusal)

    def _keep(self, refusal: Refusal) -> None:
        if self._folder is None:
            self._held[refusal.source] = refusal
            return
        try:
            with staged(self._path(refusal.source)) as path:
                path.write_bytes(msgspec.json.format(msgspec.json.encode(refusal)) + b"\n")
        except OSError as error:
            log.warning("%s: cannot be written (%s)", self._path(refusal.source), error)

    def _forget(self, source: str) -> None:
        if self._folder is None:
            self._held.pop(source, None)
            return
        try:
            self._path(source).unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s: cannot be removed (%s)", self._path(source), error)

    def _path(self, source: str) -> Path:
        if self._folder is None:
            raise RuntimeError("kept in memory, not in a file")
        return self._folder / f"{source}.json"

    @contextmanager
    def _locked(self, source: str, *, endpoint: str) -> Iterator[None]:
        with ExitStack() as stack:
            with self._locks_lock:
                mine = self._locks.setdefault(source, threading.RLock())
            stack.enter_context(mine)
            if self._folder is not None:
                try:
                    self._folder.mkdir(parents=True, exist_ok=True)
                    # The kernel frees it when a process dies.
                    lock = FileLock(
                        self._folder / f"{source}.lock",
                        timeout=LOCK_WAIT_S,
                        fallback_to_soft=False,
                        preserve_lock_file=True,
                    )
                    stack.enter_context(lock)
                except Timeout:
                    raise SourceDownError(
                        f"another process has been logging in for {LOCK_WAIT_S:g} s",
                        vendor=source,
                        endpoint=endpoint,
                        advice="It is asked again by the next run",
                    ) from None
                except OSError as error:
                    log.warning("%s: no lock (%s)", self._folder, error)
            yield


def refusals(data_dir: Path) -> list[Refusal]:
    """Return every refused login of an installation, by source in order; reads files only."""
    return RefusedLogins.of(data_dir).all()


def _digest(salt: bytes, credentials: Sequence[str]) -> str:
    said = json.dumps(list(credentials)).encode()
    return hmac.new(salt, said, hashlib.sha256).digest()[:_DIGEST_BYTES].hex()


def _is_same(known: Refusal, credentials: Sequence[str]) -> bool:
    try:
        return known.digest == _digest(bytes.fromhex(known.salt), credentials)
    except ValueError:
        return False


def _rests(known: Refusal, *, at: datetime) -> bool:
    # A clock that was set back must not make a pause longer than the longest.
    return at < known.next_at <= at + LONGEST_PAUSE


def _again(known: Refusal, *, at: datetime) -> Refusal:
    attempts = known.attempts + 1
    return msgspec.structs.replace(
        known, attempts=attempts, last_at=at, next_at=at + pause_after(attempts)
    )


def _not_asked(known: Refusal) -> AuthenticationError:
    times = "once" if known.attempts == 1 else f"{known.attempts} times"
    error = AuthenticationError(
        f"not tried, so that the account is not locked: refused {times} since "
        f"{_said(known.since)} ({known.reason}); next try {_said(known.next_at)}",
        vendor=known.source,
        endpoint=known.endpoint,
        status=known.status,
        code=known.code,
        advice=_advice(known),
    )
    error.refused_since, error.next_try_at = known.since, known.next_at
    return error


def _advice(refusal: Refusal) -> str:
    return (
        f"{refusal.advice or 'Check the credentials'}. Changed credentials are tried at once, the "
        f"same ones {_said(refusal.next_at)}, or now by `energy-platform doctor --retry-login`"
    )


def _said(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
