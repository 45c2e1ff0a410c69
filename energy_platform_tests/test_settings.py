"""Settings as people set them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from energy_platform.alerts.policy import secrets_of
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.settings import Settings, SettingsError, required, sections, variable
from energy_platform.settings_example import env_example
from energy_platform.sources.belimo.settings import BelimoSettings
from energy_platform.sources.registry import get_source, sources
from energy_platform.sources.socomec.settings import SocomecSettings

SECRET = "s3cret-of-a-vendor"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no .env of the developer's."""
    monkeypatch.chdir(tmp_path)
    for section in sections().values():
        for name in section.model_fields:
            monkeypatch.delenv(variable(section, name), raising=False)


def test_a_clone_without_any_variable_loads() -> None:
    settings = Settings.load()
    assert settings.destinations["wattics"].base_url is None
    assert get_source("socomec").missing(settings.sources["socomec"])


def test_the_example_lists_every_variable_and_is_up_to_date() -> None:
    committed = (Path(__file__).parents[1] / ".env.example").read_text(encoding="utf-8")
    assert committed == env_example()
    for section in sections().values():
        for name in section.model_fields:
            assert committed.count(f"\n#{variable(section, name)}=") == 1


def test_the_command_that_contributors_are_told_prints_the_example() -> None:
    root = Path(__file__).parents[1]
    printed = subprocess.run(
        [sys.executable, "-m", "energy_platform.settings_example"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
    )
    assert printed.stdout.decode() == env_example()


def test_the_example_with_every_default_filled_in_changes_nothing(tmp_path: Path) -> None:
    before = Settings.load()
    lines = [
        line.removeprefix("#")
        for line in env_example().splitlines()
        if line.startswith("#") and "=" in line and line[1:2].isupper()
    ]
    dbt = before.platform.dbt_project_dir
    text = "\n".join(lines).replace("=dbt_models", f"={dbt}")
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert Settings.load() == before


def test_every_wrong_variable_is_named_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BELIMO_PAGE_SIZE", "5000")
    monkeypatch.setenv("WATTICS_BASE_URL", "http://collector.example/")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    first, second = str(caught.value).splitlines()
    assert first.startswith("BELIMO_PAGE_SIZE: ")
    assert "2000" in first
    assert "5000" in first
    assert second.startswith("WATTICS_BASE_URL: ")
    assert "https" in second


def test_a_trust_store_that_cannot_be_one_is_named_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no certificate", encoding="utf-8")
    for value, why in (("missing.pem", "No such file"), ("notes.txt", "PEM"), (".", "directory")):
        monkeypatch.setenv("ENERGY_PLATFORM_CA_FILE", value)
        with pytest.raises(SettingsError, match=why) as caught:
            Settings.load()
        assert str(caught.value).count("\n") == 0
        assert str(caught.value).startswith("ENERGY_PLATFORM_CA_FILE: ")


@pytest.mark.parametrize(
    "url",
    [
        "http://cloud.example",
        "https://user:word@cloud.example",
        "https://cloud.example/?token=1",
        "ftp://cloud.example",
        "cloud.example",
    ],
)
def test_unsafe_urls_are_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BELIMO_API_URL", url)
    with pytest.raises(SettingsError, match="BELIMO_API_URL"):
        Settings.load()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]/"])
def test_plain_http_is_allowed_to_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BELIMO_API_URL", url)
    assert BelimoSettings().api_url == url


def test_no_secret_is_shown_by_a_wrong_one_or_by_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCOMEC_PASSWORD", SECRET)
    monkeypatch.setenv("WATTICS_CREDENTIALS", f'{{"group": {{"password": "{SECRET}"}}}}')
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert "WATTICS_CREDENTIALS" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(SocomecSettings())


def test_a_credential_of_each_stream_group_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTICS_USERNAME", "one")
    monkeypatch.setenv("WATTICS_PASSWORD", SECRET)
    monkeypatch.setenv(
        "WATTICS_CREDENTIALS", '{"partner": {"username": "two", "password": "word"}}'
    )
    found = WatticsSettings().all_credentials()
    assert {name: one.username for name, one in found.items()} == {
        "default": "one",
        "partner": "two",
    }


def test_a_missing_credential_names_its_variable() -> None:
    with pytest.raises(SettingsError, match=r"BELIMO_CLIENT_ID is not set: it opens the account"):
        required(None, variable="BELIMO_CLIENT_ID", why="it opens the account")


NUMBERS = [
    (section, name)
    for section in sections().values()
    for name, field in section.model_fields.items()
    if field.annotation in (int, float) or "Literal['off']" in str(field.annotation)
]
"""Every setting that is a number, or a number and the word off."""


@pytest.mark.parametrize("typed", ["nan", "inf", "-inf", "1e400", "1e300", "9" * 20, "-1", "1,5"])
def test_no_number_is_taken_that_nothing_could_be_done_with(
    monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    assert len(NUMBERS) > 50
    for section, name in NUMBERS:
        variable_name = variable(section, name)
        monkeypatch.setenv(variable_name, typed)
        with pytest.raises(SettingsError) as caught:
            section()
        assert str(caught.value).startswith(f"{variable_name}: "), typed
        assert "\n" not in str(caught.value), "one sentence for one variable"
        monkeypatch.delenv(variable_name)


@pytest.mark.parametrize(
    "typed",
    [
        "01/02/2025",
        "2025-1-2",
        "20250201",
        "0",
        "1735689600",
        "2025-02-29",
        "2025-01-01T00:00",
        "x",
    ],
)
@pytest.mark.parametrize(
    "name", ["SOCOMEC_START_DAY", "BELIMO_START_DAY", "ENERGY_PLATFORM_PARTITIONS_FROM"]
)
def test_a_day_is_written_in_one_way(
    monkeypatch: pytest.MonkeyPatch, name: str, typed: str
) -> None:
    monkeypatch.setenv(name, typed)
    with pytest.raises(SettingsError, match="expected a day as YYYY-MM-DD") as caught:
        Settings.load()
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("typed", ["24", "off please", "on", "7.5", "", " "])
def test_a_number_or_off_is_one_sentence(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_ALERT_DIGEST_HOUR", typed)
    if not typed:
        assert Settings.load().alerts.digest_hour == 7, "empty counts as not set"
        return
    with pytest.raises(SettingsError, match="a whole number from 0 to 23, or off") as caught:
        Settings.load()
    assert "\n" not in str(caught.value)


def test_off_is_off_however_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_ALERT_DIGEST_HOUR", "OFF")
    monkeypatch.setenv("ENERGY_PLATFORM_ALERT_RUN_FAILED_MIN", "off")
    alerts = Settings.load().alerts
    assert (alerts.digest_hour, alerts.run_failed_min) == ("off", "off")


@pytest.mark.parametrize("typed", ["[500]", "[]", "[200, 302]", "[true]", "[200, 200.5]"])
def test_no_status_of_a_refusal_can_be_made_to_mean_stored(
    monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setenv("WATTICS_SUCCESS_CODES", typed)
    with pytest.raises(SettingsError, match="WATTICS_SUCCESS_CODES") as caught:
        Settings.load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ('{"a": {"username": "x"}}', "a: password: "),
        ('{"a": {"username": "x", "password": ""}}', "a: password: "),
        ('{"a": {"username": "", "password": "s3cret-word"}}', "without a colon"),
        ('{"a": {"username": "x:y", "password": "s3cret-word"}}', "without a colon"),
        ('{"a": {"username": "x", "password": "s3cret-word", "pass": 1}}', "a: pass: "),
        ('{"a": "s3cret-word"}', "a: "),
        ('["s3cret-word"]', "dictionary"),
    ],
)
def test_a_credential_that_cannot_be_one_is_named_by_its_group_without_the_password(
    monkeypatch: pytest.MonkeyPatch, typed: str, part: str
) -> None:
    monkeypatch.setenv("WATTICS_CREDENTIALS", typed)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert str(caught.value).startswith("WATTICS_CREDENTIALS: ")
    assert part in str(caught.value)
    assert "s3cret-word" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_user_name_with_a_colon_is_refused_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATTICS_USERNAME", "a:b")
    with pytest.raises(SettingsError, match="WATTICS_USERNAME: expected a user name"):
        Settings.load()


def test_no_message_shows_a_secret_of_any_source(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, spec in sources().items():
        for field in spec.secrets:
            monkeypatch.setenv(variable(spec.settings, field), f"secret-{name}-{field}")
    hidden = secrets_of(Settings.load())
    expected = {f"secret-{name}-{one}" for name, spec in sources().items() for one in spec.secrets}
    assert expected
    assert expected <= set(hidden)
