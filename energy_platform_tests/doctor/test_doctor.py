"""``energy-platform doctor`` with each thing broken in turn."""

from __future__ import annotations

import io
import json
import os
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from rich.console import Console

from energy_platform.cli.doctor import run_doctor
from energy_platform.doctor import CheckResult, run_checks
from energy_platform.installation.origin import only_simulation
from energy_platform.lake.lake import Lake
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.http.logins import refusals
from energy_platform.sources.registry import sources
from energy_platform.sources.skycentrics import Landing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIXES = (
    *(f"{name}_".upper() for name in sources()),
    *("WATTICS_", "ENERGY_PLATFORM_", "DAGSTER_HOME"),
)
GATEWAYS = ("1000000001", "1000000002")
MORNING = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def served() -> Iterator[SimulatorSuite]:
    # A sensor of the world comes and goes every six hours; now it is gone.
    with SimulatorSuite(clock=lambda: MORNING) as suite:
        yield suite


@pytest.fixture
def healthy(
    served: SimulatorSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An installation without anything to complain about but what the vendors themselves lack."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ENERGY_PLATFORM_ALERT_WEBHOOK_URL", "json://127.0.0.1:9/hook")
    for name, value in served.environment().items():
        monkeypatch.setenv(name, value)
    for vendor in vendors_of(served):
        monkeypatch.setenv(f"{vendor}_RPS".upper(), "500")
    (tmp_path / "portfolio.yaml").write_text(served.portfolio(), encoding="utf-8")
    data = tmp_path / "data"
    for gateway in GATEWAYS:
        Landing(data / "landing" / "skycentrics").append(
            device_id=gateway, polled_at=datetime.now(tz=UTC), body=b'{"sensors":[]}'
        )
    yield tmp_path
    served.clear_faults()


@pytest.fixture
def small(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same with one vendor, for what has nothing to do with vendors."""
    others = tuple(f"{name}_".upper() for name in sources() if name != "skycentrics")
    for name in os.environ:
        if name.startswith(others):
            monkeypatch.delenv(name)
    return healthy


def vendors_of(suite: SimulatorSuite) -> set[str]:
    """The vendors that have devices in the world."""
    return {device.vendor for device in suite.world.devices}


def servers_of(suite: SimulatorSuite) -> int:
    """How many servers the vendors that are read have, their logins' among them."""
    found = vendors_of(suite)
    return sum(len(one.servers()) for name, one in suite.simulators.items() if name in found)


def examined(*, ahead: timedelta = timedelta(0)) -> list[CheckResult]:
    return list(run_checks(names=os.environ, now=lambda: datetime.now(tz=UTC) + ahead))


def complaints(findings: list[CheckResult]) -> dict[tuple[str, str], CheckResult]:
    return {
        (one.check, one.subject): one
        for one in findings
        if one.level != "ok"
        # The simulated account has valves without a dataprofile, and the demo leaves points out.
        and (one.check, one.subject) not in {("rights", "belimo"), ("inventory", "belimo")}
    }


def only_complaint(findings: list[CheckResult]) -> CheckResult:
    (finding,) = complaints(findings).values()
    return finding


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_healthy_installation_has_nothing_to_complain_about(
    healthy: Path, served: SimulatorSuite
) -> None:
    findings = examined()
    assert not complaints(findings)
    checks = {one.check for one in findings}
    assert checks >= {
        *("settings", "disk", "leftovers", "dagster", "ledger", "portfolio", "reach", "clock"),
        *("credentials", "rights", "inventory", "polls", "wattics"),
    }
    logins = {one.subject for one in findings if one.check == "credentials"}
    assert logins == vendors_of(served) >= {"socomec", "belimo", "skycentrics"}


def test_looking_changes_nothing(healthy: Path) -> None:
    before = sorted(healthy.rglob("*"))
    examined()
    # The locks by which logins of several processes wait for one another.
    logins = healthy / "data" / "logins"
    after = [path for path in healthy.rglob("*") if logins not in (path, path.parent)]
    assert sorted(after) == before
    assert {path.suffix for path in logins.iterdir()} == {".lock"}


@pytest.mark.parametrize(
    ("variable", "vendor"),
    [
        ("SOCOMEC_PASSWORD", "socomec"),
        ("SOCOMEC_CLIENT_SECRET", "socomec"),
        ("BELIMO_PASSWORD", "belimo"),
        ("SKYCENTRICS_CLIENT_SECRET", "skycentrics"),
    ],
)
def test_a_wrong_credential_is_found_by_a_real_login(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, variable: str, vendor: str
) -> None:
    monkeypatch.setenv(variable, "not-the-secret-9")
    finding = complaints(examined())["credentials", vendor]
    assert finding.level == "fail"
    assert f"{vendor.upper()}_" in finding.advice
    assert "not-the-secret-9" not in f"{finding}"


def test_a_refused_login_is_not_tried_again_by_looking_again(
    healthy: Path, served: SimulatorSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCOMEC_PASSWORD", "not-the-secret-9")
    complaints(examined())
    (known,) = refusals(healthy / "data")
    for _ in range(2):
        finding = complaints(examined())["credentials", "socomec"]
        assert "refused once since" in finding.message
        assert "next try" in finding.message
        assert "--retry-login" in finding.advice
    assert refusals(healthy / "data") == [known]
    again = run_checks(names=os.environ, retry_login=True)
    assert "Keycloak refused the user" in complaints(list(again))["credentials", "socomec"].message
    assert refusals(healthy / "data")[0].attempts == 2
    # Another password is tried at once, and the right one forgets.
    monkeypatch.setenv("SOCOMEC_PASSWORD", served.environment()["SOCOMEC_PASSWORD"])
    assert not complaints(examined())
    assert refusals(healthy / "data") == []


def test_a_proxy_or_trust_store_that_cannot_be_used_is_one_finding_each(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks4://127.0.0.1:1")
    # Loopback needs no proxy.
    assert not complaints(examined())
    monkeypatch.setenv("SKYCENTRICS_API_URL", "https://vendor.invalid/api")
    assert "ALL_PROXY" in complaints(examined())["reach", "skycentrics"].message
    monkeypatch.setenv("ENERGY_PLATFORM_CA_FILE", str(small / "portfolio.yaml"))
    assert "ENERGY_PLATFORM_CA_FILE" in only_complaint(examined()).message


@pytest.mark.parametrize(
    "variable", ["SOCOMEC_PASSWORD", "BELIMO_USERNAME", "SKYCENTRICS_CLIENT_ID"]
)
def test_a_missing_credential_names_its_variable(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable)
    finding = only_complaint(examined())
    assert (finding.check, finding.level) == ("settings", "fail")
    assert variable in finding.message


def test_a_vendor_that_is_not_used_is_no_complaint(
    healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"SOCOMEC_{name}")
    findings = examined()
    assert not complaints(findings)
    assert not [one for one in findings if one.subject == "socomec" and one.check != "settings"]


def test_a_misspelt_variable_is_told_with_the_right_one(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELIMO_PASWORD", "x")
    finding = only_complaint(examined())
    assert finding.level == "warn"
    assert "BELIMO_PASWORD" in finding.message
    assert "BELIMO_PASSWORD" in finding.advice


def test_a_wrong_variable_is_told_and_nothing_else_is_tried(
    healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCOMEC_RPS", "many")
    finding = only_complaint(examined())
    assert finding.level == "fail"
    assert "SOCOMEC_RPS" in finding.message


@pytest.mark.parametrize(
    ("variable", "path", "subject"),
    [
        ("SOCOMEC_API_URL", "/", "socomec"),
        ("SOCOMEC_KEYCLOAK_URL", "/", "socomec login"),
        ("BELIMO_API_URL", "/api/v3", "belimo"),
        ("BELIMO_TOKEN_URL", "/oauth/token", "belimo login"),
        ("SKYCENTRICS_API_URL", "/api", "skycentrics"),
    ],
)
def test_an_unreachable_server_is_told_by_name(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, variable: str, path: str, subject: str
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}{path}")
    finding = only_complaint(examined())
    assert (finding.check, finding.subject, finding.level) == ("reach", subject, "fail")


@pytest.mark.parametrize(("ahead", "level"), [(40, "warn"), (-4000, "fail"), (4000, "fail")])
def test_a_clock_that_is_wrong_is_told_for_every_server(
    healthy: Path, served: SimulatorSuite, ahead: int, level: str
) -> None:
    found = complaints(examined(ahead=timedelta(seconds=ahead)))
    clocks = {subject: one for (check, subject), one in found.items() if check == "clock"}
    assert set(clocks) == vendors_of(served)
    assert {one.level for one in clocks.values()} == {level}
    assert ("behind" if ahead < 0 else "ahead") in clocks["belimo"].message


def test_an_account_that_may_see_nothing_is_told(healthy: Path, served: SimulatorSuite) -> None:
    served.set_faults(["socomec:http_403:path=/devices"])
    finding = complaints(examined())["rights", "socomec"]
    assert finding.level == "fail"
    assert "account owner" in finding.advice


def test_a_portfolio_that_is_missing_or_broken_is_told(small: Path) -> None:
    path = small / "portfolio.yaml"
    path.write_text("version: 1\nsites: 5\n", encoding="utf-8")
    broken = only_complaint(examined())
    assert broken.level == "fail"
    assert "portfolio.yaml:2" in broken.message
    path.unlink()
    assert "energy-platform discover" in only_complaint(examined()).advice


def test_what_is_to_be_confirmed_is_counted(small: Path, served: SimulatorSuite) -> None:
    path = small / "portfolio.yaml"
    text = served.portfolio().replace("timezone: Europe/Paris", "timezone: UTC  # TO CONFIRM: x")
    path.write_text(text, encoding="utf-8")
    assert "1 entries say TO CONFIRM" in complaints(examined())["portfolio", ""].message


def test_devices_beyond_the_portfolio_and_lost_ones_are_told(
    healthy: Path, served: SimulatorSuite
) -> None:
    text = served.portfolio().replace("serial: SN000005", "serial: SN999999")
    (healthy / "portfolio.yaml").write_text(
        text.replace("socomec/SN000005/", "socomec/SN999999/"), encoding="utf-8"
    )
    messages = [
        one.message for one in examined() if (one.check, one.subject) == ("inventory", "socomec")
    ]
    assert any("socomec/SN000005 not in the portfolio" in one for one in messages)
    assert any("socomec/SN999999" in one and "not at the vendor" in one for one in messages)


def test_streams_without_an_address_or_credential_are_told(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ["WATTICS_BASE_URL"]
    monkeypatch.delenv("WATTICS_BASE_URL")
    assert "WATTICS_BASE_URL" in only_complaint(examined()).message
    monkeypatch.setenv("WATTICS_BASE_URL", address)
    monkeypatch.delenv("WATTICS_PASSWORD")
    assert "WATTICS_PASSWORD" in only_complaint(examined()).advice
    monkeypatch.setenv("WATTICS_PASSWORD", "wrong-one-7")
    finding = only_complaint(examined())
    assert (finding.check, finding.level) == ("wattics", "fail")
    assert "wrong-one-7" not in f"{finding}"


def test_a_wattics_that_does_not_answer_is_told(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTICS_BASE_URL", f"http://127.0.0.1:{free_port()}/x/")
    assert "no connection" in only_complaint(examined()).message


def test_what_crashes_and_people_leave_behind_is_told(small: Path) -> None:
    data = small / "data"
    folder = Lake(data / "lake").path(RAW_BELIMO_SAMPLES, day="2026-01-01").parent
    folder.mkdir(parents=True)
    (folder / "part.parquet").touch()
    (folder / f".part.parquet.{os.getpid()}.0123abcd.staged").touch()
    assert not complaints(examined())
    left = folder / ".part.parquet.4194305.0123abcd.staged"
    left.touch()
    os.utime(left, (0, 0))
    (data / "energy.duckdb.wal").touch()
    (folder.parent / "day=yesterday").mkdir()
    (folder / "copy of part.parquet").touch()
    messages = " ".join(one.message for one in examined() if one.check == "leftovers")
    assert "1 staged files" in messages
    assert "energy.duckdb.wal" in messages
    assert "2 files in the lake" in messages


def test_a_folder_that_cannot_be_written_is_told(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A folder below a file: nobody, not even root, can write there.
    (small / "file").touch()
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(small / "file"))
    finding = complaints(examined())["disk", ""]
    assert finding.level == "fail"
    assert "ENERGY_PLATFORM_DATA_DIR" in finding.advice


def test_gateways_that_are_no_longer_polled_are_told(small: Path) -> None:
    landing = Landing(small / "data" / "landing" / "skycentrics")
    landing.append(
        device_id="1000000009",
        polled_at=datetime.now(tz=UTC) - timedelta(hours=3),
        body=b'{"sensors":[]}',
    )
    finding = only_complaint(examined())
    assert finding.level == "warn"
    assert "1000000009 was polled 3 h ago" in finding.message


def test_a_running_ui_is_seen(small: Path) -> None:
    home = small / "data" / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").touch()
    with FileLock(home / ".ui.lock", fallback_to_soft=False, preserve_lock_file=True):
        assert any("daemon are running" in one.message for one in examined())
        assert not complaints(examined())
    stopped = only_complaint(examined())
    assert stopped.level == "warn"
    assert "not running" in stopped.message


def test_another_dagster_home_is_told(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(small / "elsewhere"))
    assert "elsewhere" in only_complaint(examined()).message


@pytest.mark.parametrize("name", ["ledger", "catalogue"])
def test_a_database_that_does_not_answer_is_told_without_its_password(
    small: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    url = f"postgresql://me:s3cr3t-word@127.0.0.1:{free_port()}/{name}"
    monkeypatch.setenv(f"ENERGY_PLATFORM_{name.upper()}_URL", url)
    finding = complaints(examined())[name, ""]
    assert f"ENERGY_PLATFORM_{name.upper()}_URL does not answer" in finding.message
    assert finding.level == "fail"
    assert "s3cr3t-word" not in f"{finding}"


def test_the_exit_code_says_whether_anything_fails(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = io.StringIO()
    assert run_doctor(Console(file=screen, width=200)) == 0
    assert "0 failures" in screen.getvalue()
    monkeypatch.delenv("WATTICS_BASE_URL")
    assert run_doctor(Console(file=screen), as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["fail"] == 1
    assert {"check", "subject", "level", "message", "advice"} == set(told["findings"][0])


def test_the_env_file_itself_is_looked_at(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small / "settings.env"
    path.write_text("# mine\nBELIMO PASSWORD=x\n", encoding="utf-8")
    path.chmod(0o644)
    monkeypatch.setenv("ENERGY_PLATFORM_ENV_FILE", "settings.env")
    found = [one for one in examined() if one.level != "ok"]
    assert [(one.level, one.check) for one in found] == [("warn", "settings"), ("fail", "settings")]
    assert "mode 0644" in found[0].message
    assert "chmod 600" in found[0].advice
    assert "line 2: cannot be read" in found[1].message
    path.write_text("", encoding="utf-8")
    path.chmod(0o600)
    assert not complaints(examined())


def test_json_that_is_none_is_one_finding(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTICS_CREDENTIALS", "{oops")
    finding = only_complaint(examined())
    assert finding.level == "fail"
    assert finding.message.startswith("WATTICS_CREDENTIALS: expected JSON")


def test_real_credentials_beside_the_demos_data_are_said_and_still_tried(small: Path) -> None:
    (small / "data" / "ORIGIN").write_text("demo\n", encoding="utf-8")
    findings = examined()
    finding = only_complaint(findings)
    assert finding.level == "warn"
    assert "holds the demo's data" in finding.message
    assert "make clean" in finding.advice
    assert any((one.check, one.subject) == ("credentials", "skycentrics") for one in findings)


def test_while_a_demo_runs_its_own_vendors_are_visited_and_no_real_one(
    healthy: Path, served: SimulatorSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = healthy / "data"
    (data / "ORIGIN").write_text("demo\n", encoding="utf-8")
    (data / "demo").mkdir()
    (healthy / "portfolio.yaml").rename(data / "demo" / "portfolio.yaml")
    lines = [f"{name}='{value}'" for name, value in served.environment().items()]
    (data / "demo" / "settings.env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in os.environ:
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    with only_simulation(data):
        findings = examined()
    assert complaints(findings).keys() <= {("dagster", "")}, "a demo is not asked for channels"
    reached = [one for one in findings if one.check == "reach"]
    assert len(reached) == servers_of(served)
    assert all(one.message.startswith("127.0.0.1 ") for one in reached)
    logins = {one.subject for one in findings if one.check == "credentials"}
    assert logins == vendors_of(served)


def test_an_installation_that_tells_nobody_is_told(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENERGY_PLATFORM_ALERT_WEBHOOK_URL")
    assert "nobody is notified" in only_complaint(examined()).message
    monkeypatch.setenv("ENERGY_PLATFORM_ALERT_WEBHOOK_URL", "json://hooks.example.com/secret-path")
    finding = only_complaint(examined())
    assert "in the clear" in finding.message
    assert "secret-path" not in finding.message
