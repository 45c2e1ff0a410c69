"""A refused login is tried once, then after growing pauses, whoever asks."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.sources.belimo import BelimoClient
from energy_platform.sources.belimo.settings import BelimoSettings
from energy_platform.sources.http.client import Clock
from energy_platform.sources.http.errors import (
    AuthenticationError,
    PermanentError,
    TransientError,
    VendorError,
)
from energy_platform.sources.http.logins import FIRST_PAUSE, LONGEST_PAUSE, RefusedLogins, refusals
from energy_platform.sources.skycentrics import SkycentricsClient
from energy_platform.sources.skycentrics.settings import SkycentricsSettings
from energy_platform.sources.socomec import SocomecClient
from energy_platform_tests.sources.http.loopback import Loopback, Reply, Seen, reply_json
from energy_platform_tests.sources.socomec.sodata import SECRETS, TOKEN_PATH, SoData, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = SECRETS[1]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    @property
    def clock(self) -> Clock:
        return Clock(now=self.now, sleep=lambda _: None)


class Vendors:
    """A Keycloak, a Belimo identity service and a SkyCentrics that refuse whom they do not know."""

    def __init__(self) -> None:
        self.sodata = SoData()
        self.password = "another"
        self.status = 401
        self.logins: list[str] = []

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == TOKEN_PATH:
            self.logins.append("socomec")
            if seen.form["password"] != self.password:
                body = {"error": "invalid_grant", "error_description": "Invalid user credentials"}
                return reply_json(body, status=self.status)
            return self.sodata(seen)
        if seen.path == "/oauth/token":
            self.logins.append("belimo")
            if seen.form["password"] != self.password:
                return reply_json({"error": "access_denied"}, status=self.status)
            return reply_json({"access_token": "a", "expires_in": 300})
        if seen.path.startswith("/devices/") and "x-sc-api-token" in seen.headers:
            self.logins.append("skycentrics")
            if self.password != PASSWORD:
                return reply_json({"error": {"message": "no"}}, status=self.status)
            return reply_json({"id": 1, "sensors": []})
        if seen.path == "/devices/stats":
            return reply_json({"totalDevices": 0})
        return self.sodata(seen)


def ask(source: str, url: str, *, wall: Wall, logins: RefusedLogins, password: str) -> None:
    """One run, as a new process opens it: a client of its own and one call."""
    match source:
        case "socomec":
            given = settings(url, password=password)
            with SocomecClient(given, clock=wall.clock, logins=logins, backoff_s=0) as socomec:
                socomec.corporate_accounts()
        case "belimo":
            values: dict[str, Any] = {
                "api_url": url,
                "token_url": f"{url}/oauth/token",
                "client_id": "c",
                "client_secret": "s3cret",
                "username": "u",
                "password": password,
                "rps": 10_000,
                "attempts": 2,
            }
            with BelimoClient(
                BelimoSettings(**values), clock=wall.clock, logins=logins, backoff_s=0
            ) as belimo:
                belimo.device_stats()
        case _:
            values = {
                "api_url": url,
                "client_id": "c",
                "client_secret": password,
                "rps": 10_000,
                "attempts": 2,
            }
            with SkycentricsClient(
                SkycentricsSettings(**values), clock=wall.clock, logins=logins, backoff_s=0
            ) as skycentrics:
                skycentrics.newest("1")


def fails(source: str, url: str, **options: Any) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        ask(source, url, **options)
    return caught.value


@pytest.fixture
def vendors() -> Iterator[tuple[Vendors, str]]:
    served = Vendors()
    with Loopback(served).running() as server:
        yield served, server.url


SOURCES = ("socomec", "belimo", "skycentrics")


@pytest.mark.parametrize("source", SOURCES)
def test_a_refused_login_is_not_tried_by_later_runs_until_its_pause_is_over(
    source: str, vendors: tuple[Vendors, str], tmp_path: Path
) -> None:
    served, url = vendors
    wall = Wall()
    options: dict[str, Any] = {"wall": wall, "password": PASSWORD}
    first = fails(source, url, logins=RefusedLogins.of(tmp_path), **options)
    assert "refused" in first.reason
    assert "2026-03-01 12:15 UTC" in str(first)
    for _ in range(4):
        wall.at += timedelta(minutes=3)
        again = fails(source, url, logins=RefusedLogins.of(tmp_path), **options)
        assert "refused once since 2026-03-01 12:00 UTC" in str(again)
        assert "next try 2026-03-01 12:15 UTC" in str(again)
        assert source.upper() in str(again)
        assert (again.refused_since, again.next_try_at) == (NOON, NOON + FIRST_PAUSE)
    assert served.logins == [source]
    wall.at = NOON + FIRST_PAUSE
    fails(source, url, logins=RefusedLogins.of(tmp_path), **options)
    assert served.logins == [source] * 2
    (known,) = refusals(tmp_path)
    assert (known.source, known.since, known.attempts) == (source, NOON, 2)
    assert known.next_at == wall.at + 2 * FIRST_PAUSE


@pytest.mark.parametrize("source", SOURCES)
def test_a_fortnight_of_polls_with_an_old_password_makes_less_than_ten_logins_on_any_day(
    source: str, vendors: tuple[Vendors, str], tmp_path: Path
) -> None:
    served, url = vendors
    wall = Wall()
    tried: list[datetime] = []
    while wall.at < NOON + timedelta(days=14):
        before = len(served.logins)
        fails(source, url, wall=wall, password=PASSWORD, logins=RefusedLogins.of(tmp_path))
        tried += [wall.at] * (len(served.logins) - before)
        wall.at += timedelta(minutes=45)
    for at in tried:
        assert sum(at <= other < at + timedelta(days=1) for other in tried) < 10
    # And it is never given up.
    assert max(later - one for one, later in itertools.pairwise(tried)) <= (
        LONGEST_PAUSE + timedelta(minutes=45)
    )


@pytest.mark.parametrize("source", SOURCES)
def test_changed_credentials_are_tried_at_once_and_success_forgets(
    source: str, vendors: tuple[Vendors, str], tmp_path: Path
) -> None:
    served, url = vendors
    wall = Wall()
    logins = RefusedLogins.of(tmp_path)
    fails(source, url, wall=wall, password="first-wrong-one", logins=logins)
    fails(source, url, wall=wall, password="second-wrong-one", logins=logins)
    assert len(served.logins) == 2
    assert refusals(tmp_path)[0].attempts == 1
    served.password = PASSWORD
    ask(source, url, wall=wall, password=PASSWORD, logins=logins)
    assert refusals(tmp_path) == []


@pytest.mark.parametrize("source", SOURCES)
def test_an_account_that_was_unlocked_heals_by_itself_or_at_once_by_hand(
    source: str, vendors: tuple[Vendors, str], tmp_path: Path
) -> None:
    served, url = vendors
    wall = Wall()
    logins = RefusedLogins.of(tmp_path)
    fails(source, url, wall=wall, password=PASSWORD, logins=logins)
    served.password = PASSWORD
    fails(source, url, wall=wall, password=PASSWORD, logins=logins)
    logins.try_now(source, now=wall.at)
    ask(source, url, wall=wall, password=PASSWORD, logins=logins)
    assert refusals(tmp_path) == []


def test_threads_of_one_run_try_once(tmp_path: Path) -> None:
    served = Vendors()
    with (
        Loopback(served).running() as server,
        SocomecClient(
            settings(server.url, password=PASSWORD, max_in_flight=8),
            logins=RefusedLogins.of(tmp_path),
        ) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        calls = [pool.submit(client.corporate_accounts) for _ in range(16)]
        assert all(isinstance(call.exception(), AuthenticationError) for call in calls)
    assert served.logins == ["socomec"]


def test_without_a_memory_one_client_still_tries_once() -> None:
    served = Vendors()
    with (
        Loopback(served).running() as server,
        SocomecClient(settings(server.url, password=PASSWORD)) as client,
    ):
        for _ in range(3):
            with pytest.raises(AuthenticationError):
                client.corporate_accounts()
    assert served.logins == ["socomec"]


PROCESS = """
import sys
from pathlib import Path
from energy_platform.sources.http.errors import AuthenticationError
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.socomec import SocomecClient
from energy_platform_tests.sources.socomec.sodata import settings
url, folder, password = sys.argv[1:]
with SocomecClient(settings(url, password=password), logins=RefusedLogins.of(Path(folder))) as one:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        one.corporate_accounts()
    except AuthenticationError as error:
        print("asked" if error.reason.startswith("Keycloak") else "not asked")
"""


def test_processes_that_begin_at_the_same_time_try_once(tmp_path: Path) -> None:
    served = Vendors()
    with Loopback(served).running() as server:
        command = [sys.executable, "-c", PROCESS, server.url, str(tmp_path), PASSWORD]
        running = [
            subprocess.Popen(  # noqa: S603 - our own script
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(3)
        ]
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in running:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        said = [one.communicate(timeout=60)[0].strip() for one in running]
    assert sorted(said) == ["asked", "not asked", "not asked"]
    assert served.logins == ["socomec"]


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_kept_holds_no_secret_and_cannot_be_used_to_guess_one(
    source: str, vendors: tuple[Vendors, str], tmp_path: Path
) -> None:
    _, url = vendors
    error = fails(source, url, wall=Wall(), password=PASSWORD, logins=RefusedLogins.of(tmp_path))
    kept = "".join(path.read_text() for path in (tmp_path / "logins").iterdir())
    told = kept + str(error) + repr(error) + repr(vars(error))
    for secret in (PASSWORD, "s3cret", "me@site.example"):
        assert secret not in told
    (path,) = (tmp_path / "logins").glob("*.json")
    # Two bytes: of any list of passwords one in 65,536 fits.
    assert len(json.loads(path.read_text())["digest"]) == 4


def test_a_login_that_gets_no_answer_is_no_refusal(tmp_path: Path) -> None:
    served = Vendors()
    served.status = 503
    with Loopback(served).running() as server:
        for _ in range(2):
            with pytest.raises(TransientError):
                ask(
                    "socomec",
                    server.url,
                    wall=Wall(),
                    password=PASSWORD,
                    logins=RefusedLogins.of(tmp_path),
                )
    assert refusals(tmp_path) == []
    assert len(served.logins) == 6


def test_a_try_that_gets_no_answer_leaves_the_refusal_as_it_was(tmp_path: Path) -> None:
    logins, wall = RefusedLogins.of(tmp_path), Wall()
    for error in (_refused(), RuntimeError("killed")):
        with (
            pytest.raises(type(error)),
            logins.attempt("x", endpoint="token", credentials=("a",), now=wall.now),
        ):
            raise error
        wall.at += FIRST_PAUSE
    (known,) = logins.all()
    assert (known.attempts, known.next_at) == (1, NOON + FIRST_PAUSE)


def test_a_process_that_dies_in_its_try_has_used_it_up(tmp_path: Path) -> None:
    logins, wall = RefusedLogins.of(tmp_path), Wall()
    with (
        pytest.raises(AuthenticationError),
        logins.attempt("x", endpoint="token", credentials=("a",), now=wall.now),
    ):
        raise _refused()
    wall.at += FIRST_PAUSE
    with logins.attempt("x", endpoint="token", credentials=("a",), now=wall.now):
        # What lies on the disk while the login is under way is what a kill would leave.
        known = RefusedLogins.of(tmp_path).refusal("x")
        assert known is not None
        assert known.next_at == wall.at + 2 * FIRST_PAUSE


def test_a_clock_set_back_does_not_lengthen_the_pause_for_ever(tmp_path: Path) -> None:
    logins, wall = RefusedLogins.of(tmp_path), Wall()
    with (
        pytest.raises(AuthenticationError),
        logins.attempt("x", endpoint="token", credentials=("a",), now=wall.now),
    ):
        raise _refused()
    wall.at -= timedelta(days=400)
    with logins.attempt("x", endpoint="token", credentials=("a",), now=wall.now):
        pass
    assert logins.all() == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"source": 1}', b"\xff"])
def test_a_damaged_file_stops_no_login(content: bytes, tmp_path: Path) -> None:
    logins = RefusedLogins.of(tmp_path)
    (tmp_path / "logins").mkdir()
    (tmp_path / "logins" / "x.json").write_bytes(content)
    with logins.attempt("x", endpoint="token", credentials=("a",), now=Wall().now):
        pass
    assert logins.all() == []


def test_a_gateway_that_is_forbidden_pauses_only_an_account_without_others(
    tmp_path: Path,
) -> None:
    def route(seen: Seen) -> Reply:
        asked.append(seen.path)
        if "/2/" in seen.path and has_other:
            return reply_json({"sensors": []})
        return reply_json({"error": {"message": "forbidden"}}, status=403)

    def run() -> list[type[Exception] | None]:
        values: dict[str, Any] = {"client_id": "c", "client_secret": "s", "rps": 10_000}
        found: list[type[Exception] | None] = []
        with SkycentricsClient(
            SkycentricsSettings(api_url=server.url, **values), logins=RefusedLogins.of(tmp_path)
        ) as client:
            for gateway in ("1", "2"):
                try:
                    client.newest(gateway)
                except VendorError as error:
                    found.append(type(error))
                else:
                    found.append(None)
        return found

    asked: list[str] = []
    has_other = True
    with Loopback(route).running() as server:
        assert run() == [PermanentError, None]
        assert run() == [PermanentError, None]
        has_other = False
        assert run() == [PermanentError, PermanentError]
        assert len(asked) == 6
        assert run() == [AuthenticationError, AuthenticationError]
        assert len(asked) == 6
    assert "403" in str(refusals(tmp_path)[0].status)


def _refused() -> AuthenticationError:
    return AuthenticationError("refused", vendor="x", endpoint="token", status=401)
