"""Settings as people set them."""

from __future__ import annotations

from pathlib import Path

import pytest

from energy_platform.settings import (
    BelimoSettings,
    Settings,
    SettingsError,
    SocomecSettings,
    WatticsSettings,
    required,
    variable,
)
from energy_platform.settings_example import READERS, env_example

SECRET = "s3cret-of-a-vendor"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no .env of the developer's."""
    monkeypatch.chdir(tmp_path)
    for section in READERS:
        for name in section.model_fields:
            monkeypatch.delenv(variable(section, name), raising=False)


def test_a_clone_without_any_variable_loads() -> None:
    settings = Settings.load()
    assert settings.wattics.base_url is None
    assert settings.socomec.client_secret is None


def test_the_example_lists_every_variable_and_is_up_to_date() -> None:
    committed = (Path(__file__).parents[1] / ".env.example").read_text(encoding="utf-8")
    assert committed == env_example()
    for section in READERS:
        for name in section.model_fields:
            assert committed.count(f"\n#{variable(section, name)}=") == 1


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
